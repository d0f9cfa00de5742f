"""Detours of a recipe: swap an ingredient or a tool, cook without it, or follow a diet."""
