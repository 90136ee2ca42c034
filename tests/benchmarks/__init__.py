"""`make bench`: what the promises about speed, memory and size come to on this machine, beside peers and limits.

Rivals are measured in turn in one run, each as a whole process; nothing here passes or fails. docs/performance.md says
how to read the table.
"""
