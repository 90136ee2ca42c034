"""Parse lines: severity, time, fields and headers. Pure: no I/O."""
