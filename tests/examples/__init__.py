"""One test of each kind, complete with its imports, to copy."""
