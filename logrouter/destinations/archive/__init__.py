"""The archive destination: writes each record exactly once to compressed files. archive.py is the entry point."""
