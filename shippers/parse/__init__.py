"""A line is parsed: severity, time, fields. Pure."""
