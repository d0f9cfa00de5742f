"""Measurements of how recipes are read."""
