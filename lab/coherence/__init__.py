"""Clips that see their neighbour: pairwise attention and rolling context, measured on toy recipes."""
