"""Adapters that find named objects in images."""
