"""Measure curation on toy-kitchen video with noisy subtitles and known ground truth."""
