"""The pool through which every write of the operator goes: bounded, ordered by importance, paused when the API server asks.

Called by the engine, which sees to it that there is never more than one write per object under way. A write is tried once:
whatever the outcome, the engine looks at the state again and decides anew, so no retry is ever made from an old picture.
"""

import asyncio
import enum
import heapq
import itertools
import logging
import random
import time
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from podwright.core.commands import Rank
from podwright.kube.client import Ambiguous, ApiResponse, Unsent
from podwright.kube.codecs.requests import ApiRequest
from podwright.runtime.flow import AdaptiveLimit, LatencyGauge

_log = logging.getLogger(__name__)

_A_BURST: Final = 2
"""Writes under way from which on a slow API server may be slow because of us; else keeping silent would help nobody."""


class Refused(enum.Enum):
    """Why a write was not sent at all."""

    NOT_LEADER = "NotLeader"
    OVERTAKEN = "Overtaken"


Result = ApiResponse | Unsent | Ambiguous | Refused
Send = Callable[[ApiRequest], Awaitable[ApiResponse]]


class Write(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One write in the queue. `refuse` is asked right before sending; `done` gets the result, in the loop's thread."""

    request: ApiRequest
    rank: Rank
    priority: int
    refuse: Callable[[], Refused | None]
    done: Callable[[Result], None]


class Writer:
    """Sends writes; `backlog` tells how many wait for a place."""

    def __init__(self, *, send: Send, limit: AdaptiveLimit) -> None:
        self._send = send
        self._limit = limit
        self._queue: list[tuple[int, int, int, Write]] = []
        self._order = itertools.count()
        self._under_way: set[asyncio.Task[None]] = set()
        self._paused_until = 0.0
        self._latency = LatencyGauge()
        self._wake: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def backlog(self) -> int:
        """Return how many writes wait."""
        return len(self._queue)

    @property
    def busy(self) -> bool:
        """Return whether the API server has so much to do, by us, that what only informs people should wait."""
        return bool(self._queue) or (len(self._under_way) >= _A_BURST and self._latency.is_strained())

    @property
    def under_way(self) -> int:
        """Return how many writes are sent and not answered."""
        return len(self._under_way)

    @property
    def limit(self) -> int:
        """Return how many writes may be under way."""
        return self._limit.current

    def submit(self, write: Write) -> None:
        """Queue a write: by rank, then by priority (higher first), then in order."""
        heapq.heappush(self._queue, (write.rank, -write.priority, next(self._order), write))
        self._pump()

    async def close(self) -> None:
        """Send nothing more and wait for what is under way; its deadline bounds the wait."""
        self._closed = True
        if self._wake is not None:
            self._wake.cancel()
        if self._under_way:
            await asyncio.wait(self._under_way)

    def _pump(self) -> None:
        if self._closed or self._paused():
            return
        while self._queue and len(self._under_way) < self._limit.current:
            write = heapq.heappop(self._queue)[3]
            refused = write.refuse()
            if refused is not None:
                write.done(refused)
                continue
            task = asyncio.create_task(self._carry_out(write))
            self._under_way.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._pump()

    async def _carry_out(self, write: Write) -> None:
        result: Result
        sent = time.monotonic()
        try:
            result = await self._send(write.request)
        except (Unsent, Ambiguous) as error:
            result = error
        except Exception as error:
            # Whatever went wrong, its job waits for an answer, and would for ever.
            _log.exception("cannot send %s %s", write.request.method, write.request.path)
            result = Ambiguous(f"{write.request.method} {write.request.path}: {error!r}")
        self._latency.answered(time.monotonic() - sent)
        self._learn(result)
        write.done(result)

    def _learn(self, result: Result) -> None:
        now = time.monotonic()
        if isinstance(result, ApiResponse) and result.status < 500 and result.status != 429:
            self._limit.succeeded()
            return
        self._limit.overloaded(now=now)
        if isinstance(result, ApiResponse) and result.retry_after is not None:
            # Everybody who is told the same second must not come back in it.
            pause = result.retry_after * (1.0 + 0.25 * random.random())
            self._paused_until = max(self._paused_until, now + pause)

    def _paused(self) -> bool:
        wait = self._paused_until - time.monotonic()
        if wait <= 0:
            return False
        if self._wake is None or self._wake.cancelled() or self._wake.when() <= asyncio.get_running_loop().time():
            self._wake = asyncio.get_running_loop().call_later(wait, self._pump)
        return True
