"""The memory: crops of objects with their states, found again by (object, state) in CLIP space."""
