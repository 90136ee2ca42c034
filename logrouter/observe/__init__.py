"""What can be seen from outside: named events and metrics."""
