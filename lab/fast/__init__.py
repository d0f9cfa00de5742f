"""What each sampling shortcut saves and costs."""
