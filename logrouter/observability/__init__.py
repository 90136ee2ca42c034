"""What can be seen from outside: named events, conditions and metrics."""
