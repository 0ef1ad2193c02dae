"""Searching customers: the language, its compilation, and the read model that follows the log."""
