"""Adapters that compare two sets of clips by their features (Fréchet distances)."""
