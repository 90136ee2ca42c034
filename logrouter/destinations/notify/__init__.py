"""What all destinations share that notify people: digests, and how often they go out."""
