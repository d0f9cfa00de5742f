"""From a goal to a recipe: what is asked for, the nearest known recipe, and what to check."""
