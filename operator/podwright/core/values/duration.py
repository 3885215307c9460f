"""Durations as they are written everywhere: in specs, on the command line, and in what tasks report.

The one grammar: one to six numbers of at most five digits, each with a unit, such as `90s`, `1h30m`, `7d` or `1w2d3h4m5s500ms`.
It holds the format of the Gateway API (GEP-2257), and days of 24 hours and weeks of seven days besides.
"""

import functools
import re
from typing import Final

PATTERN: Final = "([0-9]{1,4}w|[0-9]{1,5}(d|h|m|s|ms)){1,6}"
"""The grammar as a regular expression, for a whole text. No duration can carry a time beyond the year 9999."""
LONGEST_TEXT: Final = 42
HELP: Final = "such as 90s, 1h30m or 7d (units w, d, h, m, s and ms; at most 5 digits each)"

MILLISECONDS: Final = {"w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_DURATION: Final = re.compile(PATTERN)
_PART: Final = re.compile(r"([0-9]+)(ms|[wdhms])")


@functools.lru_cache(maxsize=512)
def parse_duration(text: str) -> float:
    """Read a duration as seconds.

    Raises:
        ValueError: the text is not of that format.
    """
    if _DURATION.fullmatch(text) is None:
        raise ValueError(f"invalid duration {text!r:.64}: write numbers with units, {HELP}")
    return sum(int(number) * MILLISECONDS[unit] for number, unit in _PART.findall(text)) / 1000


def format_duration(seconds: float) -> str:
    """Write a span of time in its two greatest units, such as `42s`, `5m30s` or `3d4h`; what is less is left out."""
    rest = max(0, int(seconds)) * 1000
    parts: list[str] = []
    for unit in ("d", "h", "m", "s"):
        number, rest = divmod(rest, MILLISECONDS[unit])
        if number or parts:
            parts.append(f"{number}{unit}" if number else "")
    return "".join(parts[:2]) or "0s"
