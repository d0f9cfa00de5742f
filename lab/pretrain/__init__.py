"""Train the embedded tiny models from scratch."""
