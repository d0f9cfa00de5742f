"""The page and its HTTP endpoints; both translate the events of procvid."""

import os

# Gradio reads this when it is imported. Without it every page load calls Gradio's analytics server.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "0")
