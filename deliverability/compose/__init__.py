"""Puts an assessment into words: the only place that chooses sentences."""
