"""Adapters that find cooking steps in transcripts."""
