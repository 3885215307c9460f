"""Taking apart JSON that the typed decoders refuse: unexpected types, unknown values, nesting deeper than they follow.

Slow and without recursion, so that one such object in a list or a stream is set aside instead of stopping the rest. What takes
long is a generator that pauses every few milliseconds of work: `whole` runs it at once, the reflector lets others have a turn.
Used by `codecs.page` after the fast way has failed. Works on valid JSON and reports anything that ends too early.
"""

import re
from collections.abc import Generator, Iterable
from itertools import accumulate
from typing import Final, TypeVar

import msgspec

from podwright.kube.errors import DecodeError

Result = TypeVar("Result")
Steps = Generator[None, None, Result]
"""Work in steps of some milliseconds each."""

_TOKENS_PER_STEP: Final = 5_000
_TOKEN: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],:]|[^\s"{}\[\],:]+|"')
_STRING: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|"', re.DOTALL)
_BYTES_PER_STEP: Final = 1 << 16
_CHANGES: Final = bytes(
    1 if byte in b"{[" else 255 if byte in b"}]" else 0 for byte in range(256)
)  # as signed: by how much
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


def _parts(data: bytes, *, opening: bytes) -> Generator[tuple[str, bytes] | None, None, None]:
    """Yield (key, raw value) of each part of the outermost object or array, in arrays with empty keys; None for a pause."""
    first = _TOKEN.search(data)
    if first is None or first.group() != opening:
        raise DecodeError(f"expected JSON that begins with {opening.decode()!r}")
    key, start, position, number = "", first.end(), first.end(), 0
    while (token := _TOKEN.search(data, position)) is not None and token.group() != _QUOTE:
        number += 1
        if number % _TOKENS_PER_STEP == 0:
            yield None
        character = data[token.start()]
        if character in _OPEN:
            position = yield from _end_of_value(data, token.start())
            continue
        position = token.end()
        if character == _COMMA or character in _CLOSE:
            yield key, data[start : token.start()].strip()
            key, start = "", position
            if character in _CLOSE:
                return
        elif character == _COLON:
            key, start = text_of(data[start : token.start()]), position
    raise DecodeError("the JSON text ends too early")


def _end_of_value(data: bytes, start: int) -> Generator[None, None, int]:
    """Return where the object or array that begins at `start` ends; yields for a pause.

    Brackets are counted between strings, many at once: one by one they would cost a hundred times as much.
    """
    depth, position = 0, start
    for number, string in enumerate(_STRING.finditer(data, start), 1):
        between = data[position : string.start()]
        closed = between.count(b"}") + between.count(b"]")
        if closed < depth and len(between) <= _BYTES_PER_STEP:  # nearly always, so it is done right here
            depth += between.count(b"{") + between.count(b"[") - closed
        else:
            depth, end = yield from _count(data, position, string.start(), depth)
            if end:
                return end
        if string.group() == _QUOTE:
            raise DecodeError("the JSON text ends too early")
        position = string.end()
        if number % _TOKENS_PER_STEP == 0:
            yield
    _, end = yield from _count(data, position, len(data), depth)
    if not end:
        raise DecodeError("the JSON text ends too early")
    return end


def _count(data: bytes, start: int, stop: int, depth: int) -> Generator[None, None, tuple[int, int]]:
    """Count the brackets of a piece without strings; return the depth after it, or where the depth came down to 0."""
    for begin in range(start, stop, _BYTES_PER_STEP):
        end = min(stop, begin + _BYTES_PER_STEP)
        if begin > start:
            yield
        opened = data.count(b"{", begin, end) + data.count(b"[", begin, end)
        closed = data.count(b"}", begin, end) + data.count(b"]", begin, end)
        if closed < depth:
            depth += opened - closed
            continue
        changes = memoryview(data[begin:end].translate(_CHANGES)).cast("b")
        depths = list(accumulate(changes, initial=depth))
        if 0 in depths[1:]:
            return 0, begin + depths.index(0, 1)
        depth = depths[-1]
    return depth, 0
