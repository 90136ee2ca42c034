"""The centre of logrouter, and what it shares with the shippers on each host."""

__version__ = "0.1.0"
