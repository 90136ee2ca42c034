"""YAML files -> frozen models; every mistake at once, each with file:line:column."""
