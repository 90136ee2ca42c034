"""Decide which destinations a record goes to. Pure: no I/O, no event loop."""
