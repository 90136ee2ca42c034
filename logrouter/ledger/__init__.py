"""The ledger: what has been decided of each source. Every redelivered record is checked against it."""
