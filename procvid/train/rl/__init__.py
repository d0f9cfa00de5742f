"""Reinforcement learning of a LoRA with rewards from the product's own judges."""
