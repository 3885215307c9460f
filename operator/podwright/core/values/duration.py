"""Durations as they are written: the Gateway API's format (GEP-2257), in specs and in what tasks report."""

import functools
import re
from typing import Final

_DURATION: Final = re.compile(r"(?:[0-9]{1,5}(?:h|m|s|ms)){1,4}")
_PART: Final = re.compile(r"([0-9]+)(ms|h|m|s)")
_MILLISECONDS: Final = {"h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}


@functools.lru_cache(maxsize=512)
def parse_duration(text: str) -> float:
    """Read a duration such as `90s`, `1h30m` or `500ms` as seconds.

    The format is GEP-2257: one to four numbers of at most five digits, each with the unit h, m, s or ms.

    Raises:
        ValueError: the text is not of that format.
    """
    if _DURATION.fullmatch(text) is None:
        raise ValueError(f"{text!r} is no duration: write numbers with the units h, m, s or ms, such as 1h30m")
    return sum(int(number) * _MILLISECONDS[unit] for number, unit in _PART.findall(text)) / 1000
