"""The simulator's time: the real one, or one that a test moves by hand.

Every timestamp, deadline and delay of the simulator comes from here, so a scenario of hours can run in milliseconds.
"""

import asyncio
import functools
import heapq
import itertools
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What the simulator needs of time."""

    def now(self) -> float:
        """Return the Unix time in seconds."""
        ...

    def call_later(self, delay: float, action: Callable[[], None]) -> None:
        """Run `action` after `delay` seconds of this clock; equal times run in the order of the calls."""
        ...


class LoopClock:
    """Real time, on the running event loop."""

    def now(self) -> float:
        """Return the Unix time in seconds."""
        return time.time()

    def call_later(self, delay: float, action: Callable[[], None]) -> None:
        """Run `action` on the loop after `delay` seconds."""
        loop = asyncio.get_running_loop()
        if delay <= 0:
            loop.call_soon(action)
        else:
            loop.call_later(delay, action)


class ManualClock:
    """A clock that stands still until `advance`; what becomes due runs inside that call, in order of time."""

    def __init__(self, start: float = 1_800_000_000.0) -> None:
        self._now = start
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def now(self) -> float:
        """Return the Unix time in seconds."""
        return self._now

    def call_later(self, delay: float, action: Callable[[], None]) -> None:
        """Run `action` once `advance` has come `delay` seconds further."""
        heapq.heappush(self._due, (self._now + max(delay, 0.0), next(self._order), action))

    def advance(self, seconds: float = 0.0) -> None:
        """Let `seconds` pass, running what becomes due meanwhile, also what that in turn makes due."""
        end = self._now + seconds
        while self._due and self._due[0][0] <= end:
            when, _, action = heapq.heappop(self._due)
            self._now = max(self._now, when)
            action()
        self._now = end


def timestamp(seconds: float) -> str:
    """Write a time as `metav1.Time` does: RFC 3339 in UTC, whole seconds."""
    return _written(int(seconds))


@functools.lru_cache(maxsize=64)
def _written(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_timestamp(text: str) -> float:
    """Read what `timestamp` wrote."""
    return datetime.fromisoformat(text).timestamp()
