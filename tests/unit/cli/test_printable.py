from __future__ import annotations

import pytest

from podwright.cli.printable import one_line, several_lines


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("two\nlines\tand more", "two lines and more"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b31mred", "red"),
        ("\x1bcreset", "reset"),
        ("bell\x07 back\x08space", "bell backspace"),
        ("\u202eevil\u2066", "evil"),
        ("[bold]no markup[/bold]", "[bold]no markup[/bold]"),
        ("ümläut 日本", "ümläut 日本"),
        ("\x1b[", ""),
        ("\x1b]0;never ends", ""),
    ],
)
def test_one_line(text: str, shown: str) -> None:
    assert one_line(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\n\tb\n", "a\n\tb\n"),
        ("10%\r50%\r\ndone", "10%\n50%\ndone"),
        ("a\x1b[2J\x1b[Hb", "ab"),
        ("x\x00y", "xy"),
    ],
)
def test_several_lines(text: str, shown: str) -> None:
    assert several_lines(text) == shown
