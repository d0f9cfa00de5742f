"""The Create page: one module for each of its five steps."""
