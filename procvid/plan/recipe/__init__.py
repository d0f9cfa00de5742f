"""Read recipes from text, saved pages and exports."""
