"""Tests of the webhooks floor."""
