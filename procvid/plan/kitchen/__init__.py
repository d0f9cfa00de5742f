"""Carry out the steps in a kitchen: where each food is, in which state, and what is made of it."""
