"""Train the model that predicts what the next clip of a recipe looks like (papers 002 and 003)."""
