"""The page and its endpoints: a translation of procvid's events for people and for programs."""

import os

# Gradio reads this when it is imported; without it each page load calls a server of its makers.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "0")
