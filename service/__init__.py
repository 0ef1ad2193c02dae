"""The service: HTTP API, roles, jobs and command line, and the wiring of all packages (the top floor)."""
