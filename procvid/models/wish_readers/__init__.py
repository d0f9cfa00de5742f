"""Readers of free wishes about a recipe."""
