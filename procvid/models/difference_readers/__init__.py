"""Adapters that say what differs between two clips."""
