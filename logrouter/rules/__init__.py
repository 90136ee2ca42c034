"""(key, record) -> the names of its destinations. Pure: no I/O, no event loop."""
