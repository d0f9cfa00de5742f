"""One metric a file; each module's docstring is its card."""
