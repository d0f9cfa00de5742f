"""The Hub page."""
