"""The whole GPU path at full width, on a machine without a GPU."""
