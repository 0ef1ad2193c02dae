"""Webhook endpoints: what their owners set, how they fare, and when a failing one is disabled."""
