"""procvid: a recipe becomes one short video per step in which the pan stays the same pan.

Importing the package loads neither torch nor gradio; see `procvid.run.story.make_video` for the story.
"""

__version__ = "0.1.0"
