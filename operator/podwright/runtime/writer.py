"""The pool through which every write of the operator goes: it pulls what is sent next, as places become free.

Called by the dispatcher, which sees to it that there is never more than one write per object under way. A write is tried once:
whatever the outcome, the engine reconciles again and decides anew, so no retry is ever made from an old snapshot. Whose turn it is
`lanes` knows, how many may be under way `flow`.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from typing import Final, cast

from podwright.kube.codecs.requests import ApiRequest
from podwright.kube.responses import Ambiguous, ApiResponse, Unsent
from podwright.runtime.flow import AdaptiveLimit, LatencyGauge
from podwright.runtime.lanes import Lanes, Permit, Result, Withheld
from podwright.runtime.parking import HANGING, Parking
from podwright.runtime.trouble import Trouble, trouble_of

_A_BURST: Final = 2
"""Writes under way from which on a slow API server may be slow because of us; else keeping silent would help nobody."""
_LINGERING: Final = 1.0
"""Seconds after such a burst in which nothing is made of a gap in it: its next writes are about to come."""
_SHARE_OF_UPDATES: Final = 4
"""A quarter of the places may be taken when a write is sent that only informs; what finishes or starts work finds the others free."""
_TURN: Final = 0.01
"""Seconds in which requests are built before others of the loop get their turn."""
_SHORTEST_WAIT: Final = 0.001
"""Seconds: a timer of less than the clock's resolution ends at once, before the time that it was set for."""

_log = logging.getLogger(__name__)

Send = Callable[[ApiRequest], Awaitable[ApiResponse]]


class Writer:
    """Sends writes; `backlog` tells how many wait for a place.

    `on_idle` is called with the number of places for which nothing urgent waits, whenever that may have changed.
    """

    def __init__(self, *, send: Send, limit: AdaptiveLimit) -> None:
        self.on_idle: Callable[[int], None] = lambda places: None
        self._send = send
        self._limit = limit
        self._lanes = Lanes()
        self._under_way: set[asyncio.Task[None]] = set()
        self._parking = Parking()
        self._paused_until = 0.0
        self._latency = LatencyGauge()
        self._burst_until = 0.0
        self._calm: asyncio.TimerHandle | None = None
        self._wake: asyncio.TimerHandle | None = None
        self._next_turn: asyncio.Handle | None = None
        self._next_parking: asyncio.TimerHandle | None = None
        self._next_large: asyncio.TimerHandle | None = None
        self._pumping = False
        self._closed = False

    @property
    def backlog(self) -> int:
        """Return how many writes wait."""
        return len(self._lanes)

    def queued(self, namespace: str) -> tuple[int, int]:
        """Return how many writes of a namespace wait, and how many of them may be under way at once."""
        return self._lanes.queued(namespace, places=self._limit.current)

    @property
    def busy(self) -> bool:
        """Return whether the API server has so much to do, by us, that what only informs people should wait."""
        if self._lanes.has_urgent:
            return True
        if not self._latency.is_strained():
            return False
        return self._is_burst or time.monotonic() < self._burst_until

    @property
    def under_way(self) -> int:
        """Return how many writes are sent and not answered."""
        return len(self._under_way)

    @property
    def limit(self) -> int:
        """Return how many writes may be under way."""
        return self._limit.current

    def submit(self, permit: Permit) -> None:
        """Queue a permit."""
        self._lanes.add(permit)
        self._pump()

    async def close(self) -> None:
        """Send nothing more and wait for what is under way; its deadline bounds the wait."""
        self._closed = True
        if self._wake is not None:
            self._wake.cancel()
        if self._calm is not None:
            self._calm.cancel()
        if self._next_turn is not None:
            self._next_turn.cancel()
        if self._next_parking is not None:
            self._next_parking.cancel()
        if self._next_large is not None:
            self._next_large.cancel()
        if self._under_way:
            await asyncio.wait(set(self._under_way))

    def _pump(self) -> None:
        if self._closed or self._pumping or self._paused():
            return
        self._pumping = True  # what is withheld is answered at once, and may bring more
        try:
            self._send_what_fits()
        finally:
            self._pumping = False
        if self._is_burst and self._latency.is_strained():
            self._burst_until = time.monotonic() + _LINGERING
        if not self._closed:
            self._offer_places()

    def _offer_places(self) -> None:
        """Say how many writes may be made that only inform, and again when a burst has surely ended."""
        if not self.busy:
            self.on_idle(self._free - self._limit.current + self._limit.current // _SHARE_OF_UPDATES)
            return
        self.on_idle(0)
        if not self._is_burst and self._calm is None:
            self._calm = asyncio.get_running_loop().call_later(_LINGERING, self._calmed)

    def _calmed(self) -> None:
        self._calm = None
        self._pump()

    @property
    def _is_burst(self) -> bool:
        return len(self._under_way) - len(self._parking) >= _A_BURST

    @property
    def _free(self) -> int:
        return self._limit.current - len(self._under_way) + len(self._parking)

    def _send_what_fits(self) -> None:
        if not self._lanes:
            return
        now = time.monotonic()
        until = now + _TURN
        while self._lanes and (self._free > 0 or self._parked_one()):
            if now >= until:
                self._continue_later()
                return
            permit = self._lanes.take(places=self._limit.current, now=now)
            if permit is None:
                self._go_on_when_large_are_due(now)
                return
            self._lanes.begin(permit, now=now)
            request = _built(permit)
            if isinstance(request, Withheld):
                now = time.monotonic()
                self._lanes.end(permit, now=now)
                permit.done(request)
                continue
            now = time.monotonic()
            lane = self._lanes.of(permit.namespace)
            if not permit.is_large:
                lane.limit.sent(len(request.body or b""))
            if self._parking.begin(permit, now=now, hangs=lane.hangs):
                self._lanes.park(permit.namespace)
            self._under_way.add(asyncio.create_task(self._carry_out(permit, request)))

    def _parked_one(self) -> bool:
        """Make a place free of a write that hangs, or see to it that this is tried in time."""
        if not self._lanes or self._latency.is_too_long():
            return False  # when the API server itself is slow, what is under way does burden it
        namespace = self._parking.park(now=time.monotonic())
        if namespace:
            self._lanes.park(namespace)
            return True
        due = self._parking.next_at()
        if due is not None and self._next_parking is None:
            self._next_parking = asyncio.get_running_loop().call_later(
                max(0.0, due - time.monotonic()), self._go_on_parking
            )
        return False

    def _go_on_parking(self) -> None:
        self._next_parking = None
        self._pump()

    def _go_on_when_large_are_due(self, now: float) -> None:
        due = self._lanes.large_due(now=now)
        if due is None or due <= now:
            return
        loop = asyncio.get_running_loop()
        at = loop.time() + max(_SHORTEST_WAIT, due - now)
        if self._next_large is not None:
            # Each answer may bring the time forward: it was set for the case that the one under way hangs.
            if self._next_large.when() <= at:
                return
            self._next_large.cancel()
        self._next_large = loop.call_at(at, self._go_on_with_large)

    def _go_on_with_large(self) -> None:
        self._next_large = None
        self._pump()

    def _continue_later(self) -> None:
        if self._next_turn is None or self._next_turn.cancelled():
            self._next_turn = asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        self._next_turn = None
        self._pump()

    async def _carry_out(self, permit: Permit, request: ApiRequest) -> None:
        result: Result
        sent = time.monotonic()
        try:
            try:
                result = await self._send(request)
            except (Unsent, Ambiguous) as error:
                result = error
            except Exception as error:
                # Whatever went wrong, its object waits for a response, and would for ever.
                _log.exception("cannot send %s %s", request.method, request.path)
                result = Ambiguous(f"{request.method} {request.path}: {error!r}")
            now = time.monotonic()
            self._latency.answered(now - sent, admitted=permit.admitted)
            self._learn(permit, result)
            was_quick = permit.admitted and now - sent < HANGING
            self._lanes.end(permit, now=now, seconds=now - sent, parked=self._parking.end(permit), was_quick=was_quick)
            permit.done(result)
        finally:
            self._under_way.discard(cast("asyncio.Task[None]", asyncio.current_task()))
            self._pump()

    def _learn(self, permit: Permit, result: Result) -> None:
        now = time.monotonic()
        match trouble_of(result, admitted=permit.admitted):
            case Trouble.NONE:
                if self._latency.is_too_long():
                    self._limit.strained(now=now)
                else:
                    self._limit.succeeded()
                self._lanes.of(permit.namespace).limit.succeeded()
            case Trouble.ITS_OWN:
                self._lanes.of(permit.namespace).limit.failed(now=now)
            case Trouble.OF_ALL:
                self._limit.overloaded(now=now)
                if isinstance(result, ApiResponse) and result.retry_after is not None:
                    # Everybody who is told the same second must not come back in it.
                    pause = result.retry_after * (1.0 + 0.25 * random.random())
                    self._paused_until = max(self._paused_until, now + pause)

    def _paused(self) -> bool:
        if not self._paused_until:
            return False
        wait = self._paused_until - time.monotonic()
        if wait <= 0:
            self._paused_until = 0.0
            return False
        if self._wake is None or self._wake.cancelled() or self._wake.when() <= asyncio.get_running_loop().time():
            self._wake = asyncio.get_running_loop().call_later(wait, self._pump)
        return True


def _built(permit: Permit) -> ApiRequest | Withheld:
    try:
        return permit.build()
    except Exception as error:
        # One object of which no request can be made must not stop the others.
        return Withheld("Unbuildable", error)
