"""Adapters that describe clips by looking at them."""
