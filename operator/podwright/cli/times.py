"""Times and durations as people write and read them: `90s`, `7d`, `+10m`, `5m30s ago`. Pure: the present is an argument."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from podwright.core.values.duration import parse_duration
from podwright.kube.codecs.times import format_time

_CLOCK: Final = re.compile(r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?")


def parse_span(text: str) -> float:
    """Read a duration such as `90s`, `1h30m` or `7d` as seconds.

    Raises:
        ValueError: it is none; the message says how one is written.
    """
    return parse_duration(text)


def duration_field(text: str) -> str:
    """Return a duration as the fields of a job's spec take it, which is as people write it.

    Raises:
        ValueError: it is none.
    """
    parse_duration(text)
    return text


def parse_moment(text: str, *, now: float) -> str:
    """Read a time: `+10m` from now, `2026-11-22T08:00:00Z`, or a local time such as `2026-11-22 08:00`.

    Gives it in RFC 3339, as the API takes it.

    Raises:
        ValueError: it is no time.
    """
    if text.startswith("+"):
        return format_time(float(round(now + parse_span(text[1:]))))
    try:
        if _CLOCK.fullmatch(text):
            raise ValueError
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"invalid time {text!r}: write +10m (from now), 2026-11-22T08:00:00Z, or a local time such as '2026-11-22 08:00'"
        ) from None
    # A time without a zone is the reader's own, as in every other program of a shell.
    return format_time(moment.astimezone(UTC).timestamp())


def seconds_of(timestamp: Any) -> float | None:
    """Read a time of an API object as Unix seconds; None if there is none that makes sense."""
    if not isinstance(timestamp, str):
        return None
    try:
        moment = datetime.fromisoformat(timestamp)
    except ValueError:
        return None
    return moment.timestamp() if moment.tzinfo is not None else None


def span(seconds: float) -> str:
    """Write a duration the way kubectl writes ages: two units at most, fewer for long ones."""
    whole = max(0, int(seconds))
    minutes, hours, days = whole // 60, whole // 3600, whole // 86_400
    if whole < 120:
        return f"{whole}s"
    if minutes < 10:
        return _two(minutes, "m", whole % 60, "s")
    if hours < 3:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _two(days, "d", hours % 24, "h")
    return f"{days}d" if days < 730 else _two(days // 365, "y", days % 365, "d")


def local(seconds: float) -> str:
    """Write a time with the offset of the reader's zone, to the second."""
    moment = datetime.fromtimestamp(0, UTC) + timedelta(seconds=int(seconds))
    return moment.astimezone().isoformat(sep=" ")


def _two(first: int, unit: str, second: int, smaller: str) -> str:
    return f"{first}{unit}{second}{smaller}" if second else f"{first}{unit}"
