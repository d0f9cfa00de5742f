"""Voices that speak the words of a film."""
