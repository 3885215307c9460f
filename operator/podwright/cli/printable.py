"""Text from the cluster, made safe for a terminal. A job's words come from whoever wrote its program.

Used for everything that is printed and not JSON or YAML, whose writers escape by themselves. Pure.
"""

from __future__ import annotations

import re
from typing import Final

_ESCAPES: Final = re.compile(
    # ECMA-48: control sequences (CSI), then strings (OSC, DCS, SOS, PM, APC) up to their end, then single escapes.
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
)


def one_line(text: object) -> str:
    """Return a text on one line, without what could steer a terminal."""
    return " ".join(_visible(line) for line in _without_escapes(str(text)).split())


def several_lines(text: str) -> str:
    """Return a text with its line breaks and tabs, without what else could steer a terminal."""
    unified = _without_escapes(text).replace("\r\n", "\n").replace("\r", "\n")
    return "".join(part if part in "\n\t" else _visible(part) for part in re.split(r"([\n\t])", unified))


def shortened(text: str, *, limit: int) -> str:
    """Return a text of at most `limit` characters, cut out of the middle: messages begin with what failed and end with why."""
    if len(text) <= limit:
        return text
    head = (limit - 1) // 3
    return f"{text[:head].rstrip()}…{text[head + 1 - limit :].lstrip()}"


def _without_escapes(text: str) -> str:
    return _ESCAPES.sub("", text)


def _visible(text: str) -> str:
    return text if text.isprintable() else "".join(character for character in text if character.isprintable())
