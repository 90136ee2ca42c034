"""The output of a running `up` on a terminal or in a log."""
