"""Where records end: one file or folder for each kind. None knows of AMQP or of another."""
