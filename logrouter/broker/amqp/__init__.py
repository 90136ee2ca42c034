"""RabbitMQ behind the contract, on aio-pika; nothing else of logrouter knows that library or AMQP."""

from logrouter.broker.amqp.broker import AmqpBroker

__all__ = ["AmqpBroker"]
