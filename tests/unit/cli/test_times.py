from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.cli.times import duration_field, parse_moment, parse_span, seconds_of, span

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = 1_795_000_000.0  # 2026-11-18T11:06:40Z


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The reader lives two hours east of Greenwich."""
    import time

    monkeypatch.setenv("TZ", "XXX-2")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("1h30m", 5400), ("7d", 604_800), ("2w", 1_209_600), ("500ms", 0.5), ("0s", 0)]
)
def test_parse_span(text: str, seconds: float) -> None:
    assert parse_span(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "7", "d", "1.5h", "-1s", "1h 30m", "1y", "٣s", "9" * 400 + "s"])
def test_what_is_no_span(text: str) -> None:
    with pytest.raises(ValueError, match="invalid duration"):
        parse_span(text)


@pytest.mark.parametrize("text", ["10m", "90s", "2d", "1d30m", "1w2d3h4m5s500ms"])
def test_u16_a_field_takes_what_people_type(text: str) -> None:
    assert duration_field(text) == text


def test_a_duration_that_no_field_takes_is_refused() -> None:
    with pytest.raises(ValueError, match="invalid duration"):
        duration_field("99999w")


@pytest.mark.usefixtures("zone")
@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("+10m", "2026-11-18T11:16:40Z"),
        ("2026-11-22T08:00:00Z", "2026-11-22T08:00:00Z"),
        ("2026-11-22T08:00:00+01:00", "2026-11-22T07:00:00Z"),
        ("2026-11-22 08:00", "2026-11-22T06:00:00Z"),
        ("2026-11-22", "2026-11-21T22:00:00Z"),
    ],
)
def test_parse_moment(text: str, moment: str) -> None:
    assert parse_moment(text, now=NOW) == moment


@pytest.mark.parametrize("text", ["", "tomorrow", "08:00", "2026-13-01", "+soon"])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(ValueError, match=r"invalid (time|duration)"):
        parse_moment(text, now=NOW)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-5, "0s"), (0, "0s"), (119, "119s"), (120, "2m"), (599, "9m59s"), (600, "10m"), (10_799, "179m"),
        (10_800, "3h"), (11_400, "3h10m"), (28_800, "8h"), (172_800, "2d"), (180_000, "2d2h"), (691_200, "8d"),
        (63_072_000, "2y"), (64_000_000, "2y10d"),
    ],
)  # fmt: skip
def test_span(seconds: float, shown: str) -> None:
    assert span(seconds) == shown


@given(st.floats(0, 10**10))
def test_a_span_is_short_whatever_it_is(seconds: float) -> None:
    assert re.fullmatch(r"[0-9]+[smhdy]([0-9]+[smhd])?", span(seconds))


@pytest.mark.parametrize("value", [None, 3, "", "soon", "2026-11-22T08:00:00"])
def test_what_is_no_time_of_the_api_is_none(value: object) -> None:
    assert seconds_of(value) is None
