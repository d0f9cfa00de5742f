"""The task graph of a plan: which step needs what, what can be done beside it, and a picture of it."""
