"""RabbitMQ: the relay (outbox publisher), the consumer of the fan-out queue, and subscribers."""
