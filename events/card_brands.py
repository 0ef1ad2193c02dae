"""Brands of cards, by the ranges that their numbers begin in (ISO/IEC 7812-1 assigns them)."""

RANGES = (
    ("amex", ((34, 34), (37, 37))),
    ("diners", ((300, 305), (36, 36), (38, 39))),
    ("jcb", ((3528, 3589),)),
    ("visa", ((4, 4),)),
    ("mastercard", ((51, 55), (2221, 2720))),
    ("discover", ((6011, 6011), (644, 649), (65, 65))),
    ("unionpay", ((62, 62), (81, 81))),
)
DIGITS_OF = {
    "amex": (15,),
    "diners": range(14, 20),
    "jcb": range(16, 20),
    "visa": (13, 16, 19),
    "mastercard": (16,),
    "discover": range(16, 20),
    "unionpay": range(16, 20),
}


def brand_of(number: str) -> str:
    """The brand of a card, by what its number begins with."""
    for brand, ranges in RANGES:
        if any(low <= int(number[: len(str(low))]) <= high for low, high in ranges):
            return brand
    return "unknown"


def of_some_brand(number: str) -> bool:
    """Whether digits begin as a brand's numbers do, and are as many; those of debit cards begin with 5 or 6."""
    brand = brand_of(number)
    return len(number) in (range(16, 20) if brand == "unknown" and number[0] in "56" else DIGITS_OF.get(brand, ()))
