"""Experiments, proofs and measurements. Not part of the installed package."""
