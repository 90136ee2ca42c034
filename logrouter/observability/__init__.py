"""Events, conditions and metrics: what can be seen of a process from outside."""
