"""What the standard library and the operating system lack for us."""
