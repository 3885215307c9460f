"""Objects of which something is to be told that only informs people: kept by name until the writer is idle. Used by the dispatcher.

What is kept is whose status is to be told, not what it would say: when its turn comes the object is reconciled again, and what is told
is the newest. So any number of waiting objects costs a set, no polling and no queue of requests.
"""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Final

from podwright.core.values.ref import Ref

PATIENCE: Final = 30.0
"""Seconds after which a busy operator makes a write that only informs all the same, as far as `_OVERDUE_PAUSE` allows."""
_OVERDUE_PAUSE: Final = 0.1
"""Seconds between such writes. Without a pause each job of a long burst would cost a write more, and the burst take longer for it."""


class PendingUpdates:
    """The objects, those first that have waited longest. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[Ref, float] = OrderedDict()
        self._granted: set[Ref] = set()
        self._next_overdue_at = 0.0

    def add(self, ref: Ref, *, now: float) -> None:
        """Have an object wait, unless it does."""
        self._waiting.setdefault(ref, now)

    def discard(self, ref: Ref) -> None:
        """Forget an object: there is nothing to tell of it any more."""
        self._waiting.pop(ref, None)
        self._granted.discard(ref)

    def take_grant(self, ref: Ref) -> bool:
        """Return whether it is an object's turn, and end it."""
        if ref not in self._granted:
            return False
        self._granted.discard(ref)
        return True

    def grant(self, places: int, *, now: float) -> Iterator[Ref]:
        """Return those whose turn it is: as many as there are places for; without any, now and then one that has waited too long."""
        while self._waiting:
            ref, since = next(iter(self._waiting.items()))
            if len(self._granted) >= places:
                if now - since < PATIENCE or now < self._next_overdue_at:
                    return
                self._next_overdue_at = now + _OVERDUE_PAUSE
            del self._waiting[ref]
            self._granted.add(ref)
            yield ref

    def __len__(self) -> int:
        """Return how many objects wait."""
        return len(self._waiting)
