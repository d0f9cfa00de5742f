"""Adapters that embed images and text in a CLIP space."""
