"""The currencies of the world, by the three letters of ISO 4217, in small letters as the API shows them.

Those that were withdrawn of late are among them, last: amounts in them are still about.
"""

from importlib import resources

CURRENCIES = frozenset(resources.files("events").joinpath("currencies.txt").read_text("ascii").lower().split())
