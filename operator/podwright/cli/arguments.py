"""Values of options that several verbs take, with the option's name in what is said of a wrong one. Pure."""

from __future__ import annotations

from podwright.cli.errors import MisuseError
from podwright.cli.times import duration_field, parse_moment, parse_span


def seconds_option(text: str, *, option: str) -> float | None:
    """Read a duration as seconds; None if there is none.

    Raises:
        MisuseError: it is none.
    """
    if not text:
        return None
    try:
        return parse_span(text)
    except ValueError as error:
        raise MisuseError(f"{option}: {error}.") from error


def field_option(text: str, *, option: str) -> str | None:
    """Read a duration for a field of a job's spec; None if there is none.

    Raises:
        MisuseError: it is none.
    """
    if not text:
        return None
    try:
        return duration_field(text)
    except ValueError as error:
        raise MisuseError(f"{option}: {error}.") from error


def moment_option(text: str, *, option: str, now: float) -> str | None:
    """Read a time for a field of a job's spec; None if there is none.

    Raises:
        MisuseError: it is none.
    """
    if not text:
        return None
    try:
        return parse_moment(text, now=now)
    except (ValueError, OverflowError) as error:
        raise MisuseError(f"{option}: {error}.") from error
