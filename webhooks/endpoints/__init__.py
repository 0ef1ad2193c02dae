"""Webhook endpoints: registration, delivery rules, state, and disabling of failing ones."""
