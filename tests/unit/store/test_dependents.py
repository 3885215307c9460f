"""Who is told of whose changes, and that circles are found and forgotten, in any order of events."""

import itertools
import time

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podwright.core.model.array import ArrayRecord
from podwright.core.model.job import JobView
from podwright.core.model.phase import Phase
from podwright.core.spec import ArraySpec, Dependency
from podwright.core.values.index_set import IndexSet
from podwright.store.jobs import JobStore
from tests.support.builders import make_attempt, make_job, make_pod, running, with_status


class Story:
    """A store, and jobs that are put into it with ever higher versions. Uids are names unless said otherwise."""

    def __init__(self) -> None:
        self.marked: list[str] = []
        self.store = JobStore(on_change=self.marked.append)
        self.version = 0

    def put(self, job: JobView, **status: object) -> JobView:
        """Store the next version of a job."""
        self.version += 1
        job = msgspec.structs.replace(with_status(job, **status), resource_version=self.version)
        self.store.put_job(job)
        return job

    def new(self, name: str, *on: str, uid: str = "", **changes: object) -> JobView:
        """Store a new job that depends on others."""
        dependencies = tuple(Dependency(name=one) for one in on)
        return self.put(make_job(uid=uid or name, name=name, dependencies=dependencies, **changes))

    def told(self) -> set[str]:
        """Return who was told of something since the last time."""
        told = set(self.marked)
        self.marked.clear()
        return told

    def cycle(self, name: str) -> str:
        """Return the circle through a job as text."""
        job = self.store.job(name)
        return "" if job is None else "".join(self.store.dependencies(job).cycle)


@pytest.fixture
def story() -> Story:
    return Story()


def test_those_who_wait_are_told_of_what_their_condition_hangs_on_and_nobody_else(story: Story) -> None:
    waits, also = story.new("waits", "a"), story.new("also", "a", "b")
    story.new("other", "b")
    a = story.new("a")
    assert story.told() == {"waits", "also", "other", "a"}
    a = story.put(a, reason="PodPending")
    assert story.told() == {"a"}
    a = story.put(a, phase=Phase.RUNNING)
    assert story.told() == {"a", "waits", "also"}
    story.put(waits, phase=Phase.FAILED, finished=1.0)
    story.told()
    a = story.put(a, phase=Phase.SUCCEEDED, finished=1.0)
    assert story.told() == {"a", "also"}
    assert story.store.dependencies(also).jobs["a"].status.phase is Phase.SUCCEEDED
    story.store.remove_job("a")
    assert story.told() == {"a", "also"}
    assert story.store.dependencies(also).jobs == {}


def test_a_pod_that_starts_is_news_once(story: Story) -> None:
    waits, a = story.new("waits", "a"), story.new("a")
    story.told()
    pod = make_pod(a)
    story.store.put_pod(pod)
    assert story.told() == {"a"}
    assert story.store.dependencies(waits).started == frozenset()
    story.store.put_pod(running(msgspec.structs.replace(pod, resource_version=3), at=5.0))
    assert story.told() == {"a", "waits"}
    assert story.store.dependencies(waits).started == {"a"}
    story.store.put_pod(running(msgspec.structs.replace(pod, resource_version=4), at=5.0))
    assert story.told() == {"a"}


def test_progress_of_an_array_is_told_to_those_who_wait_task_by_task_until_their_end(story: Story) -> None:
    array = ArraySpec(size=2, tasks=IndexSet.up_to(2))
    wanted = (Dependency(name="a", task_by_task=True),)
    waits = story.put(make_job(uid="waits", name="waits", array=array, dependencies=wanted))
    a = story.new("a", array=array)
    story.put(waits, phase=Phase.RUNNING, array=ArrayRecord(running=IndexSet.of([0])))
    story.told()
    record = ArrayRecord(succeeded=IndexSet.of([1]))
    a = story.put(a, phase=Phase.RUNNING, array=record)
    assert "waits" in story.told()
    assert story.store.is_awaited(a)
    story.put(a, phase=Phase.FAILED, finished=1.0)
    kept = story.store.dependencies(waits).jobs["a"].status.array
    assert kept is not None
    assert kept.succeeded == record.succeeded


def test_the_newest_of_two_namesakes_counts_however_late_the_old_ones_end_is_seen(story: Story) -> None:
    waits = story.new("waits", "a")
    story.put(story.new("a", uid="old"), phase=Phase.SUCCEEDED, finished=1.0)
    story.new("a", uid="new")
    assert story.store.dependencies(waits).jobs["a"].uid == "new"
    story.store.remove_job("old")
    assert story.store.dependencies(waits).jobs["a"].uid == "new"
    story.store.remove_job("new")
    assert story.store.dependencies(waits).jobs == {}


def test_a_finished_job_is_awaited_until_the_last_that_waits_has_begun(story: Story) -> None:
    waits, a = story.new("waits", "a"), story.new("a")
    a = story.put(a, phase=Phase.SUCCEEDED, finished=1.0)
    assert story.store.is_awaited(a)
    story.told()
    story.put(waits, phase=Phase.RUNNING, attempts=(make_attempt(waits, outcome=None),))
    assert not story.store.is_awaited(a)
    assert "a" in story.told()


@pytest.mark.parametrize("order", ["abc", "acb", "bac", "bca", "cab", "cba"])
def test_every_member_of_a_circle_learns_of_it_whichever_came_last(story: Story, order: str) -> None:
    on = {"a": "b", "b": "c", "c": "a"}
    for name in order[:-1]:
        story.new(name, on[name])
    assert [story.cycle(name) for name in "abc"] == ["", "", ""]
    story.told()
    story.new(order[-1], on[order[-1]])
    assert story.told() == {"a", "b", "c"}
    assert [story.cycle(name) for name in "abc"] == ["abca", "bcab", "cabc"]


def test_a_circle_is_forgotten_when_a_member_leaves_and_others_through_it_stay(story: Story) -> None:
    story.new("a", "b", "c")
    c = story.new("c", "a")
    assert (story.cycle("a"), story.cycle("c")) == ("aca", "cac")
    b = story.new("b", "a")
    assert (story.cycle("b"), story.cycle("c")) == ("bab", "cac")
    story.told()
    story.put(c, phase=Phase.CANCELLED, finished=1.0)
    assert (story.cycle("a"), story.cycle("b"), story.cycle("c")) == ("aba", "bab", "")
    story.store.remove_job(b.uid)
    assert story.cycle("a") == ""
    assert {"a"} <= story.told()


def test_who_has_a_pod_waits_for_nobody_and_is_on_no_circle(story: Story) -> None:
    a = story.new("a", "b")
    story.store.put_pod(make_pod(a))
    story.new("b", "a")
    assert story.cycle("b") == ""


def test_ten_thousand_jobs_in_a_row_or_a_ring_are_taken_in_in_time(story: Story) -> None:
    count = 10_000
    began = time.perf_counter()
    order = sorted(range(count), key=lambda n: (n * 7919) % count)
    for n in order:
        story.new(f"n{n}", f"n{(n + 1) % count}")
    job = story.store.job("n5")
    assert job is not None
    cycle = story.store.dependencies(job).cycle
    assert (len(cycle), cycle[0], cycle[1], cycle[-1]) == (count + 1, "n5", "n6", "n5")
    story.store.remove_job("n17")
    assert story.store.dependencies(job).cycle == ()
    assert time.perf_counter() - began < 20.0


names = st.sampled_from("abcde")
events = st.lists(
    st.one_of(
        st.tuples(st.just("new"), names, st.lists(names, max_size=3, unique=True)),
        st.tuples(st.sampled_from(["start", "end", "delete"]), names, st.just([])),
    ),
    max_size=25,
)


@given(events)
@settings(max_examples=400)
def test_in_any_order_of_events_exactly_those_on_a_circle_say_so_and_nothing_is_left(
    told: list[tuple[str, str, list[str]]],
) -> None:
    story = Story()
    present: dict[str, JobView] = {}
    for number, (kind, name, on) in enumerate(told):
        job = present.get(name)
        if kind == "new" and job is None:
            present[name] = story.new(name, *on, uid=f"{name}-{number}")
        elif job is not None and kind == "start" and job.status.phase is None:
            present[name] = story.put(job, phase=Phase.RUNNING, attempts=(make_attempt(job, outcome=None),))
        elif job is not None and kind == "end" and not (job.status.phase and job.status.phase.terminal):
            present[name] = story.put(job, phase=Phase.FAILED, finished=1.0)
        elif job is not None and kind == "delete":
            story.store.remove_job(present.pop(name).uid)
        for job in present.values():
            cycle = story.store.dependencies(job).cycle
            assert bool(cycle) == _on_a_circle(job.name, present), (job.name, cycle)
            assert not cycle or all(
                after in {one.name for one in present[before].dependencies}
                for before, after in itertools.pairwise(cycle)
            )
    for job in list(present.values()):
        story.store.remove_job(job.uid)
    assert story.store._dependents.counts() == (0, 0, 0)


def _on_a_circle(start: str, present: dict[str, JobView]) -> bool:
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
