"""Paths and queries that have to be requested exactly as they are registered."""

TARGETS = [
    "/a%2Fb/%C3%BC?c=d%20e&f", "/t?sig=aB%2FcD%2BeF%3D%3D&go=%2Fa%2Fb", "/?", "/?b=2&a=1&&b=&=", "//a//b//",
    "/a/./b/../c", "/%7e%7E~", "/%zz%", "/a+b;c=d,e!$'()*@:", "/{a}|[b]^`\"<>", "/a?b?c/d", "/%2e%2e/%2E",
    "/?%00%0d%0a", "/" + "x" * 4_000,
]  # fmt: skip
