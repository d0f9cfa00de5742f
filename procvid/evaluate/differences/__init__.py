"""What differs between two clips, two runs, or a clip and the recipe."""
