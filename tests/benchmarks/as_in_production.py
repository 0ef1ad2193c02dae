"""A `rollbook` process that logs as in production, but may call webhooks on loopback, as only development allows.

`python -m tests.benchmarks.as_in_production ROLE`, where ROLE is a word `rollbook` knows: `serve`, `api`, `worker`.
"""

import sys

import uvloop

from service import logging, roles, settings
from service.cli import ALL_ROLES


def main() -> None:
    """Play the role named, or all of them."""
    role = sys.argv[1]
    read = settings.read()
    logging.configure(level=read.log_level, production=True)
    uvloop.run(roles.run(read, ALL_ROLES if role == "serve" else frozenset({role})))


if __name__ == "__main__":
    main()
