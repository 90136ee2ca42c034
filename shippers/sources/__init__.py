"""The sources of lines besides plain files: syslog, the journal, standard input and containers."""
