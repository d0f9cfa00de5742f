"""Adapters that compare a person's clip with the steps of a plan."""
