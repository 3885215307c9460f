"""Who is told of whose changes, and for how long a job is awaited."""

import msgspec
import pytest

from podwright.core.model.array import ArrayRecord
from podwright.core.model.phase import Phase
from podwright.core.spec import ArraySpec, Dependency
from podwright.core.values.index_set import IndexSet
from tests.support.builders import make_attempt, make_job, make_pod, running
from tests.support.stories import Story


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
