"""What the service does, beneath HTTP: routes, jobs and the command line call it."""
