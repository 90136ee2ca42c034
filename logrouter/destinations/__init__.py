"""The destinations of records, one module or package for each kind. None depends on AMQP or on another kind."""
