"""Models that predict what the next clip looks like, as a CLIP embedding."""
