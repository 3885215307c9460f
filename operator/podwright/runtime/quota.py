"""Who may ask for a pod in a namespace whose quota is full: few, in turn, and more as they are let in.

Without this each object would ask for all its pods again and again. Here a refusal puts the object into its namespace's line. Each
pod of ours that ends lets the first ask for one in its place, once Kubernetes has had the time to notice, which is learned; else one
request now and then finds out whether others freed something, and each of those that succeeds allows two more. Used by the engine
and the dispatcher; it sends nothing.
"""

import enum
import random
from collections import OrderedDict, deque
from collections.abc import Callable
from itertools import islice
from typing import Final

from podwright.core.values.ref import Ref

_FIRST_DELAY: Final = 0.5
_LONGEST_DELAY: Final = 30.0
"""Seconds between two requests of which nothing says that they will be let in."""
_FIRST_LAG: Final = 0.05
"""Seconds from a pod's end until its quota is free: Kubernetes' controller of quotas works by events, and has others to serve."""
_LEAST_LAG: Final = 0.02
_MORE_LAG: Final = 1.15
_LESS_LAG: Final = 0.95
"""Factors after a refusal and after a success: one request in some eight is refused, or fewer, if the lag never changes."""
_TOGETHER: Final = 0.02
"""Part of the lag: pods that ended within it say the same of it, and count for one success."""
_MUCH_MORE_LAG: Final = 1.5
"""Factor after one refusal of several in a row."""
_LONGEST_LAG: Final = 8.0
_TAKEN_AFTER: Final = 4.0
_TAKEN_AFTER_AT_LEAST: Final = 1.0
"""A place that isn't free after so many times the usual lag, and so many seconds, was taken by somebody else."""

Wake = Callable[[Ref, float], None]


class _Why(enum.Enum):
    """Why a pod may be let in that is being asked for."""

    ENDED = "Ended"
    """One of ours ended."""
    WIDENING = "Widening"
    """Others were let in of which nothing was known."""
    PROBE = "Probe"
    """It is time to find out."""


class _Line:
    """One namespace's. `asked` are the names asked for under this rule, with the time since which a place is free for them."""

    def __init__(self) -> None:
        self.waiting: OrderedDict[Ref, None] = OrderedDict()
        self.ended: deque[float] = deque()
        self.lag = _FIRST_LAG
        self.usual_lag = 0.0  # as of the last success; 0 as long as there was none
        self.was_refused = False
        self.learned_from = 0.0
        self.window = 1
        self.widening = 0
        self.asked: dict[str, tuple[_Why, float]] = {}
        self.delay = _FIRST_DELAY
        self.probe_at = 0.0

    def places(self, now: float) -> int:
        """Return how many may be asked for now."""
        known = self._free(now) + self.widening
        if known or self.ended:
            return max(0, min(known, self.window - len(self.asked)))
        return int(now >= self.probe_at and not self.asked)

    def next_at(self, now: float) -> float:
        """Return when the next may be asked for, if nothing is known by then that isn't now."""
        if self.widening:
            return now
        return self.ended[0] + self.lag if self.ended else self.probe_at

    def begin(self, name: str, now: float) -> None:
        """Record that a pod is being asked for."""
        if self.ended and self.ended[0] + self.lag <= now:
            self.asked[name] = (_Why.ENDED, self.ended.popleft())
        elif self.widening:
            self.widening -= 1
            self.asked[name] = (_Why.WIDENING, now)
        else:
            self.asked[name] = (_Why.PROBE, now)
            self.probe_at = now + self.delay

    def let_in(self, name: str) -> None:
        """Record that it was created: more may be asked for at once."""
        why, since = self.asked.pop(name, (None, 0.0))
        self.window += 1
        if why is _Why.ENDED:
            self.usual_lag, self.was_refused = self.lag, False
            if abs(since - self.learned_from) > _TOGETHER * self.lag:
                self.lag, self.learned_from = max(_LEAST_LAG, self.lag * _LESS_LAG), since
        elif why is not None and self.ended:
            self.ended.popleft()  # it had the place of one that ended meanwhile
        elif why is not None:
            self.widening += 2
            self.delay = _FIRST_DELAY

    def refuse(self, name: str, now: float) -> None:
        """Record that it was refused: the next one is asked for alone."""
        why, since = self.asked.pop(name, (None, now))
        self.window, self.widening = 1, 0
        if why is None:  # asked for before the quota was known to be full
            self.probe_at = max(self.probe_at, now + self.delay)
        elif why is _Why.ENDED:
            self._not_free_yet(since, now)
        else:
            self.delay = min(_LONGEST_DELAY, 2.0 * self.delay)
            self.probe_at = now + self.delay * (0.75 + 0.25 * random.random())

    def take_back(self, name: str) -> bool:
        """Record that it is not known whether it was created, or that it does not matter; False if it was counted before."""
        why, since = self.asked.pop(name, (None, 0.0))
        if why is _Why.ENDED:
            self.ended.appendleft(since)
        return why is not None

    def _free(self, now: float) -> int:
        """Return how many pods ended so long ago that their quota should be free."""
        count = 0
        for ended in self.ended:
            if ended + self.lag > now or count >= self.window:
                break
            count += 1
        return count

    def _not_free_yet(self, since: float, now: float) -> None:
        waited = now - since
        usual = self.usual_lag
        if waited < min(_LONGEST_LAG, max(_TAKEN_AFTER_AT_LEAST, _TAKEN_AFTER * usual) if usual else _LONGEST_LAG):
            self.ended.appendleft(since)
            factor = _MUCH_MORE_LAG if self.was_refused else _MORE_LAG
            self.lag, self.was_refused = min(_LONGEST_LAG, max(self.lag, waited * factor)), True
        else:
            self.lag, self.was_refused = usual or _FIRST_LAG, False
            self.probe_at = max(self.probe_at, now + self.delay)


class QuotaLines:
    """The lines of all namespaces that have one. `wake` asks for an object to be reconciled at a time (Unix seconds)."""

    def __init__(self, *, wake: Wake) -> None:
        self._wake = wake
        self._lines: dict[str, _Line] = {}
        self._namespaces: dict[Ref, str] = {}

    def granted(self, of: Ref, *, namespace: str, now: float) -> int | None:
        """Return how many children an object may ask for, 0 if it is not its turn; None if it does not wait for quota."""
        line = self._lines.get(namespace)
        if line is None or of not in line.waiting:
            return None
        places = line.places(now)
        return places if of in islice(line.waiting, places) else 0

    def next_at(self, of: Ref, *, namespace: str, now: float) -> float | None:
        """Return when it is an object's turn to find out whether there is room again, None if it will be woken."""
        line = self._lines.get(namespace)
        if line is None or line.asked or next(iter(line.waiting), None) != of:
            return None
        return line.next_at(now)

    def begin(self, of: Ref, name: str, *, namespace: str, now: float) -> bool:
        """Record that a child is about to be asked for; False if it must not be."""
        line = self._lines.get(namespace)
        if line is None or of not in line.waiting:
            return True
        if not line.places(now):
            return False
        line.begin(name, now)
        return True

    def let_in(self, of: Ref, name: str, *, namespace: str, now: float) -> None:
        """Record that a child was created."""
        line = self._lines.get(namespace)
        if line is None:
            return
        line.let_in(name)
        if of in line.waiting:
            line.waiting.move_to_end(of)  # it leaves when it is reconciled and asks for no more
        self._go_on(namespace, line, now)

    def refused(self, of: Ref, name: str, *, namespace: str, now: float) -> None:
        """Record that a child was refused for want of quota."""
        line = self._lines.setdefault(namespace, _Line())
        line.refuse(name, now)
        line.waiting[of] = None
        self._namespaces[of] = namespace
        line.waiting.move_to_end(of)
        self._go_on(namespace, line, now)

    def unanswered(self, name: str, *, namespace: str, now: float) -> None:
        """Record that it is not known, or does not matter, whether a child was created."""
        line = self._lines.get(namespace)
        if line is not None and line.take_back(name):
            self._go_on(namespace, line, now)

    def step_back(self, of: Ref, *, namespace: str, now: float) -> None:
        """Record that an object can't use its turn at present: the others must not wait for it."""
        line = self._lines.get(namespace)
        if line is not None and of in line.waiting:
            line.waiting.move_to_end(of)
            self._go_on(namespace, line, now)

    def leave(self, of: Ref, *, namespace: str, now: float) -> None:
        """Record that an object asks for nothing."""
        line = self._lines.get(namespace)
        if line is not None and of in line.waiting:
            del line.waiting[of]
            del self._namespaces[of]
            self._go_on(namespace, line, now)

    def forget(self, of: Ref, *, now: float) -> None:
        """Record that an object is gone."""
        namespace = self._namespaces.get(of)
        if namespace is not None:
            self.leave(of, namespace=namespace, now=now)

    def child_ended(self, *, namespace: str, now: float) -> None:
        """Record that a child of ours stopped using quota."""
        line = self._lines.get(namespace)
        if line is not None:
            line.ended.append(now)
            self._go_on(namespace, line, now)

    def _go_on(self, namespace: str, line: _Line, now: float) -> None:
        """Wake those who may ask now, or the first in time for the next probe."""
        if not line.waiting:
            if not line.asked:
                del self._lines[namespace]
            return
        places = line.places(now)
        if not places:
            if not line.asked:
                self._wake(next(iter(line.waiting)), max(now, line.next_at(now)))
            return
        for of in islice(line.waiting, places):
            self._wake(of, now)
