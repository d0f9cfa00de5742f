"""Adapters that tell how a frame looks, without words."""
