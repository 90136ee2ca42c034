"""A window of a source is turned into the messages that are published. Pure."""
