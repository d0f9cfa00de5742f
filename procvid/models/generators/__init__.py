"""Adapters that make clips."""
