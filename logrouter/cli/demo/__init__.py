"""`logrouter up --demo`: sample logs of a made-up company, which show every feature at work."""
