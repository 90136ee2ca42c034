"""Load YAML files into frozen models. All mistakes are reported at once, each with file:line:column."""
