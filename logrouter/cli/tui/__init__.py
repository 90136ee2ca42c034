"""What `up` shows of itself on a terminal, or in a log."""
