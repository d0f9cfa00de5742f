"""Serve the app on a Hugging Face Space."""

from pathlib import Path

from procvid.ui.app import serve
from procvid.ui.server.context import open_context

serve(open_context(Path(__file__).parent / "examples"))
