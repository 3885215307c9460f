"""Times and durations on the wire: RFC 3339 in UTC, and the Gateway API's duration format (GEP-2257).

Pure; used by the decoders and encoders of this layer.
"""

import datetime
import functools
import re
from typing import Final

_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_DURATION: Final = re.compile(r"(?:[0-9]{1,5}(?:h|m|s|ms)){1,4}")
_PART: Final = re.compile(r"([0-9]+)(ms|h|m|s)")
_MILLISECONDS: Final = {"h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}


def unix_seconds(time: datetime.datetime) -> float:
    """Give an aware time as seconds since the Unix epoch."""
    return (time - _EPOCH).total_seconds()


def format_time(seconds: float) -> str:
    """Write Unix seconds as `2026-11-21T05:34:49Z`, rounded to milliseconds, which are shown only if there are any.

    Raises:
        OverflowError: the time is not within the years 1 to 9999.
    """
    milliseconds = round(seconds * 1000)
    text = (_EPOCH + datetime.timedelta(milliseconds=milliseconds)).isoformat(timespec="milliseconds")
    return (text[:-6] if milliseconds % 1000 else text[:-10]) + "Z"


def format_micro_time(seconds: float) -> str:
    """Write Unix seconds as a `metav1.MicroTime`, which must have exactly six decimals."""
    time = _EPOCH + datetime.timedelta(microseconds=round(seconds * 1_000_000))
    return time.isoformat(timespec="microseconds")[:-6] + "Z"


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
