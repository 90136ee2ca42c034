"""Sources of lines that are not files: syslog, the journal, standard input, containers."""
