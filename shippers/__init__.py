"""What runs on each host: inputs -> parsing -> windows -> publisher."""
