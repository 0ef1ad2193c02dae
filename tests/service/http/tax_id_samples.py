"""A tax id of each type and country, as it is published."""

from pathlib import Path

# A line for each type and country: the type, the country or `-`, a number.
SAMPLES = [
    (type, None if country == "-" else country, value)
    for type, country, value in (
        line.split(maxsplit=2)
        for line in Path(__file__).with_name("tax_id_samples.txt").read_text("utf-8").splitlines()
    )
]
