import pytest

from podwright.core.values.duration import parse_duration


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
