"""The wire format: the messages between hosts, and the types that they carry."""
