"""Measure the quality of the tiny models."""
