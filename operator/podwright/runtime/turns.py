"""How long the turns of the event loop are: what is due waits for the end of the turn that is under way, the Lease's renewal too.

The loop asks its selector at the end of each turn what is to be done next, so that is where turns are measured: all of them, for
less than a microsecond each, and without waking anybody. Made by `adapters`, told by `metrics`.
"""

import asyncio
import selectors
import time
from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from typing import Final

from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Seconds: the upper bounds of the histograms' buckets."""


class LoopTurns(Collector):
    """Two histograms of the turns of one thread's loop: how long they took, and the processor time that the thread used in them."""

    def __init__(self) -> None:
        self._lag = Durations()
        self._held = Durations()

    def new_loop(self) -> asyncio.AbstractEventLoop:
        """Return an event loop whose turns are measured here."""
        return asyncio.SelectorEventLoop(_Selector(self))

    def ended(self, lag: float, held: float) -> None:
        """Record a turn."""
        self._lag.add(lag)
        self._held.add(held)

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Return what was measured until now."""
        yield self._lag.family(
            "podwright_loop_lag_seconds",
            "How long a turn of the event loop took: all that came up meanwhile had to wait for its end.",
        )
        yield self._held.family(
            "podwright_loop_held_seconds",
            "The part of a turn in which the operator itself was at work, rather than waiting for a processor.",
        )


class Durations:
    """Counts durations by bucket."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS) + 1)
        self._sum = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self._counts[0 if seconds <= BOUNDS[0] else bisect_left(BOUNDS, seconds)] += 1
        self._sum += seconds

    def family(self, name: str, documentation: str) -> HistogramMetricFamily:
        """Return them as a metric."""
        bounds = [*map(floatToGoString, BOUNDS), "+Inf"]
        buckets = list(zip(bounds, accumulate(self._counts), strict=True))
        return HistogramMetricFamily(name, documentation, buckets=buckets, sum_value=self._sum)


class _Selector(selectors.DefaultSelector):
    def __init__(self, turns: LoopTurns) -> None:
        super().__init__()
        self._turns = turns
        self._began = time.monotonic()
        self._used: float | None = None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        # The wait itself uses next to nothing, so one reading of the processor time per turn is enough.
        used = time.thread_time()
        if self._used is not None:  # else the loop was made in another thread
            self._turns.ended(time.monotonic() - self._began, used - self._used)
        self._used = used
        ready = super().select(timeout)
        self._began = time.monotonic()
        return ready
