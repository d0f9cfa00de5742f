"""Metrics on generated runs and on any clips: inputs -> evidence -> metrics -> scores and report."""
