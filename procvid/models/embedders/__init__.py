"""CLIP spaces."""
