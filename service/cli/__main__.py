"""`python -m service.cli` is the `rollbook` command."""

from service.cli import main

main()
