"""Measure what each sampling shortcut saves and costs."""
