"""Webhooks and broker: at-least-once delivery of events to HTTP receivers and to RabbitMQ (the second floor)."""
