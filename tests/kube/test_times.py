import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.kube.times import format_micro_time, format_time, parse_duration, unix_seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0s", 0.0),
        ("10s", 10.0),
        ("6m", 360.0),
        ("1h30m", 5400.0),
        ("500ms", 0.5),
        ("1h1m1s1ms", 3661.001),
        ("99999h", 359_996_400.0),
        ("1m1m", 120.0),
        ("00001s", 1.0),
    ],
)
def test_duration(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10",
        "s",
        "1.5h",
        "-1s",
        "+1s",
        " 1s",
        "1s ",
        "1s\n",
        "100000s",
        "1h1m1s1ms1s",
        "1d",
        "1µs",
        "\uff11s",
        "1 s",
    ],
)
def test_malformed_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "1970-01-01T00:00:00Z"),
        (1_700_000_000.0, "2023-11-14T22:13:20Z"),
        (1_700_000_000.5, "2023-11-14T22:13:20.500Z"),
        (1_700_000_000.001, "2023-11-14T22:13:20.001Z"),
        (1_700_000_000.0004, "2023-11-14T22:13:20Z"),
        (1_699_999_999.9996, "2023-11-14T22:13:20Z"),
    ],
)
def test_time(seconds: float, text: str) -> None:
    assert format_time(seconds) == text


def test_micro_time_always_has_six_decimals() -> None:
    assert format_micro_time(1_700_000_000.0) == "2023-11-14T22:13:20.000000Z"
    assert format_micro_time(1_700_000_000.123456) == "2023-11-14T22:13:20.123456Z"


@given(st.integers(min_value=-62_135_596_800_000, max_value=253_402_300_799_999))
def test_milliseconds_survive_the_wire(milliseconds: int) -> None:
    seconds = milliseconds / 1000
    assert unix_seconds(datetime.datetime.fromisoformat(format_time(seconds))) == seconds


def test_time_beyond_the_calendar() -> None:
    with pytest.raises(OverflowError):
        format_time(1e12)
