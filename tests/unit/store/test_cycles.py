"""Cycles of dependencies are found and forgotten in any order of events, in pieces, and in time however large the graph."""

import gc
import itertools
import time
from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podwright.core.model.job import JobView
from podwright.core.model.phase import Phase
from podwright.core.spec import Dependency
from podwright.store import cycles
from tests.support.builders import make_attempt, make_job, make_pod
from tests.support.stories import Story


@pytest.fixture
def story() -> Story:
    return Story()


@pytest.mark.parametrize("order", ["abc", "acb", "bac", "bca", "cab", "cba"])
def test_every_member_of_a_cycle_learns_of_it_whichever_came_last(story: Story, order: str) -> None:
    on = {"a": "b", "b": "c", "c": "a"}
    for name in order[:-1]:
        story.new(name, on[name])
    story.search()
    assert [story.cycle(name) for name in "abc"] == ["", "", ""]
    story.new(order[-1], on[order[-1]])
    story.told()
    story.search()
    assert story.told() == {"a", "b", "c"}
    assert [story.cycle(name) for name in "abc"] == ["abc", "bca", "cab"]


def test_a_cycle_is_forgotten_when_a_member_leaves_and_others_through_it_stay(story: Story) -> None:
    story.new("a", "b", "c")
    c = story.new("c", "a")
    story.search()
    assert (story.cycle("a"), story.cycle("c")) == ("ac", "ca")
    b = story.new("b", "a")
    story.search()
    assert (story.cycle("b"), story.cycle("c")) == ("ac", "ca"), "a cycle that was told still is"
    story.put(c, phase=Phase.CANCELLED, finished=1.0)
    assert (story.cycle("a"), story.cycle("b"), story.cycle("c")) == ("", "", ""), "what is told must exist"
    story.told()
    story.search()
    assert story.told() >= {"a", "b"}
    assert (story.cycle("a"), story.cycle("b"), story.cycle("c")) == ("ab", "ba", "")
    story.store.remove_job(b.uid)
    story.told()
    story.search()
    assert (story.cycle("a"), story.told()) == ("", {"a"})


def test_nothing_is_searched_before_a_moment_has_passed_nor_again_before_a_rest(story: Story) -> None:
    story.new("a", "b")
    assert story.store.work_off(lambda: 100.0) is None, "nobody waits for it"
    story.new("b", "a")
    due = story.store.work_off(lambda: 100.0)
    assert due == 100.0 + cycles.QUIET
    assert story.store.work_off(lambda: 100.1) == due
    assert story.cycle("a") == ""
    assert story.store.work_off(itertools.count(due, 0.001).__next__) is None
    assert story.cycle("a") == "ab"
    story.new("c", "c")
    assert (story.store.work_off(lambda: due) or due) > due


def test_who_has_a_pod_waits_for_nobody_and_is_on_no_cycle(story: Story) -> None:
    a = story.new("a", "b")
    story.store.put_pod(make_pod(a))
    story.new("b", "a")
    story.search()
    assert story.cycle("b") == ""


def test_a_namesake_that_was_seen_before_the_old_ones_end_does_not_inherit_its_cycle(story: Story) -> None:
    story.new("a", "b", uid="old")
    story.new("b", "a")
    story.search()
    assert story.cycle("b") == "ba"
    story.new("a", uid="new")
    story.search()
    assert story.cycle("b") == ""
    story.store.remove_job("old")
    story.search()
    assert len(story.store._dependents._cycles) == 0


def ring(count: int) -> Sequence[tuple[str, list[str]]]:
    """Return a chain that is closed, as jobs and what each depends on, in an order that lets it grow everywhere."""
    return [(f"n{n}", [f"n{(n + 1) % count}"]) for n in sorted(range(count), key=lambda n: (n * 7919) % count)]


def dense(count: int, each: int) -> Sequence[tuple[str, list[str]]]:
    """Return jobs each of which depends on so many after it."""
    return [(f"n{n}", [f"n{(n + step) % count}" for step in range(1, each + 1)]) for n in range(count)]


def layers(count: int, each: int) -> Sequence[tuple[str, list[str]]]:
    """Return jobs without a cycle, those first that depend on others."""
    return [(f"n{n}", [f"n{n + step}" for step in range(1, each + 1) if n + step < count]) for n in range(count)]


@pytest.fixture
def operators_garbage_collection() -> Iterator[None]:
    """Have garbage collected as the operator does once its caches are filled, and nothing of what was there before."""
    thresholds = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 1, 10_000)
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


LONGEST = 0.04
"""Seconds of any one call: pieces are of a few milliseconds, but garbage may be collected in any of them."""


class Stopwatch:
    """Measures calls: the longest one, and all together."""

    def __init__(self) -> None:
        self.longest = self.total = 0.0

    def __call__(self, call: Callable[[], bool]) -> bool:
        """Call, and return what it returns. Only the time of the processor counts: others have it too."""
        began = time.thread_time()
        result = call()
        spent = time.thread_time() - began
        self.longest, self.total = max(self.longest, spent), self.total + spent
        return result


@pytest.mark.usefixtures("operators_garbage_collection")
@pytest.mark.parametrize(
    ("graph", "on_cycles", "seconds"),
    [
        pytest.param(ring(50_000), 50_000, 3.0, id="S11 a chain of 50,000 that is closed"),
        pytest.param(dense(500, 100), 500, 1.0, id="S11 500 jobs of 100 dependencies each"),
        pytest.param(layers(6_250, 8), 0, 2.0, id="S11 50,000 dependencies without a cycle"),
    ],
)
def test_s11_no_event_and_no_piece_of_the_search_is_long_and_all_cost_what_the_graph_is_large(
    story: Story, graph: Sequence[tuple[str, list[str]]], on_cycles: int, seconds: float
) -> None:
    jobs = [
        make_job(uid=name, name=name, dependencies=tuple(Dependency(name=one) for one in on), resource_version=number)
        for number, (name, on) in enumerate(graph, start=1)
    ]
    events, search = Stopwatch(), Stopwatch()
    for job in jobs:
        events(lambda job=job: bool(story.store.put_job(job)))  # type: ignore[misc, func-returns-value]
    while not search(story.work_off_once):
        pass
    assert sum(bool(story.cycle(job.name)) for job in jobs) == on_cycles
    for job in jobs[: len(jobs) // 2]:
        events(lambda job=job: bool(story.store.remove_job(job.uid)))  # type: ignore[misc, func-returns-value]
        search(story.work_off_once)
    for job in jobs[len(jobs) // 2 :]:
        events(lambda job=job: bool(story.store.remove_job(job.uid)))  # type: ignore[misc, func-returns-value]
    while not search(story.work_off_once):
        pass
    assert story.store._dependents.counts() == (0, 0, 0)
    assert events.longest < LONGEST
    assert search.longest < LONGEST
    assert events.total + search.total < seconds


names = st.sampled_from("abcde")
steps = st.lists(
    st.one_of(
        st.tuples(st.just("new"), names, st.lists(names, max_size=3, unique=True)),
        st.tuples(st.sampled_from(["start", "end", "delete", "search", "piece"]), names, st.just([])),
    ),
    max_size=30,
)


@given(steps)
@settings(max_examples=500)
def test_in_any_order_of_events_and_pieces_exactly_those_on_a_cycle_are_told_one_that_exists(
    told: list[tuple[str, str, list[str]]],
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("podwright.core.job.gates.cycle.STEPS", 1)
        patch.setattr("podwright.store.cycles.STEPS", 1)
        patch.setattr("podwright.store.cycles.PIECE", 0.0)
        story = Story()
        present: dict[str, JobView] = {}
        for number, (kind, name, on) in enumerate(told):
            job = present.get(name)
            if kind == "search":
                story.search()
                assert_exact(story, present)
            elif kind == "piece":
                story.work_off_once()
            elif kind == "new" and job is None:
                present[name] = story.new(name, *on, uid=f"{name}-{number}")
            elif job is not None and kind == "start" and job.status.phase is None:
                present[name] = story.put(job, phase=Phase.RUNNING, attempts=(make_attempt(job, outcome=None),))
            elif job is not None and kind == "end" and not (job.status.phase and job.status.phase.terminal):
                present[name] = story.put(job, phase=Phase.FAILED, finished=1.0)
            elif job is not None and kind == "delete":
                story.store.remove_job(present.pop(name).uid)
            assert_sound(story, present)
        story.search()
        assert_exact(story, present)
        for job in list(present.values()):
            story.store.remove_job(job.uid)
        story.search()
        assert story.store._dependents.counts() == (0, 0, 0)


def assert_sound(story: Story, present: dict[str, JobView]) -> None:
    """Check that every cycle that is told exists."""
    for job in present.values():
        cycle = story.store.dependencies(job).cycle
        for before, after in itertools.pairwise((*cycle.names, cycle.names[0]) if cycle else ()):
            assert after in {one.name for one in present[before].dependencies}
            assert present[after].status.phase is None


def assert_exact(story: Story, present: dict[str, JobView]) -> None:
    """Check that a cycle is told to those on one, and nobody else."""
    for job in present.values():
        cycle = story.store.dependencies(job).cycle
        assert (cycle is not None) == _on_a_cycle(job.name, present), (job.name, cycle)


def _on_a_cycle(start: str, present: dict[str, JobView]) -> bool:
    blocked = {name: job for name, job in present.items() if job.status.phase is None}
    reached: set[str] = set()
    frontier = [start]
    while frontier:
        job = blocked.get(frontier.pop())
        for one in () if job is None else job.dependencies:
            if one.name in blocked and one.name not in reached:
                reached.add(one.name)
                frontier.append(one.name)
    return start in reached and start in blocked
