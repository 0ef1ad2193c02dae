"""API versions: names of the API reference, the newest first served unless another is asked for."""

from importlib import resources

from events.errors import Refusal

KNOWN = frozenset(resources.files("service").joinpath("api_versions.txt").read_text().split())
OLDEST = "2020-08-27"  # older ones differ in ways nobody depends on any more


def choose(asked: str | None, default: str) -> str:
    """The version to answer in. Raises Refusal for a name that is no version, or one too old to be rendered."""
    if asked is None:
        return default
    if asked not in KNOWN:
        raise Refusal(f"Invalid Stripe API version: {asked}.")
    if asked < OLDEST:
        raise Refusal(f"Stripe API version {asked} is no longer served; the oldest is {OLDEST}.")
    return asked
