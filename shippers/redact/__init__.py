"""Redaction of what must not leave the host."""
