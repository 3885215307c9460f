"""The simulator's etcd: versions of objects under one counter of revisions, and the log of events that watches read.

Used by `api` only. Stored documents are shared and never changed: a new version is a new document.
"""

import asyncio
import enum
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import msgspec

Document = dict[str, Any]

encode: Final = msgspec.json.Encoder().encode


class Key(NamedTuple):
    """The place of an object among its kind; the namespace of a cluster-scoped one is empty."""

    namespace: str
    name: str


class Stored(msgspec.Struct, frozen=True, gc=False):
    """One version of one object, with its JSON."""

    document: Document
    encoded: bytes
    revision: int


class EventType(enum.StrEnum):
    """What a watch says of a version."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


class Event(msgspec.Struct, frozen=True, gc=False):
    """One step in the life of an object. A deletion's `current` is the last version under the deletion's revision."""

    type: EventType
    key: Key
    current: Stored
    previous: Stored | None

    @property
    def revision(self) -> int:
        """The revision that this step made."""
        return self.current.revision


class Table:
    """All objects of one kind, and the recent part of their history."""

    def __init__(self, revisions: "Revisions", *, history: int) -> None:
        self._revisions = revisions
        self._history = history
        self.objects: dict[Key, Stored] = {}
        self.log: deque[Event] = deque()
        self.first = 0  # position of log[0] in the whole history
        self.compacted = 0  # revision up to which the history is forgotten
        self._woken: list[asyncio.Future[None]] = []
        self.listeners: list[Callable[[Event], None]] = []

    def put(self, key: Key, document: Document) -> Stored:
        """Store a new version; its resourceVersion is written into a copy of its metadata."""
        previous = self.objects.get(key)
        stored = self._version(document)
        self.objects[key] = stored
        self._log(Event(EventType.MODIFIED if previous else EventType.ADDED, key, stored, previous))
        return stored

    def remove(self, key: Key) -> Stored:
        """Forget an object; watches see its last stored version under a new revision."""
        previous = self.objects.pop(key)
        stored = self._version(previous.document)
        self._log(Event(EventType.DELETED, key, stored, previous))
        return stored

    def compact(self, revision: int | None = None) -> None:
        """Forget the history up to a revision, or all of it: watches from before get 410."""
        revision = self._revisions.last if revision is None else revision
        while self.log and self.log[0].revision <= revision:
            self.log.popleft()
            self.first += 1
        self.compacted = max(self.compacted, revision)

    def since(self, position: int) -> Iterator[Event] | None:
        """Return the events from a position of the history on, or None if some of them are forgotten."""
        if position < self.first:
            return None
        log = self.log
        return (log[i] for i in range(position - self.first, len(log)))

    @property
    def end(self) -> int:
        """The position after the last event."""
        return self.first + len(self.log)

    def position_after(self, revision: int) -> int | None:
        """Return the position of the first event after a revision, or None if that is forgotten."""
        if revision < self.compacted:
            return None
        later = 0
        for event in reversed(self.log):
            if event.revision <= revision:
                break
            later += 1
        return self.end - later

    async def wait(self, seconds: float) -> None:
        """Return at the next event, or after `seconds`."""
        woken = asyncio.get_running_loop().create_future()
        self._woken.append(woken)
        await asyncio.wait((woken,), timeout=seconds)
        if not woken.done():
            self._woken.remove(woken)

    def wake(self) -> None:
        """Let the watches look again."""
        for woken in self._woken:
            if not woken.done():
                woken.set_result(None)
        self._woken.clear()

    def _version(self, document: Document) -> Stored:
        revision = self._revisions.take()
        document = {**document, "metadata": {**document["metadata"], "resourceVersion": str(revision)}}
        return Stored(document, encode(document), revision)

    def _log(self, event: Event) -> None:
        self.log.append(event)
        if len(self.log) > self._history:
            self.compacted = self.log.popleft().revision
            self.first += 1
        if self._woken:
            self.wake()
        for listener in self.listeners:
            listener(event)


class Revisions:
    """The one counter that orders all writes."""

    def __init__(self) -> None:
        self.last = 1

    def take(self) -> int:
        """Return the next revision."""
        self.last += 1
        return self.last
