"""The routes, one file a resource: parse, carry out or query, answer."""
