"""One line of objects whose children are refused for the same cause: one request now and then finds out whether it has passed.

Each that succeeds allows two more. Who is in the line matters only to `runtime.lines`, which keeps all of them; `runtime.quota` is the
line of those who wait for quota. Nothing is sent here.
"""

import enum
import random
from collections import OrderedDict
from typing import Final

from podwright.core.values.ref import Ref

_FIRST_DELAY: Final = 1.0
_LONGEST_DELAY: Final = 30.0
"""Seconds between two requests for one and the same object."""
_LEAST_PAUSE: Final = 1.0
"""Seconds between two requests for any of the line, of which nothing says that they will succeed."""
_PAUSE_OF_OTHERS: Final = 0.25
"""The same for all lines of a namespace together, and while it is found out for what else those of a line are refused."""
SHARE_OF_TIME: Final = 4.0
"""A request that hangs in admission keeps others of its namespace from being sent: then for so many times as long none is made."""
_PASSED_OVER_AT_ONCE: Final = 8
"""Objects that can't use their turn are passed over so many at once: a line of which nobody can must not keep the loop busy."""


class Why(enum.Enum):
    """Why a child may be created that is being asked for."""

    ENDED = "Ended"
    """One of ours ended, whose place it takes."""
    WIDENING = "Widening"
    """Others were created of which nothing was known."""
    PROBE = "Probe"
    """It is time to find out."""


class Line:
    """Who waits, and what of it is asked for: names, with the time since which they could be. `lines` counts those of the namespace."""

    def __init__(self) -> None:
        self.waiting: OrderedDict[Ref, None] = OrderedDict()
        self.asked: dict[str, tuple[Why, float]] = {}
        self._window = 1
        self._widening = 0
        self._probe_at = 0.0
        self._failures = 0
        self._passed_over = 0

    def join(self, of: Ref) -> None:
        """Put an object at the end; one that is in the line already goes there too."""
        self.waiting[of] = None
        self.waiting.move_to_end(of)

    def places(self, now: float) -> int:
        """Return how many may be asked for now."""
        if self._widening:
            return max(0, min(self._widening, self._window - len(self.asked)))
        return int(now >= self._probe_at and not self.asked)

    def next_at(self, now: float) -> float:
        """Return when the next may be asked for, if nothing is known by then that isn't now."""
        return now if self._widening else self._probe_at

    def pass_over(self, now: float) -> float:
        """Record that the first can't use its turn; return when the next may have it."""
        self._passed_over += 1
        if self._passed_over >= len(self.waiting):
            self._passed_over = 0
            return now + _LEAST_PAUSE
        return now if self._passed_over % _PASSED_OVER_AT_ONCE else now + _PAUSE_OF_OTHERS

    def begin(self, name: str, now: float) -> None:
        """Record that a child is being asked for."""
        self._passed_over = 0
        why = Why.WIDENING if self._widening else Why.PROBE
        self._widening = max(0, self._widening - 1)
        self._probe_at = now + _LEAST_PAUSE
        self.asked[name] = (why, now)

    def let_in(self, name: str, now: float) -> None:
        """Record that it was created: more may be asked for at once."""
        self._window += 1
        if self.asked.pop(name, None) is not None:
            self._widening += 2
            self._failures = 0

    def refuse(self, name: str, now: float, *, lines: int) -> None:
        """Record that it was refused for the line's cause: the next one is asked for alone."""
        why, since = self.asked.pop(name, (None, now))
        self._window, self._widening = 1, 0
        if why is None:
            # Asked for by itself. Only the first puts the probe off: a stream of others must not do so for ever.
            self._probe_at = self._probe_at or now + _FIRST_DELAY
            return
        self._failures += 1
        own = min(_LONGEST_DELAY, _FIRST_DELAY * 2.0 ** min(self._failures, 10)) * (0.75 + 0.25 * random.random())
        # Each member's turn comes as often as if it were alone, as far as the pause allows: not all need be in the same case.
        shared = max(_LEAST_PAUSE, own / max(1, len(self.waiting)))
        self._probe_at = now + max(shared, lines * _PAUSE_OF_OTHERS, SHARE_OF_TIME * (now - since))

    def refuse_otherwise(self, name: str, now: float, *, lines: int) -> None:
        """Record that it was refused for another cause: this one may have passed for the others, or not."""
        self.asked.pop(name, None)
        self._window, self._widening, self._failures = 1, 0, 0
        self._probe_at = now + lines * _PAUSE_OF_OTHERS

    def unanswered(self, name: str, now: float, *, lines: int) -> None:
        """Record that it is not known whether it was created: one that hangs costs as much as one that is refused."""
        if name in self.asked:
            self.refuse(name, now, lines=lines)

    def take_back(self, name: str) -> None:
        """Record that it was not asked for after all, or came to an end that says nothing about the line's cause."""
        self.asked.pop(name, None)

    def set_back(self, now: float) -> None:
        """Bring near what was recorded by a clock that has been set back to `now`."""
        self._probe_at = min(self._probe_at, now)
        self.asked = {name: (why, min(since, now)) for name, (why, since) in self.asked.items()}
