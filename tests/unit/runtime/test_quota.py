"""Lines for quota against a namespace in which quota is freed late, as Kubernetes does it, on a virtual clock."""

import heapq
import itertools
import random
from collections.abc import Callable

import pytest

from podwright.core.values.ref import Ref
from podwright.runtime.lines import QUOTA, Lines

ROUND_TRIP = 0.01
SEEDS = range(1, 6)
"""Of what is drawn at random: a single run may be a little unlucky."""
PLACES = 32
"""Requests that may be under way, so many of which are refused before it is known that there is a quota."""
PAUSE = 0.05
"""Seconds between two reconciles of one object."""
NAMESPACE = "few"


class Namespace:
    """Objects that want pods, and a quota of which each pod gives its place back some time after its end.

    Attributes:
        requests: creations that were sent.
        busy: part of the quota that was in use by pods from the moment when it was full until none waited any more.
    """

    def __init__(
        self,
        *,
        quota: int,
        lag: float,
        tasks: int,
        objects: int = 1,
        period: float = 0.0,
        spread: float = 0.0,
        stolen: int = 0,
        seed: int = 1,
    ) -> None:
        self.quota, self.lag, self.period, self.spread, self.stolen = quota, lag, period, spread, stolen
        self.requests = 0
        self._area, self._measured_from, self._measured_until, self._changed = 0.0, 0.0, 0.0, 0.0
        self._used = self._live = self._under_way = 0
        self._waiting = {Ref("Job", f"u{number}"): tasks // objects for number in range(objects)}
        self._creating = dict.fromkeys(self._waiting, 0)
        self._paused_until = dict.fromkeys(self._waiting, 0.0)
        self._marked: set[Ref] = set()
        self._refused: set[Ref] = set()
        self._unsent: list[Ref] = []
        self._now = 0.0
        self._order = itertools.count()
        self._seed = seed
        self._random = random.Random(seed)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._lines = Lines(wake=lambda ref, when: self._at(when, lambda: self._reconcile(ref)))

    @property
    def busy(self) -> float:
        return self._area / ((self._measured_until - self._measured_from) * self.quota)

    def run(self) -> "Namespace":
        """Let all pods run; fail if some never do."""
        random.seed(self._seed)  # what the lines themselves draw
        for ref in self._waiting:
            self._reconcile(ref)
        while self._events and self._now < 3000.0:
            self._now, _, act = heapq.heappop(self._events)
            act()
            if not (self._live or any(self._waiting.values())):
                return self
        raise AssertionError(f"{sum(self._waiting.values())} tasks never got a pod")

    def _at(self, when: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._events, (max(when, self._now), next(self._order), act))

    def _reconcile(self, ref: Ref) -> None:
        if self._now < self._paused_until[ref]:
            if ref not in self._marked:
                self._marked.add(ref)
                self._at(self._paused_until[ref], lambda: self._reconcile(ref))
            return
        self._marked.discard(ref)
        self._paused_until[ref] = self._now + PAUSE
        cause = QUOTA if ref in self._refused else ""
        granted = self._lines.granted(ref, cause=cause, namespace=NAMESPACE, now=self._now)
        wanted = self._waiting[ref] - self._creating[ref]
        asked = wanted if granted is None else min(wanted, granted)
        self._creating[ref] += asked
        self._unsent += [ref] * asked
        self._send()
        if granted and not asked and not self._creating[ref]:
            self._refused.discard(ref)
            self._lines.leave(ref, now=self._now)
        elif granted is not None:
            again = self._lines.next_at(ref, now=self._now)
            if again is not None and again > self._now:
                self._at(again, lambda: self._reconcile(ref))

    def _send(self) -> None:
        while self._unsent and self._under_way < PLACES:
            ref, name = self._unsent.pop(0), f"pod-{next(self._order)}"
            if not self._lines.begin(ref, name, now=self._now):
                self._creating[ref] -= 1
                self._reconcile(ref)
                continue
            self._under_way += 1
            self.requests += 1
            self._at(self._now + ROUND_TRIP, lambda ref=ref, name=name: self._answer(ref, name))  # type: ignore[misc]

    def _answer(self, ref: Ref, name: str) -> None:
        self._under_way -= 1
        self._creating[ref] -= 1
        if self._used < self.quota:
            self._used += 1
            self._waiting[ref] -= 1
            self._changes(live=+1)
            self._lines.let_in(ref, name, namespace=NAMESPACE, now=self._now)
            self._at(self._now + 2.0 * (1.0 + self.spread * self._random.uniform(-1.0, 1.0)), self._end)
        else:
            self._refused.add(ref)
            self._lines.refused(ref, name, cause=QUOTA, namespace=NAMESPACE, now=self._now)
        self._send()
        self._reconcile(ref)

    def _end(self) -> None:
        self._changes(live=-1)
        freed = self._now + self.lag
        if self.period:
            freed = (freed // self.period + 1) * self.period
        if self.stolen and self._random.random() < 0.2:
            self.stolen -= 1  # somebody else's pod has it for long
            freed += 60.0
        self._at(freed, self._free)
        self._lines.child_ended(namespace=NAMESPACE, now=self._now)

    def _free(self) -> None:
        self._used -= 1

    def _changes(self, *, live: int) -> None:
        if self._measured_from and not self._measured_until:
            self._area += (self._now - self._changed) * self._live
        self._changed = self._now
        self._live += live
        if self._live == self.quota and not self._measured_from:
            self._measured_from = self._now
        if not any(self._waiting.values()) and not self._measured_until:
            self._measured_until = self._now


@pytest.mark.parametrize("spread", [pytest.param(0.0, id="in waves"), pytest.param(0.3, id="one by one")])
@pytest.mark.parametrize(("quota", "tasks"), [(5, 60), (30, 300), (300, 3000)])
@pytest.mark.parametrize(
    ("lag", "period"),
    [
        pytest.param(0.0, 0.0, id="freed at once"),
        pytest.param(0.1, 0.0, id="freed after 0.1 s"),
        pytest.param(0.5, 0.0, id="freed after 0.5 s"),
        pytest.param(0.1, 0.5, id="freed twice a second"),
        pytest.param(3.0, 0.0, id="freed after 3 s"),
    ],
)
def test_b15_quota_is_kept_busy_by_few_requests(
    lag: float, period: float, quota: int, tasks: int, spread: float
) -> None:
    runs = [
        Namespace(quota=quota, lag=lag, period=period, tasks=tasks, spread=spread, seed=seed).run() for seed in SEEDS
    ]
    possible = 2.0 / (2.0 + lag + period / 2.0)
    # Beside these a task takes the removal of its finalizer and its share of status writes, and three are allowed in all.
    requests = max(run.requests for run in runs)
    assert requests <= 1.6 * tasks + PLACES, f"{requests / tasks:.2f} requests per task"
    busy = sum(run.busy for run in runs) / len(runs)
    assert busy >= 0.85 * possible, f"{busy:.2f} of {possible:.2f}"


def test_b15_many_objects_share_the_places() -> None:
    namespace = Namespace(quota=30, lag=0.1, tasks=300, objects=300, spread=0.3).run()
    assert namespace.requests <= 2.2 * 300  # each has to be refused once to know
    assert namespace.busy >= 0.87 * 2.0 / 2.1


@pytest.mark.parametrize("lag", [0.0, 0.3])
def test_b15_places_that_somebody_else_takes_hold_nobody_up_for_long(lag: float) -> None:
    """A place that is never given back must not be taken for proof that all come back late."""
    namespace = Namespace(quota=30, lag=lag, tasks=600, spread=0.3, stolen=10).run()
    assert namespace.requests <= 1.5 * 600 + PLACES
    assert namespace.busy >= 0.85 * (20 / 30) * 2.0 / (2.0 + lag)
