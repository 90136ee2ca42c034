"""What travels between hosts, and the words for it."""
