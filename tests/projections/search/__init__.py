"""Searching customers."""
