"""What must not leave the host."""
