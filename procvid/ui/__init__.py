"""The page and its HTTP endpoints; both translate the events of procvid."""

import os

from procvid.settings.environment import home_folder

# Gradio reads this when it is imported. Without it every page load calls Gradio's analytics server.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "0")

# The caches of libraries lie there; they read it when they are imported.
os.environ.setdefault("HOME", str(home_folder()))
