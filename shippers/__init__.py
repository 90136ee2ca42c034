"""The part of logrouter that runs on each host: it reads inputs, parses their lines and publishes them in windows."""
