"""The severity of a line. Pure."""
