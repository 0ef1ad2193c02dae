"""Resolver that lead where a test wants them to."""

import socket

from aiohttp.abc import ResolveResult

from webhooks.post.resolver import CANARY, Lookup


def leads_to(*addresses: str) -> Lookup:
    """Every name leads to these addresses."""
    return leads_in_turn(addresses)


def leads_in_turn(*answers: tuple[str, ...]) -> Lookup:
    """Every name leads to the first of these, then to the next, and to the last from then on."""
    left = list(answers)

    def look_up(host: str, port: int, _: int) -> list[ResolveResult]:
        addresses = left.pop(0) if len(left) > 1 else left[0]
        return [_found(host, port, address) for address in addresses]

    return look_up


def fails_with(number: int | None, *, resolver_answers: bool) -> Lookup:
    """No name leads anywhere; what is asked to see whether the resolver is there is answered, or is not."""

    def look_up(host: str, _: int, __: int) -> list[ResolveResult]:
        if host == CANARY:
            raise socket.gaierror(socket.EAI_NONAME if resolver_answers else socket.EAI_AGAIN, "canary")
        raise socket.gaierror(number, "fails")

    return look_up


def _found(host: str, port: int, address: str) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
