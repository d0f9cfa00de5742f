"""Adapters that embed the appearance of a frame, without text."""
