"""Curate instructional videos into captioned clips: readers, stages and export."""
