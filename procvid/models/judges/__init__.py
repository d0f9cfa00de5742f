"""Adapters that answer the metrics' questions in words."""
