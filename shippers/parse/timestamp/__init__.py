"""Timestamps in lines and headers, as UTC. Pure."""
