from __future__ import annotations

import pytest

from podwright.cli.printable import one_line, several_lines, shortened


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


def test_a_long_message_keeps_its_beginning_and_its_end() -> None:
    message = (
        "attempt 1 failed with exit code 3 (Error); retry limit 1 reached; last line of its message: FATAL: disk full"
    )
    shown = shortened(message, limit=80)
    assert shown == "attempt 1 failed with exit…1 reached; last line of its message: FATAL: disk full"
    assert len(shown) == 80
    assert shortened("short", limit=80) == "short"


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
