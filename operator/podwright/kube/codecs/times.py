"""Times on the wire: RFC 3339 in UTC. Durations are read by `core.duration`.

Pure; used by the decoders and encoders of this layer.
"""

import datetime
import functools
from typing import Final

_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def unix_seconds(time: datetime.datetime) -> float:
    """Return an aware time as seconds since the Unix epoch."""
    return time.timestamp()


@functools.lru_cache(maxsize=128)  # most times of a status are that of its write
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
