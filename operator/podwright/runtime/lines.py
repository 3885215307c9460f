"""Who may ask for a child although children are refused: those who wait for the same cause stand in one line of their namespace.

Without this each object would ask again and again, and 500 that can't be helped would take as much of the API server as 500 that
can. Here an object asks once by itself; a refusal that may pass puts it into the line of its cause, whose head asks for all of them
(`runtime.line`, and `runtime.quota` for quota). No line waits for another's turn, but the more lines a namespace has, the longer each
pauses between its requests. Used by the engine, the dispatcher
and what takes responses in; it sends nothing.
"""

from collections.abc import Callable
from itertools import islice
from typing import Final

import msgspec

from podwright.core.constants.reasons import Reason
from podwright.core.values.ref import Ref
from podwright.runtime.line import Line
from podwright.runtime.quota import QuotaLine

QUOTA: Final = str(Reason.QUOTA_EXCEEDED)
Wake = Callable[[Ref, float], None]


class _Key(msgspec.Struct, frozen=True, gc=False):
    """A line: the cause of a refusal, in a namespace."""

    namespace: str
    cause: str


class Lines:
    """All lines. `wake` asks for an object to be reconciled at a time (Unix seconds)."""

    def __init__(self, *, wake: Wake) -> None:
        self._wake = wake
        self._lines: dict[str, dict[str, Line]] = {}
        self._keys: dict[Ref, _Key] = {}
        self._asked: dict[tuple[str, str], _Key] = {}

    def granted(self, of: Ref, *, cause: str, namespace: str, now: float) -> int | None:
        """Return how many children an object may ask for, 0 if it is not its turn; None if it waits for no `cause` ("").

        It stands in the line of that cause afterwards.
        """
        key = self._keys.get(of)
        if key is None and not cause:
            return None
        if key is None or key.cause != cause:
            self.leave(of, now=now)
            if not cause:
                return None
            key = self._join(of, _Key(namespace, cause))
        line = self._line(key)
        places = line.places(now)
        return places if of in islice(line.waiting, places) else 0

    def next_at(self, of: Ref, *, now: float) -> float | None:
        """Return when it is an object's turn to find out whether its cause has passed, None if it will be woken."""
        key = self._keys.get(of)
        if key is None:
            return None
        line = self._line(key)
        return None if line.asked or next(iter(line.waiting)) != of else line.next_at(now)

    def begin(self, of: Ref, name: str, *, now: float) -> bool:
        """Record that a child is about to be asked for; False if it must not be."""
        key = self._keys.get(of)
        if key is None:
            return True
        line = self._line(key)
        if not line.places(now):
            return False
        line.begin(name, now)
        self._asked[key.namespace, name] = key
        return True

    def let_in(self, of: Ref, name: str, *, namespace: str, now: float) -> None:
        """Record that a child was created. The object leaves when it is reconciled and asks for no more."""
        if namespace not in self._lines:
            return  # as almost always
        # Also of those who were not refused: that quota was free for them counts.
        key = self._asked.pop((namespace, name), None) or self._keys.get(of) or _Key(namespace, QUOTA)
        line = self._lines.get(key.namespace, {}).get(key.cause)
        if line is None:
            return
        line.let_in(name, now)
        if of in line.waiting:
            line.join(of)
        self._go_on(key, line, now)

    def refused(self, of: Ref, name: str, *, cause: str, namespace: str, now: float) -> None:
        """Record that a child was refused, for a cause that may pass."""
        key = _Key(namespace, cause)
        asked = self._asked.pop((namespace, name), None)
        if asked is not None and asked != key:
            former = self._line(asked)
            former.refuse_otherwise(name, now, lines=len(self._lines[namespace]))
            self._go_on(asked, former, now)
        if self._keys.get(of) != key:
            self.leave(of, now=now)
            self._join(of, key)
        line = self._line(key)
        line.refuse(name, now, lines=len(self._lines[namespace]))
        line.join(of)
        self._go_on(key, line, now)

    def unanswered(self, name: str, *, namespace: str, now: float) -> None:
        """Record that it is not known whether a child was created. If it was not, as a read finds out, it is `refused` then."""
        key = self._asked.pop((namespace, name), None) if self._asked else None
        if key is not None:
            line = self._line(key)
            line.unanswered(name, now, lines=len(self._lines[namespace]))
            self._go_on(key, line, now)

    def ended(self, of: Ref, name: str, *, namespace: str, now: float) -> None:
        """Record that a request for a child has ended, in whatever way. Nothing follows if its outcome was recorded."""
        key = self._asked.pop((namespace, name), None) if self._asked else None
        if key is not None:
            self.step_back(of, now=now)
            line = self._line(key)
            line.take_back(name)
            self._go_on(key, line, now)

    def step_back(self, of: Ref, *, now: float) -> None:
        """Record that an object can't use its turn at present: the others must not wait for it. It has to be marked again by itself."""
        key = self._keys.get(of)
        if key is None:
            return
        line = self._line(key)
        if len(line.waiting) == 1 or of not in islice(line.waiting, max(1, line.places(now) + len(line.asked))):
            return
        line.join(of)
        self._go_on(key, line, now, not_before=line.pass_over(now))

    def leave(self, of: Ref, *, now: float) -> None:
        """Record that an object asks for nothing, or is gone."""
        key = self._keys.pop(of, None)
        if key is not None:
            line = self._line(key)
            del line.waiting[of]
            self._go_on(key, line, now)

    def child_ended(self, *, namespace: str, now: float) -> None:
        """Record that a child of ours stopped using quota."""
        if namespace not in self._lines:
            return
        line = self._lines[namespace].get(QUOTA)
        if isinstance(line, QuotaLine):
            line.child_ended(now)
            self._go_on(_Key(namespace, QUOTA), line, now)

    def set_back(self, now: float) -> None:
        """Let nobody wait for a time by a clock that has been set back to `now`. All objects are to be reconciled afterwards."""
        for line in (line for lines in self._lines.values() for line in lines.values()):
            line.set_back(now)

    def _join(self, of: Ref, key: _Key) -> _Key:
        lines = self._lines.setdefault(key.namespace, {})
        line = lines.get(key.cause)
        if line is None:
            line = lines[key.cause] = QuotaLine() if key.cause == QUOTA else Line()
        line.join(of)
        self._keys[of] = key
        return key

    def _line(self, key: _Key) -> Line:
        return self._lines[key.namespace][key.cause]

    def _go_on(self, key: _Key, line: Line, now: float, *, not_before: float = 0.0) -> None:
        """Wake those who may ask now, or the first in time for the next request."""
        if not line.waiting:
            if not line.asked:
                del self._lines[key.namespace][key.cause]
                if not self._lines[key.namespace]:
                    del self._lines[key.namespace]
            return
        places = line.places(now)
        if not places:
            if not line.asked:
                self._wake(next(iter(line.waiting)), max(now, not_before, line.next_at(now)))
            return
        for of in islice(line.waiting, places):
            self._wake(of, max(now, not_before))
