"""How the tiny models are trained."""
