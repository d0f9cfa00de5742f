"""Read and write videos, images and captions."""
