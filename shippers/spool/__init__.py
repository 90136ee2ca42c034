"""Input that cannot be read twice, kept on disk until the broker has it."""
