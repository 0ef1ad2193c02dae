"""The version of Rollbook, which pyproject.toml, the command line, OpenAPI and User-Agent headers read here."""

VERSION = "0.1.0"
