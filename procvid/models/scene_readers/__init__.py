"""Adapters that name the objects of a clip."""
