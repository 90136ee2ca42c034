"""Is every line accounted for? What was read, decided and archived, held against each other."""
