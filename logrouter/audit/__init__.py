"""The audit: it compares what was read, decided and archived, and reports whether every line is accounted for."""
