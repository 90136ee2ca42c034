"""Files that are followed: logs, and the chain of generations that rotation makes of each."""
