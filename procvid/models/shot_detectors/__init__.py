"""Adapters that find cuts."""
