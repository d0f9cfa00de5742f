"""Read the English of a step: its verbs, things, side clauses and destinations."""
