"""Adapters that describe clips."""
