"""Readers of published annotation files and plain folders. Each yields `Source` values."""
