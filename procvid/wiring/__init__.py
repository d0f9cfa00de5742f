"""The composition root: turns settings into models.

One `match` a seam. A module with a heavy library is imported where a model that needs it is built, so
a command that only plans stays light.
"""
