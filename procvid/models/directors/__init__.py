"""Adapters that write a recipe for a goal."""
