"""Rewards: one file each, a plain callable with a card."""
