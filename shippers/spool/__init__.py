"""Keeps input that cannot be read twice on disk until the broker has it."""
