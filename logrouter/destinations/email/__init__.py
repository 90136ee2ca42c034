"""Error mail: records gathered into digests, digests composed into mail, mail sent or written to a directory."""
