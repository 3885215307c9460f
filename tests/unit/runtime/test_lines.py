"""Lines of objects whose children are refused, on a virtual clock: few requests, however many wait, and nobody waits long once they may."""

import heapq
import itertools
from collections import Counter
from collections.abc import Callable

import pytest

from podwright.core.attempt.refusal_cause import UNANSWERED
from podwright.core.values.ref import Ref
from podwright.runtime.lines import QUOTA, Lines

ROUND_TRIP = 0.01
NAMESPACE = "poor"


class Namespace:
    """Objects that want one child each; `cause_of` says why one is refused, "" that it isn't. All ask once by themselves at first.

    Attributes:
        requests: when a creation was sent, and whose.
        let_in: when a child was created, by number of its object.
    """

    def __init__(
        self, count: int, *, cause_of: Callable[[int, float], str], seconds: float = ROUND_TRIP, asked: bool = False
    ) -> None:
        self.requests: list[tuple[float, int]] = []
        self.let_in: dict[int, float] = {}
        self.wakes = 0
        self._cause_of, self._seconds = cause_of, seconds
        self._causes = {number: cause_of(number, 0.0) if asked else "" for number in range(count)}
        self._outstanding: set[int] = set()
        self._now = 0.0
        self._order = itertools.count()
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self.lines = Lines(wake=self._wake)
        for number in range(count):
            self._at(0.0, lambda number=number: self._reconcile(number))  # type: ignore[misc]

    def run(self, until: float) -> "Namespace":
        while self._events and self._events[0][0] <= until:
            self._now, _, act = heapq.heappop(self._events)
            act()
        self._now = until
        return self

    def rate(self, *, since: float, until: float) -> float:
        return sum(since <= when < until for when, _ in self.requests) / (until - since)

    def give_up(self, number: int) -> None:
        self.lines.leave(Ref("Job", str(number)), now=self._now)
        self._causes[number] = ""
        self.let_in[number] = self._now

    def _wake(self, ref: Ref, when: float) -> None:
        self.wakes += 1
        self._at(when, lambda: self._reconcile(int(ref.uid)))

    def _at(self, when: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._events, (max(when, self._now), next(self._order), act))

    def _reconcile(self, number: int) -> None:
        ref = Ref("Job", str(number))
        if number in self._outstanding:
            return
        if number in self.let_in:
            self.lines.leave(ref, now=self._now)
            return
        granted = self.lines.granted(ref, cause=self._causes[number], namespace=NAMESPACE, now=self._now)
        if granted == 0:
            again = self.lines.next_at(ref, now=self._now)
            if again is not None and again > self._now:
                self._at(again, lambda: self._reconcile(number))
            return
        if self.lines.begin(ref, f"pod-{number}", now=self._now):
            self._outstanding.add(number)
            self.requests.append((self._now, number))
            self._at(self._now + self._seconds, lambda: self._answer(number))

    def _answer(self, number: int) -> None:
        ref, name = Ref("Job", str(number)), f"pod-{number}"
        self._outstanding.discard(number)
        cause = self._causes[number] = self._cause_of(number, self._now)
        if cause:
            self.lines.refused(ref, name, cause=cause, namespace=NAMESPACE, now=self._now)
        else:
            self.let_in[number] = self._now
            self.lines.let_in(ref, name, namespace=NAMESPACE, now=self._now)
            self.lines.leave(ref, now=self._now)
        self.lines.ended(ref, name, namespace=NAMESPACE, now=self._now)
        self._reconcile(number)


@pytest.mark.parametrize("asked", [False, True], ids=["S10 at first", "S10 after a change of leader"])
@pytest.mark.parametrize("count", [1, 10, 500, 5_000])
def test_requests_do_not_grow_with_those_who_wait(count: int, asked: bool) -> None:
    namespace = Namespace(count, cause_of=lambda *_: "account", asked=asked).run(600.0)
    assert len(namespace.requests) <= (2 if asked else count + 1) + 600
    assert namespace.rate(since=60.0, until=600.0) <= min(1.0, 0.08 * count) + 0.01
    assert namespace.wakes <= 2 * len(namespace.requests) + count
    turns = Counter(number for _, number in namespace.requests)
    assert max(turns.values()) - min(turns.get(number, 0) for number in range(count)) <= 1 or count == 1


@pytest.mark.parametrize("count", [1, 10, 500])
@pytest.mark.parametrize("healed", [5.0, 300.0])
def test_s10_all_are_let_in_within_seconds_once_the_cause_has_passed(count: int, healed: float) -> None:
    namespace = Namespace(count, cause_of=lambda _, now: "account" if now < healed else "").run(healed + 40.0)
    assert len(namespace.let_in) == count
    first, last = min(namespace.let_in.values()), max(namespace.let_in.values())
    assert first <= healed + (31.0 if count == 1 else 4.0)
    assert last <= first + 2.0


def test_s10_a_line_waits_for_no_other() -> None:
    """Three causes, one of which passes; and jobs that nothing is the matter with."""

    def cause_of(number: int, now: float) -> str:
        kind = number % 4
        return "" if kind == 0 or (kind == 1 and now >= 100.0) else f"cause {kind}"

    namespace = Namespace(400, cause_of=cause_of).run(110.0)
    assert {number % 4 for number in namespace.let_in} == {0, 1}
    assert len(namespace.let_in) == 200
    assert max(when for number, when in namespace.let_in.items() if number % 4 == 0) == pytest.approx(ROUND_TRIP)
    assert namespace.rate(since=20.0, until=99.0) <= 3.0


def test_s10_many_causes_share_a_rate() -> None:
    namespace = Namespace(500, cause_of=lambda number, _: f"account {number}").run(1_000.0)
    assert namespace.rate(since=100.0, until=1_000.0) <= 4.5


def test_s10_who_is_refused_for_this_and_that_is_no_hot_loop() -> None:
    causes = itertools.cycle(["one", "two", "three"])
    namespace = Namespace(200, cause_of=lambda *_: next(causes)).run(300.0)
    assert namespace.rate(since=5.0, until=300.0) <= 5.0


def test_s10_one_that_is_in_another_case_is_found_among_many() -> None:
    """Of 300 that were refused alike only the last may be created at last; it needs the others' turns to have passed."""
    namespace = Namespace(300, cause_of=lambda number, now: "" if number == 299 and now > 1.0 else "same").run(310.0)
    assert namespace.let_in.keys() == {299}


def test_s10_requests_that_hang_leave_most_of_the_time_to_others() -> None:
    namespace = Namespace(100, cause_of=lambda *_: "webhook", seconds=5.0).run(1_000.0)
    assert namespace.rate(since=100.0, until=1_000.0) * 5.0 <= 0.25


def test_s10_who_leaves_while_it_is_asked_for_holds_nobody_up() -> None:
    namespace = Namespace(3, cause_of=lambda *_: "account", seconds=0.5).run(1.9)
    number = namespace.requests[-1][1]
    assert namespace.requests[-1][0] >= 1.5, "it is to be under way"
    namespace.give_up(number)
    namespace.run(60.0)
    assert {each for when, each in namespace.requests if when > 10.0} == {0, 1, 2} - {number}


def test_s10_a_clock_that_is_set_back_stops_no_line() -> None:
    woken: list[float] = []
    lines = Lines(wake=lambda _, when: woken.append(when))
    ref = Ref("Job", "one")
    lines.refused(ref, "pod", cause="account", namespace=NAMESPACE, now=5_000.0)
    lines.set_back(1_000.0)
    assert lines.granted(ref, cause="account", namespace=NAMESPACE, now=1_000.0) == 1


@pytest.mark.parametrize("cause", [QUOTA, "webhook"])
@pytest.mark.parametrize("every", [0.25, 0.4, 0.9, 5.0])
def test_s10_newcomers_that_are_refused_do_not_put_the_probe_off(cause: str, every: float) -> None:
    lines = Lines(wake=lambda *_: None)
    first, now, arrivals = Ref("Job", "first"), 0.0, 0
    lines.refused(first, "pod", cause=cause, namespace=NAMESPACE, now=now)
    while not lines.granted(first, cause=cause, namespace=NAMESPACE, now=now):
        assert now < 40.0
        arrivals += 1
        now = arrivals * every
        newcomer, name = Ref("Job", f"big-{arrivals}"), f"pod-{arrivals}"
        assert lines.begin(newcomer, name, now=now)
        lines.refused(newcomer, name, cause=cause, namespace=NAMESPACE, now=now)
        lines.ended(newcomer, name, namespace=NAMESPACE, now=now)
    assert now <= 1.0 + every


def test_s10_somebody_outside_who_finds_quota_free_makes_a_probe_due() -> None:
    woken: list[tuple[float, Ref]] = []
    lines = Lines(wake=lambda ref, when: woken.append((when, ref)))
    waits, now = Ref("Job", "waits"), 0.0
    lines.refused(waits, "pod", cause=QUOTA, namespace=NAMESPACE, now=now)
    for _ in range(8):
        now = lines.next_at(waits, now=now) or 0.0
        assert lines.begin(waits, "pod", now=now)
        lines.refused(waits, "pod", cause=QUOTA, namespace=NAMESPACE, now=now)
    assert (lines.next_at(waits, now=now) or 0.0) > now + 20.0
    woken.clear()
    lines.let_in(Ref("Job", "other"), "other-pod", namespace=NAMESPACE, now=now + 2.0)
    assert woken == [(now + 2.0, waits)]


def test_s10_creations_that_hang_without_an_answer_leave_most_of_the_time_to_others() -> None:
    lines = Lines(wake=lambda *_: None)
    jobs = [Ref("Job", "a"), Ref("Job", "b")]
    for ref in jobs:
        lines.refused(ref, ref.uid, cause=UNANSWERED, namespace=NAMESPACE, now=0.0)
    now, hanging = 0.0, 0.0
    while now < 1_000.0:
        now += 0.05
        for ref in jobs:
            granted = lines.granted(ref, cause=UNANSWERED, namespace=NAMESPACE, now=now)
            if granted and lines.begin(ref, ref.uid, now=now):
                hanging, now = hanging + 10.0, now + 10.0
                lines.unanswered(ref.uid, namespace=NAMESPACE, now=now)
                lines.ended(ref, ref.uid, namespace=NAMESPACE, now=now)
                lines.refused(ref, ref.uid, cause=UNANSWERED, namespace=NAMESPACE, now=now + 0.01)
    assert 0.0 < hanging / now <= 0.25


def test_s10_who_ends_otherwise_makes_room_for_the_next() -> None:
    lines = Lines(wake=lambda *_: None)
    odd, healthy = Ref("Job", "odd"), Ref("Job", "healthy")
    for ref in (odd, healthy):
        lines.refused(ref, ref.uid, cause="account", namespace=NAMESPACE, now=0.0)
    assert lines.begin(odd, "odd", now=1.0)
    lines.ended(odd, "odd", namespace=NAMESPACE, now=1.0)
    assert not lines.granted(odd, cause="account", namespace=NAMESPACE, now=10.0)
    assert lines.granted(healthy, cause="account", namespace=NAMESPACE, now=10.0) == 1


def test_s10_a_line_of_which_nobody_can_use_a_turn_is_no_hot_loop() -> None:
    """Each that is woken steps back, as those do that are left alone for a while."""
    due: list[tuple[float, int, Ref]] = []
    order = itertools.count()
    lines = Lines(wake=lambda ref, when: heapq.heappush(due, (when, next(order), ref)))
    for number in range(40):
        lines.refused(Ref("Job", str(number)), f"pod-{number}", cause="account", namespace=NAMESPACE, now=0.0)
    turns = Counter[Ref]()
    while due and due[0][0] <= 60.0 and sum(turns.values()) < 10_000:
        now, _, ref = heapq.heappop(due)
        turns[ref] += 1
        lines.step_back(ref, now=now)
    assert len(turns) == 40, "each has its turn"
    assert sum(turns.values()) <= 32 * 60 + 40
