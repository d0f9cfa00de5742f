"""The memory: crops of objects with their states, retrieved by object and state in CLIP space."""
