"""Encodes windows of sources as the messages that are published. Pure."""
