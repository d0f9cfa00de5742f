"""The proof of the metrics: planted faults on toy-kitchen video, whose truth is known."""
