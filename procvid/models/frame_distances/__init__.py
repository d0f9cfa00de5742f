"""Adapters that tell how different two frames look to people."""
