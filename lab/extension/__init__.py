"""Measure whether a LoRA teaches foods and a counter that the base model never saw."""
