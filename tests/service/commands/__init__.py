"""Commands without HTTP."""
