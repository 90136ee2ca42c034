"""Error mail: gathers records into digests, composes digests into mail, and sends mail or writes it to a directory."""
