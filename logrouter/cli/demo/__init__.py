"""`logrouter up --demo`: logs of a small company that exists only here, lively enough to see everything at work."""
