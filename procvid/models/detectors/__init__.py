"""Open-vocabulary detectors."""
