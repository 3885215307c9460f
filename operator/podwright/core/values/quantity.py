"""Kubernetes quantities: exact decimal or binary numbers, read as fractions and never as floats.

Used for resources that grow and for quotas that are compared. Source: `apimachinery/pkg/api/resource` (k8s.io).
"""

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Final

_QUANTITY: Final = re.compile(
    r"(?P<number>[+-]?(?:[0-9]{1,32}(?:\.[0-9]{0,32})?|\.[0-9]{1,32}))"
    r"(?:(?P<unit>[numkMGTPE]|[KMGTPE]i)|[eE](?P<exponent>[+-]?[0-9]{1,2}))?"
)
UNITS: Final[Mapping[str, Fraction]] = {
    **{unit: Fraction(10) ** (3 * n) for n, unit in enumerate(("n", "u", "m", "", "k", "M", "G", "T", "P", "E"), -3)},
    **{unit: Fraction(1024**n) for n, unit in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)},
}


def parse_quantity(text: str) -> Fraction:
    """Return the number that a quantity such as `128974848`, `500m`, `1.5Gi` or `2e3` stands for.

    Raises:
        ValueError: the text is no quantity.
    """
    match = _QUANTITY.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no quantity: write a number with an optional unit, such as 500m, 2 or 256Mi")
    number = Fraction(match["number"].rstrip("."))
    if match["exponent"] is not None:
        return number * Fraction(10) ** int(match["exponent"])
    return number * UNITS[match["unit"] or ""]
