"""Measure the memory on toy-kitchen video with known ground truth."""
