"""Turn recipe text into a plan: parse it, read each step, write the enhanced prompts."""
