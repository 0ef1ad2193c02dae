-- Attempts are made in the trace of their notice.

ALTER TYPE webhooks.head ADD ATTRIBUTE traceparent text;
