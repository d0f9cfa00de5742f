"""Metrics of generated runs and of any clips: inputs -> evidence -> metrics -> scores and report."""
