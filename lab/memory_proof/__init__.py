"""What the memory is worth, measured on toy-kitchen video, whose truth is known."""
