"""Cost of a denoising step on any card, counted from the configs without a GPU."""
