"""Adapters that embed long texts."""
