"""Adapters that measure the perceptual distance of two frames."""
