"""Artifacts on the Hugging Face Hub: bundled, checked, published, pulled. Knows files, not models."""
