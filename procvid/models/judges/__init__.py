"""Adapters that answer the questions of the metrics in words."""
