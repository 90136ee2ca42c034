"""Small helpers that the standard library does not have."""
