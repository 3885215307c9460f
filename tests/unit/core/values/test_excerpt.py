"""The end of a message that is too long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.core.values.excerpt import last_line, tail


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("short\n", "short"),
        ("", ""),
        ("a" * 30, "… " + "a" * 18),
        ("first line\nsecond line", "… second line"),
        ("x" * 30 + "\nend", "… " + "x" * 14 + "\nend"),
        ("世界" * 20, "… " + "世界" * 9),
    ],
    ids=[
        "U26 newline",
        "empty",
        "B6 no line near",
        "B6 whole lines",
        "B6 a line's end is far",
        "B6 multi-byte letters",
    ],
)
def test_tail(text: str, want: str) -> None:
    assert tail(text, limit=20) == want


@given(st.text(max_size=60))
def test_never_too_long(text: str) -> None:
    assert len(tail(text, limit=20)) <= 20


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param("frame 1\nframe 2\nFATAL disk\n\n", "FATAL disk", id="B6 the last line"),
        pytest.param("", "", id="B6 none"),
        pytest.param(" \n\t\n", "", id="B6 blank"),
        pytest.param("a\tb", "a b", id="B6 a tab"),
        pytest.param("x\n" + "y" * 30, "… " + "y" * 18, id="B6 a long one"),
    ],
)
def test_last_line(text: str, want: str) -> None:
    assert last_line(text, limit=20) == want
