"""Templates such as kubectl's `-o jsonpath='{.items[*].metadata.name}'`. Pure.

What kubectl documents, but for recursive descent and filters: fields, indexes, slices, `[*]`, `range` and `end`, and quoted text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from podwright.cli.errors import MisuseError

_STEP: Final = re.compile(
    r"\.(?P<name>(?:\\.|[^.\[\]\s\\])+)|\[(?:'(?P<quoted>[^']*)'|(?P<star>\*)|(?P<index>-?[0-9]+)"
    r"|(?P<start>-?[0-9]*):(?P<end>-?[0-9]*))\]"
)
_PART: Final = re.compile(r"""\{((?:"(?:\\.|[^"\\])*"|'[^']*'|[^{}"'])*)\}""")


@dataclass
class _Range:
    path: str
    parts: list[str | _Path | _Range] = field(default_factory=list)


@dataclass(frozen=True)
class _Path:
    text: str


def evaluate(template: str, value: Any) -> str:
    """Fill a template from an object.

    Raises:
        CommandError: it is malformed.
    """
    return "".join(_render(_parse(template), value, value))


def select(path: str, value: Any) -> list[Any]:
    """Return what a path such as `.status.startTime` finds.

    Raises:
        CommandError: it is malformed.
    """
    text = path.strip().removeprefix("$").removeprefix("@")
    found, position = [value], 0
    while position < len(text):
        match = _STEP.match(text, position)
        if match is None:
            raise MisuseError(
                f"{path!r} is not a JSON path that podwright knows.",
                remedy="Examples: {.status.phase}, {.items[*].metadata.name}, {.metadata.labels['team']}",
            )
        found = [each for every in found for each in _step(every, match)]
        position = match.end()
    return found


def _step(value: Any, match: re.Match[str]) -> Sequence[Any]:
    name = match["name"] if match["name"] is not None else match["quoted"]
    if name is not None:
        name = re.sub(r"\\(.)", r"\1", name)
        return [value[name]] if isinstance(value, dict) and name in value else []
    if match["star"]:
        return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    if not isinstance(value, list):
        return []
    if match["index"] is not None:
        position = int(match["index"])
        return [value[position]] if -len(value) <= position < len(value) else []
    return value[int(match["start"]) if match["start"] else None : int(match["end"]) if match["end"] else None]


def _parse(template: str) -> list[str | _Path | _Range]:
    text = template if "{" in template else f"{{{template}}}"
    stack: list[list[str | _Path | _Range]] = [[]]
    position = 0
    for match in _PART.finditer(text):
        stack[-1].append(text[position : match.start()])
        position, part = match.end(), match[1].strip()
        if part.startswith("range "):
            inner = _Range(part[6:])
            stack[-1].append(inner)
            stack.append(inner.parts)
        elif part == "end":
            if len(stack) == 1:
                raise MisuseError(f"The JSON path {template!r} has an end without a range.")
            stack.pop()
        else:
            stack[-1].append(_literal(part, template) if part[:1] in ("'", '"') else _Path(part))
    if len(stack) > 1 or "{" in text[position:]:
        raise MisuseError(f"The JSON path {template!r} is not closed.")
    stack[-1].append(text[position:])
    return stack[0]


def _literal(part: str, template: str) -> str:
    if part.startswith("'"):
        return part[1:-1]
    try:
        return str(json.loads(part))
    except ValueError as error:
        raise MisuseError(f"The text {part} in the JSON path {template!r} is malformed.") from error


def _render(parts: list[str | _Path | _Range], value: Any, root: Any) -> Iterator[str]:
    for part in parts:
        if isinstance(part, str):
            yield part
        elif isinstance(part, _Path):
            found = select(part.text, root if part.text.strip().startswith("$") else value)
            yield " ".join(_shown(each) for each in found)
        else:
            for each in select(part.path, value):
                yield from _render(part.parts, each, root)


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
