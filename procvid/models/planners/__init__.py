"""Adapters that plan a recipe."""
