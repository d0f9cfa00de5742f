"""How good the tiny models are."""
