"""The broker contract on RabbitMQ, built on aio-pika. No other package of logrouter uses that library or AMQP."""

from logrouter.broker.amqp.broker import AmqpBroker

__all__ = ["AmqpBroker"]
