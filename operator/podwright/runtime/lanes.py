"""Whose write goes next: one lane per namespace, served in turn, each with a bounded number of places. Used by the writer only.

Within a lane, by rank, then by priority (higher first), then in order of arrival. What finishes or starts work goes before what only
informs or tidies up, over all lanes; so one namespace's many or slow writes never keep another's from being sent. Writes of large
objects have turns of their own, at the pace that `pace` allows, and the small ones of their namespace don't wait for them.
"""

import heapq
import itertools
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import msgspec

from podwright.core.commands import Rank
from podwright.kube.codecs.requests import ApiRequest
from podwright.kube.responses import Ambiguous, ApiResponse, Unsent
from podwright.runtime.flow import NamespaceLimit
from podwright.runtime.pace import Pace

_REMEMBERED: Final = 300.0
"""Seconds for which the trouble of a namespace is remembered that has nothing to send."""
_BYTES_UNDER_WAY: Final = 524_288
"""Of one namespace's large objects; or one object."""


_LARGE_ORDER: Final = {
    rank: place for place, rank in enumerate((Rank.VERDICT, Rank.RELEASE, Rank.CREATE, Rank.NEWS, Rank.CLEANUP))
}
_TURN: Final = 262_144
"""Bytes of large objects that a namespace may write before it is the next one's turn."""


class Withheld(msgspec.Struct, frozen=True, gc=False):
    """A write was not sent at all. `error` is one of ours that kept its request from being built."""

    reason: str
    error: Exception | None = None


NOT_LEADER: Final = Withheld("NotLeader")
OVERTAKEN: Final = Withheld("Overtaken")  # what it was decided on has changed: it is decided anew
HELD_BACK: Final = Withheld("HeldBack")  # others of its kind were refused meanwhile: it is asked for again in its time

Result = ApiResponse | Unsent | Ambiguous | Withheld


class Permit(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Leave to write. The request is made by `build` when a place is free, so that what waits takes no memory to speak of.

    Attributes:
        namespace: whose place it takes.
        rank: how urgent it is.
        priority: how urgent it is within its namespace, among others of its rank; higher is first.
        build: called right before sending; may find that it must not be sent any more.
        done: gets the result, in the loop's thread.
        admitted: policies and webhooks for pods have a say in it, so that its trouble may be its namespace's own.
        size: of the object that it writes, in bytes, as far as it matters: 0 for small ones.
    """

    namespace: str
    rank: Rank
    priority: int
    build: Callable[[], ApiRequest | Withheld]
    done: Callable[[Result], None]
    admitted: bool = False
    size: int = 0

    @property
    def is_large(self) -> bool:
        """Return whether its object is large."""
        return self.size > 0


_UNTRIED: Final = NamespaceLimit()
"""That of a namespace that nothing was sent for."""
_Queue = list[tuple[int, int, int, Permit]]
_Turns = OrderedDict[str, None]


class Lane:
    """The writes of one namespace that wait, and how many of it are under way; `parked` of them hang, and take no place.

    `hangs` says that the last that was long under way did, and none was answered soon since.
    """

    def __init__(self) -> None:
        self.under_way = 0
        self.parked = 0
        self.hangs = False
        self.bytes_under_way = 0  # of large objects
        self.turn = _TURN  # bytes of large objects that are left of its turn
        self.limit = NamespaceLimit()
        self.urgent: _Queue = []
        self.idle: _Queue = []
        self.large: _Queue = []

    @property
    def is_empty(self) -> bool:
        """Return whether nothing waits or is under way."""
        return not (self.urgent or self.idle or self.large or self.under_way)


class Lanes:
    """All lanes that have writes, or that have had trouble."""

    def __init__(self) -> None:
        self._lanes: dict[str, Lane] = {}
        self._order = itertools.count()
        # Namespaces with writes of each sort, the one whose turn it is first.
        self._urgent: _Turns = OrderedDict()
        self._idle: _Turns = OrderedDict()
        self._large: _Turns = OrderedDict()
        self._pace = Pace()
        self._quiet: OrderedDict[str, float] = (
            OrderedDict()
        )  # lanes with trouble on record and nothing to send, since when
        self._waiting = 0
        self._urgent_waiting = 0

    def __len__(self) -> int:
        """Return how many writes wait."""
        return self._waiting

    @property
    def has_urgent(self) -> bool:
        """Return whether writes wait that finish or start work, those of large objects aside: they may wait for long."""
        return self._urgent_waiting > 0

    def of(self, namespace: str) -> Lane:
        """Return the lane of a namespace."""
        lane = self._lanes.get(namespace)
        if lane is None:
            lane = self._lanes[namespace] = Lane()
        return lane

    def queued(self, namespace: str, *, places: int) -> tuple[int, int]:
        """Return how many writes of a namespace wait, and its places out of those of all."""
        lane = self._lanes.get(namespace)
        if lane is None:
            return 0, _UNTRIED.places(of=places)
        return len(lane.urgent) + len(lane.idle) + len(lane.large), lane.limit.places(of=places)

    def add(self, permit: Permit) -> None:
        """Queue a permit in its lane."""
        lane = self.of(permit.namespace)
        urgent = False
        if permit.is_large:
            queue, turns = lane.large, self._large
        elif permit.rank <= Rank.RELEASE:
            queue, turns, urgent = lane.urgent, self._urgent, True
        else:
            queue, turns = lane.idle, self._idle
        # Among large ones, what ends work goes before what starts more: a creation is followed by a long pause.
        rank = _LARGE_ORDER[permit.rank] if permit.is_large else permit.rank
        heapq.heappush(queue, (rank, -permit.priority, next(self._order), permit))
        turns.setdefault(permit.namespace, None)
        self._waiting += 1
        self._urgent_waiting += urgent

    def take(self, *, places: int, now: float) -> Permit | None:
        """Remove and return the permit whose turn it is; None if none waits that its namespace has a place for.

        Args:
            places: how many writes of all namespaces together may be under way.
            now: monotonic seconds.
        """
        permit = self._take_large(places=places, now=now) if self._large else None
        if permit is None and self._urgent:
            permit = self._take(self._urgent, places=places, urgent=True)
        if permit is None and self._idle:
            permit = self._take(self._idle, places=places, urgent=False)
        return permit

    def large_due(self, *, now: float) -> float | None:
        """Return when a write of a large object that waits may go, None if none does."""
        return min([self._due(namespace, now=now) for namespace in self._large], default=None)

    def begin(self, permit: Permit, *, now: float) -> None:
        """Take a place of a permit's namespace."""
        lane = self.of(permit.namespace)
        lane.under_way += 1
        if permit.is_large:
            lane.bytes_under_way += permit.size
            self._pace.began(now=now)
        else:
            self._pace.sent_small(permit.namespace, now=now)

    def park(self, namespace: str) -> None:
        """Record that a write hangs."""
        lane = self.of(namespace)
        lane.parked += 1
        lane.hangs = True

    def end(
        self, permit: Permit, *, now: float, seconds: float = 0.0, parked: bool = False, was_quick: bool = False
    ) -> None:
        """Return it, after so many seconds. A lane that is empty is forgotten: at once, or minutes later if it has trouble on record."""
        namespace = permit.namespace
        lane = self.of(namespace)
        lane.under_way -= 1
        lane.parked -= parked
        lane.hangs = lane.hangs and not was_quick
        if permit.is_large:
            lane.bytes_under_way -= permit.size
            self._pace.ended(namespace, size=permit.size, creates=permit.rank is Rank.CREATE, seconds=seconds, now=now)
        if lane.is_empty:
            if lane.limit.is_reduced:
                self._quiet[namespace] = now
                self._quiet.move_to_end(namespace)
            else:
                del self._lanes[namespace]
        if self._quiet:
            self._forget_quiet(now)

    def _forget_quiet(self, now: float) -> None:
        while self._quiet:
            namespace, since = next(iter(self._quiet.items()))
            if now - since < _REMEMBERED:
                return
            del self._quiet[namespace]
            lane = self._lanes.get(namespace)
            if lane is not None and lane.is_empty:
                del self._lanes[namespace]

    def _take(self, turns: _Turns, *, places: int, urgent: bool) -> Permit | None:
        # No more lanes can be without a place than there are writes under way, so this ends soon.
        for namespace in turns:
            lane = self._lanes[namespace]
            queue = lane.urgent if urgent else lane.idle
            if _has_place(lane, queue, places=places):
                self._urgent_waiting -= urgent
                return self._pop(turns, namespace, queue)
        return None

    def _take_large(self, *, places: int, now: float) -> Permit | None:
        held_back = 0
        for namespace in self._large:
            if self._due(namespace, now=now) > now:
                held_back += 1
                if held_back > 1 and self._pace.is_under_way:
                    return None  # one under way holds back all but one, and there may be many
                continue  # it has just written: few have
            lane = self._lanes[namespace]
            size = lane.bytes_under_way + lane.large[0][3].size
            if (size <= _BYTES_UNDER_WAY or not lane.bytes_under_way) and _has_place(lane, lane.large, places=places):
                permit = heapq.heappop(lane.large)[3]
                self._waiting -= 1
                lane.turn -= permit.size
                if not lane.large:
                    del self._large[namespace]
                if lane.turn <= 0:
                    lane.turn = _TURN
                    if lane.large:
                        self._large.move_to_end(namespace)
                return permit
        return None

    def _due(self, namespace: str, *, now: float) -> float:
        creates = self._lanes[namespace].large[0][3].rank is Rank.CREATE
        return self._pace.due(namespace, creates=creates, now=now)

    def _pop(self, turns: _Turns, namespace: str, queue: _Queue) -> Permit:
        permit = heapq.heappop(queue)[3]
        if queue:
            turns.move_to_end(namespace)
        else:
            del turns[namespace]
        self._waiting -= 1
        return permit


def _has_place(lane: Lane, queue: _Queue, *, places: int) -> bool:
    if lane.under_way - lane.parked >= lane.limit.places(of=places):
        return False
    return not (lane.parked and queue[0][3].admitted)
