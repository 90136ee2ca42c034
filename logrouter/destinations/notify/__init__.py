"""The parts that notifying destinations share: digests, and a limit on how often mail is sent."""
