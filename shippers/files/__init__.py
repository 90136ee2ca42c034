"""Following log files: each log is a chain of generations that rotation produces."""
