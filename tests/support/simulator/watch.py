"""Watch streams: the events of one kind from a revision on, as lines of JSON."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import msgspec

from tests.support.simulator.errors import expired
from tests.support.simulator.kinds import Kind
from tests.support.simulator.selectors import Predicate
from tests.support.simulator.storage import Event, EventType, Stored, Table

Encode = Callable[[Stored], bytes]

_BATCH: Final = 500
_INITIAL_END: Final = {"annotations": {"k8s.io/initial-events-end": "true"}}


class WatchRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a client asked to watch. `after` is a revision, or None to begin with all that is stored."""

    kind: Kind
    namespace: str
    predicate: Predicate | None
    after: int | None
    announce_initial_end: bool
    bookmarks: bool
    bookmark_seconds: float
    timeout_seconds: float


async def stream(
    table: Table, request: WatchRequest, *, latest: Callable[[], int], encode: Encode
) -> AsyncIterator[bytes]:
    """Yield chunks of whole lines until the timeout, or until the history was forgotten under the reader."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + request.timeout_seconds
    next_bookmark = loop.time() + request.bookmark_seconds
    if request.after is None:
        position: int | None = table.end
        yield b"".join(_line(EventType.ADDED, encode(stored)) for stored in _selected(table, request))
        if request.announce_initial_end:
            yield _bookmark(request.kind, latest(), _INITIAL_END)
    else:
        position = table.position_after(request.after)
    after = request.after or 0
    while position is not None:
        events = table.since(position)
        if events is None:
            break
        lines = []
        for _, event in zip(range(_BATCH), events, strict=False):
            position += 1
            if event.revision > after and (line := _told(event, request, encode)):
                lines.append(line)
        if lines:
            yield b"".join(lines)
        now = loop.time()
        if now >= deadline:
            return
        if request.bookmarks and now >= next_bookmark:
            next_bookmark = now + request.bookmark_seconds
            yield _bookmark(request.kind, latest(), {})
        if position >= table.end:
            await table.wait(min(deadline, next_bookmark if request.bookmarks else deadline) - now)
        else:
            await asyncio.sleep(0)
    gone = expired(f"too old resource version: {request.after} ({table.compacted})")
    yield _line("ERROR", msgspec.json.encode(gone.status()))


def _selected(table: Table, request: WatchRequest) -> list[Stored]:
    return [
        stored
        for key, stored in sorted(table.objects.items())
        if request.namespace in ("", key.namespace)
        and (request.predicate is None or request.predicate(stored.document))
    ]


def _told(event: Event, request: WatchRequest, encode: Encode) -> bytes | None:
    """Return the event as this reader sees it: what enters or leaves the selection is added or deleted for it."""
    if request.namespace not in ("", event.key.namespace):
        return None
    told = event.type
    if request.predicate is not None:
        after = event.type is not EventType.DELETED and request.predicate(event.current.document)
        before = event.previous is not None and request.predicate(event.previous.document)
        if not after and not before:
            return None
        if not after:
            told = EventType.DELETED
            if event.type is EventType.MODIFIED and event.previous is not None:
                # What leaves the selection is told as it last was in it, under the new revision.
                document = event.previous.document
                document = {**document, "metadata": {**document["metadata"], "resourceVersion": str(event.revision)}}
                left = Stored(document, msgspec.json.encode(document), event.revision)
                return _line(told, encode(left))
        elif not before:
            told = EventType.ADDED
    return _line(told, encode(event.current))


def _line(told: str, encoded: bytes) -> bytes:
    return b'{"type":"' + told.encode() + b'","object":' + encoded + b"}\n"


def _bookmark(kind: Kind, revision: int, metadata: dict[str, Any]) -> bytes:
    metadata = {"resourceVersion": str(revision), **metadata}
    bookmark = {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": metadata}
    return _line("BOOKMARK", msgspec.json.encode(bookmark))
