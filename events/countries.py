"""The countries of the world, by the two letters of ISO 3166-1."""

from importlib import resources

COUNTRIES = frozenset(resources.files("events").joinpath("countries.txt").read_text("ascii").split())
