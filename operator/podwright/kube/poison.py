"""Taking apart JSON that the typed decoders refuse: unexpected types, unknown values, nesting deeper than they follow.

Slow and without recursion, so that one such object in a list or a stream is set aside instead of stopping the rest. What takes
long is a generator that pauses every few milliseconds of work: `whole` runs it at once, the reflector lets others have a turn.
Used by `codecs.page` after the fast way has failed. Works on valid JSON and reports anything that ends too early.
"""

import re
from collections.abc import Generator, Iterable, Iterator
from typing import Final, TypeVar

import msgspec

from podwright.kube.errors import DecodeError

Result = TypeVar("Result")
Steps = Generator[None, None, Result]
"""Work in steps of some milliseconds each."""

_TOKENS_PER_STEP: Final = 5_000
_TOKEN: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],:]|[^\s"{}\[\],:]+|"')
_OPEN: Final = frozenset(b"{[")
_CLOSE: Final = frozenset(b"}]")
_QUOTE: Final = b'"'  # alone: the string that it opens does not end
_COLON: Final = ord(":")
_COMMA: Final = ord(",")


def whole(steps: Steps[Result]) -> Result:
    """Do all steps at once."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: Result = end.value
            return result


def members(data: bytes, wanted: Iterable[str]) -> dict[str, bytes]:
    """Return what `members_in_steps` does, at once."""
    return whole(members_in_steps(data, wanted))


def elements(data: bytes) -> list[bytes]:
    """Return what `elements_in_steps` does, at once."""
    return whole(elements_in_steps(data))


def members_in_steps(data: bytes, wanted: Iterable[str]) -> Steps[dict[str, bytes]]:
    """Return the raw values of the wanted members of a JSON object, and look no further once all are found.

    Raises:
        DecodeError: the text is not an object, or ends before the object does.
    """
    missing = set(wanted)
    found: dict[str, bytes] = {}
    for part in _parts(data, opening=b"{"):
        if part is None:
            yield
            continue
        key, value = part
        if key in missing:
            missing.discard(key)
            found[key] = value
            if not missing:
                break
    return found


def elements_in_steps(data: bytes) -> Steps[list[bytes]]:
    """Return the raw elements of a JSON array.

    Raises:
        DecodeError: the text is not an array, or ends before the array does.
    """
    found: list[bytes] = []
    for part in _parts(data, opening=b"["):
        if part is None:
            yield
        elif part[1]:
            found.append(part[1])
    return found


def text_of(data: bytes | None) -> str:
    """Return a raw JSON value as text: a string's content, nothing for null and for what is not there."""
    if data is None:
        return ""
    try:
        value = msgspec.json.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return ""
    return value if isinstance(value, str) else ""


def _parts(data: bytes, *, opening: bytes) -> Iterator[tuple[str, bytes] | None]:
    """Yield (key, raw value) of each part of the outermost object or array, in arrays with empty keys; None for a pause."""
    depth, key, start = 0, "", 0
    for number, token in enumerate(_TOKEN.finditer(data), 1):
        if number % _TOKENS_PER_STEP == 0:
            yield None
        if token.group() == _QUOTE:
            break
        first = data[token.start()]
        if depth == 0:
            if token.group() != opening:
                raise DecodeError(f"expected JSON that begins with {opening.decode()!r}")
            depth, start = 1, token.end()
            continue
        if depth == 1 and (first == _COMMA or first in _CLOSE):
            yield key, data[start : token.start()].strip()
            key, start = "", token.end()
        elif depth == 1 and first == _COLON:
            key, start = text_of(data[start : token.start()]), token.end()
        if first in _OPEN:
            depth += 1
        elif first in _CLOSE:
            depth -= 1
            if depth == 0:
                return
    raise DecodeError("the JSON text ends too early")
