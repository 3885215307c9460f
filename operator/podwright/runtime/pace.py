"""When a write of a large object may go beside the small ones of other namespaces. Used by the lanes only.

A write of 256 KiB takes the API server as long as dozens of small ones, and more follows: a pod is bound, its status is written, and
every watch gets each state. Rules by number of requests (`flow`) see none of it. So while other namespaces write, large
objects are written one at a time, those of each
namespace in about a tenth of the time at most, in proportion to their size. When nobody else does, they go as fast as what follows from
them can: else the scheduler and the nodes would have seconds of work on their hands when somebody else comes.
"""

from collections import OrderedDict
from typing import Final

_FULL_SIZE: Final = 262_144
"""Bytes from which on the pause has its full length: no job that admission lets in is much larger."""
_PAUSE: Final = 10.0
"""Times that a write of full size took, for which the next large one waits."""
_PAUSE_AFTER_CREATION: Final = 40.0
"""The same for a pod, which is written four times more until it is gone."""
_FOLLOWING: Final = 4.0
"""Times that the creation of a pod of full size took, for which the next large write waits even if nobody else writes."""
_LONGEST_PAUSE: Final = 2.0
_FIRST_PAUSE: Final = 0.5  # nobody knows yet who else writes
_QUIET: Final = 0.5  # seconds without a small write after which there is nobody to wait for


class Pace:
    """All times are monotonic seconds. A pause is charged to the namespace that wrote: others wait only for the write under way."""

    def __init__(self) -> None:
        self._under_way = 0
        self._began_at = 0.0
        self._first_at: float | None = None
        # Namespaces that wrote, with when they may change, and when create, the next large object.
        self._next_at: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._followed_at = 0.0
        # When a small write was last sent, by whom, and when by anybody else.
        self._namespace = ""
        self._at = float("-inf")
        self._others_at = float("-inf")

    def sent_small(self, namespace: str, *, now: float) -> None:
        """Record a write of a small object."""
        if namespace != self._namespace:
            self._others_at = self._at
            self._namespace = namespace
        self._at = now

    def due(self, namespace: str, *, creates: bool, now: float) -> float:
        """Return when a namespace may write a large object, as far as that is known: not after `now` if it may."""
        if self._first_at is None:
            self._first_at = now + _FIRST_PAUSE
            self._others_at = self._at = now
        quiet_at = max(self._followed_at, (self._at if namespace != self._namespace else self._others_at) + _QUIET)
        if quiet_at <= now:
            return now
        # What ends work must not wait for the pause after a creation.
        paced_at = max(self._first_at, self._next_at.get(namespace, (0.0, 0.0))[creates])
        if self._under_way:
            # One that hangs, in a webhook of its namespace's, must not hold up the others.
            paced_at = max(paced_at, self._began_at + _LONGEST_PAUSE)
        return min(quiet_at, paced_at)

    @property
    def is_under_way(self) -> bool:
        """Return whether a large object is being written."""
        return self._under_way > 0

    def began(self, *, now: float) -> None:
        """Record that a large object is being written."""
        self._under_way += 1
        self._began_at = now

    def ended(self, namespace: str, *, size: int, creates: bool, seconds: float, now: float) -> None:
        """Record that it was, and how long that took; 0 if it was not sent."""
        self._under_way -= 1
        while self._next_at and max(next(iter(self._next_at.values()))) <= now:
            self._next_at.popitem(last=False)
        if not seconds:
            return
        share = min(1.0, size / _FULL_SIZE)
        longest = _LONGEST_PAUSE * share
        seconds *= share
        changes_at, creates_at = self._next_at.get(namespace, (now, now))
        creates_at = max(creates_at, now + min(longest, seconds * (_PAUSE_AFTER_CREATION if creates else _PAUSE)))
        if creates:
            self._followed_at = max(self._followed_at, now + min(longest, seconds * _FOLLOWING))
        else:
            changes_at = max(changes_at, now + min(longest, seconds * _PAUSE))
        self._next_at[namespace] = changes_at, creates_at
        self._next_at.move_to_end(namespace)
