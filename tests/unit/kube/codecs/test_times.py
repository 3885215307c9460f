import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.kube.codecs.times import format_micro_time, format_time, unix_seconds


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
