"""The HTTP API: requests parsed into commands and queries, answers rendered as the API's JSON."""
