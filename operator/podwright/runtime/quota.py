"""The line of those who wait for quota: few may ask for a pod, in turn, and more as they are let in.

Without this each object would ask for all its pods again and again. Each pod of ours that ends lets the first ask for one in its
place, once Kubernetes has had the time to notice, which is learned; else one request now and then finds out whether others freed
something, and each of those that succeeds allows two more. Used by `runtime.lines` only; it sends nothing.
"""

import random
from collections import deque
from typing import Final

from podwright.runtime.line import SHARE_OF_TIME, Line, Why

_FIRST_DELAY: Final = 0.5
_LONGEST_DELAY: Final = 30.0
"""Seconds between two requests of which nothing says that they will be let in."""
_PAUSE_AFTER_OTHERS: Final = 1.0
"""Seconds between two such requests while pods of others, which are outside the line, are let in."""
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


class QuotaLine(Line):
    """One namespace's. `asked` says of each name since when a place is free for it."""

    def __init__(self) -> None:
        super().__init__()
        self.ended: deque[float] = deque()
        self.lag = _FIRST_LAG
        self.usual_lag = 0.0  # as of the last success; 0 as long as there was none
        self.was_refused = False
        self.learned_from = 0.0
        self.delay = _FIRST_DELAY
        self._probed_at = 0.0

    def places(self, now: float) -> int:
        """Return how many may be asked for now."""
        known = self._free(now) + self._widening
        if known or self.ended:
            return max(0, min(known, self._window - len(self.asked)))
        return int(now >= self._probe_at and not self.asked)

    def next_at(self, now: float) -> float:
        """Return when the next may be asked for, if nothing is known by then that isn't now."""
        if self._widening:
            return now
        return self.ended[0] + self.lag if self.ended else self._probe_at

    def begin(self, name: str, now: float) -> None:
        """Record that a pod is being asked for."""
        self._passed_over = 0
        if self.ended and self.ended[0] + self.lag <= now:
            self.asked[name] = (Why.ENDED, self.ended.popleft())
        elif self._widening:
            self._widening -= 1
            self.asked[name] = (Why.WIDENING, now)
        else:
            self.asked[name] = (Why.PROBE, now)
            self._probed_at, self._probe_at = now, now + self.delay

    def let_in(self, name: str, now: float) -> None:
        """Record that it was created: more may be asked for at once."""
        why, since = self.asked.pop(name, (None, 0.0))
        self._window += 1
        if why is Why.ENDED:
            self.usual_lag, self.was_refused = self.lag, False
            if abs(since - self.learned_from) > _TOGETHER * self.lag:
                self.lag, self.learned_from = max(_LEAST_LAG, self.lag * _LESS_LAG), since
        elif why is not None and self.ended:
            self.ended.popleft()  # it had the place of one that ended meanwhile
        elif why is not None:
            self._widening += 2
            self.delay = _FIRST_DELAY
        else:  # somebody outside the line found some free
            self._probe_at = min(self._probe_at, max(now, self._probed_at + _PAUSE_AFTER_OTHERS))

    def refuse(self, name: str, now: float, *, lines: int) -> None:
        """Record that it was refused: the next one is asked for alone."""
        why, since = self.asked.pop(name, (None, now))
        self._window, self._widening = 1, 0
        if why is None:
            # Asked for by itself. Only the first puts the probe off: whoever asks for much must not keep out who asks for little.
            self._probe_at = self._probe_at or now + self.delay
        elif why is Why.ENDED:
            self._not_free_yet(since, now)
        else:
            self.delay = min(_LONGEST_DELAY, 2.0 * self.delay)
            self._probe_at = now + self.delay * (0.75 + 0.25 * random.random())

    def refuse_otherwise(self, name: str, now: float, *, lines: int) -> None:
        """Record that it was refused for another cause, so that its place is still free."""
        self.take_back(name)
        self._probe_at = max(self._probe_at, now + self.delay)

    def unanswered(self, name: str, now: float, *, lines: int) -> None:
        """Record that it is not known whether it was created; of a place that one of ours left nothing is known either."""
        why, since = self.asked.get(name, (None, now))
        self.take_back(name)
        self._window, self._widening = 1, 0
        if why is not Why.ENDED:
            self._probe_at = max(self._probe_at, now + SHARE_OF_TIME * (now - since))

    def take_back(self, name: str) -> None:
        """Record that it came to an end that says nothing about quota: its place is still free."""
        why, since = self.asked.pop(name, (None, 0.0))
        if why is Why.ENDED:
            self.ended.appendleft(since)

    def set_back(self, now: float) -> None:
        """Bring near what was recorded by a clock that has been set back to `now`."""
        super().set_back(now)
        self._probed_at = min(self._probed_at, now)
        self.ended = deque(min(ended, now) for ended in self.ended)

    def child_ended(self, now: float) -> None:
        """Record that a child of ours stopped using quota."""
        self.ended.append(now)

    def _free(self, now: float) -> int:
        """Return how many pods ended so long ago that their quota should be free."""
        count = 0
        for ended in self.ended:
            if ended + self.lag > now or count >= self._window:
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
            self._probe_at = max(self._probe_at, now + self.delay)
