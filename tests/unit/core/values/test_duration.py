"""One grammar of durations, for specs, tasks and the command line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.core.values.duration import LONGEST_TEXT, format_duration, parse_duration


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
        pytest.param("7d", 604_800.0, id="U16 days"),
        pytest.param("1w2d3h4m5s500ms", 788_645.5, id="U16 all units"),
        pytest.param("9999w", 6_047_395_200.0, id="U16 the most weeks"),
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
        "1h1m1s1ms1s1m1h",
        "10000w",
        "1y",
        "1µs",
        "\uff11s",
        "1 s",
    ],
)
def test_malformed_duration(text: str) -> None:
    with pytest.raises(ValueError, match="invalid duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0s"),
        (0.9, "0s"),
        (42.5, "42s"),
        (60, "1m"),
        (330, "5m30s"),
        (7200, "2h"),
        (7259, "2h"),
        (3_661, "1h1m"),
        (100_000, "1d3h"),
    ],
)
def test_how_long_it_took(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.floats(0, 1e9))
def test_what_is_written_can_be_read_and_is_never_more(seconds: float) -> None:
    text = format_duration(seconds)
    assert len(text) <= LONGEST_TEXT
    assert parse_duration(text) <= seconds
