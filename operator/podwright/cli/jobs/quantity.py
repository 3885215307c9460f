"""Quantities as Kubernetes writes them: `500m`, `1.5`, `2Gi`. Pure."""

from __future__ import annotations

import difflib
import re
from typing import Final

# Kubernetes: "Quantity" of apimachinery. Signs are left out, since no resource may be negative.
_QUANTITY: Final = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?P<suffix>[A-Za-z]*|[eE][+-]?[0-9]+)")
_SUFFIXES: Final = ("", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_MEANT: Final = {
    "b": "",
    "kb": "k",
    "mb": "M",
    "gb": "G",
    "tb": "T",
    "kib": "Ki",
    "mib": "Mi",
    "gib": "Gi",
    "tib": "Ti",
}


def quantity_problem(text: str) -> str:
    """Return what is wrong with a quantity, "" if nothing is."""
    match = _QUANTITY.fullmatch(text)
    suffix = match["suffix"] if match else ""
    if match and (suffix in _SUFFIXES or (suffix[:1] in "eE" and suffix[1:].lstrip("+-").isdigit())):
        return ""
    example = "write a number with a unit such as m, Mi or Gi: 500m, 256Mi, 2Gi"
    if match:
        lower = suffix.lower()
        meant = [_MEANT[lower]] if lower in _MEANT else difflib.get_close_matches(suffix, _SUFFIXES, n=1, cutoff=0.5)
        if meant and meant[0] != suffix:
            return f"invalid quantity {text!r}: unknown unit {suffix}; did you mean {match['number']}{meant[0]}?"
    return f"invalid quantity {text!r}: {example}"
