"""The picture of jobs and pods: it only moves forward, and what is gone stays gone."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.core.job.gates.dependency import has_started
from podwright.core.job.gates.task_dependency import outlook
from podwright.core.model.array import ArrayRecord, RetryGroup
from podwright.core.model.job import JobView
from podwright.core.model.phase import Phase
from podwright.core.model.pod import PodPhase, PodView
from podwright.core.spec import ArraySpec, Dependency, DependencyCondition, Retention
from podwright.core.values.index_set import IndexSet
from podwright.kube.poison import whole
from podwright.store.jobs import JobStore
from tests.support.builders import CREATED, finished, kept_for, make_attempt, make_job, make_pod, running, with_status

JOB = make_job()


@pytest.fixture
def marked() -> list[str]:
    return []


@pytest.fixture
def store(marked: list[str]) -> JobStore:
    return JobStore(on_change=marked.append)


def version(thing: JobView | PodView, number: int) -> JobView | PodView:
    """Return the same object at another resourceVersion."""
    return msgspec.structs.replace(thing, resource_version=number)


def job_at(number: int, **changes: object) -> JobView:
    """Build the job at a version."""
    return msgspec.structs.replace(JOB, resource_version=number, **changes)


def pod_at(number: int, **changes: object) -> PodView:
    """Build its pod at a version."""
    return msgspec.structs.replace(make_pod(JOB), resource_version=number, **changes)


def test_a_change_marks_the_job_once(store: JobStore, marked: list[str]) -> None:
    store.put_job(job_at(5))
    store.put_job(job_at(5))
    store.put_job(job_at(4, suspend=True))
    assert (marked, store.job(JOB.uid)) == ([JOB.uid], job_at(5))
    store.put_pod(pod_at(7))
    store.put_pod(pod_at(6))
    assert (len(marked), store.pods(JOB.uid)) == (2, (pod_at(7),))


def test_s11_a_full_list_is_stored_in_steps_and_what_it_lacks_goes_last(store: JobStore) -> None:
    gone, listed = job_at(5), [msgspec.structs.replace(job_at(10), uid=f"uid-{number}") for number in range(3)]
    store.put_job(gone)
    known = [store.counts()[0] for _ in store.replace_jobs(listed, list_version=10)]
    assert known == [2, 3, 4, 3]


def test_a_list_removes_what_it_lacks_but_nothing_newer_than_itself(store: JobStore) -> None:
    """A list that began before our own write must not undo it (the old list of F8)."""
    store.put_job(job_at(10))
    store.put_pod(pod_at(20, held=False))
    whole(store.replace_jobs([], list_version=9))
    whole(store.replace_pods([], list_version=19))
    assert (store.job(JOB.uid), store.pods(JOB.uid)) == (job_at(10), (pod_at(20, held=False),))
    whole(store.replace_pods([], list_version=20))
    assert [pod.gone for pod in store.pods(JOB.uid)] == [True]
    whole(store.replace_jobs([], list_version=10))
    assert store.job(JOB.uid) is None
    assert store.pods(JOB.uid) == ()


def test_a_held_pod_that_a_list_by_label_lacks_is_not_proven_gone(store: JobStore, marked: list[str]) -> None:
    """Its label was taken off while no watch was open: the list lacks it as it lacks one that is gone."""
    store.put_job(job_at(10))
    store.put_pod(pod_at(20))
    marked.clear()
    whole(store.replace_pods([], list_version=21))
    assert (store.pods(JOB.uid), marked) == ((pod_at(20),), [JOB.uid])
    assert list(store.take_unlisted(JOB.uid)) == [pod_at(20).name]
    assert list(store.take_unlisted(JOB.uid)) == []


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"held": False}, id="nothing holds it"),
        pytest.param({"deletion_requested": CREATED}, id="its deletion was on record"),
    ],
)
def test_a_pod_that_can_be_gone_is_so_when_a_list_lacks_it(store: JobStore, changes: dict[str, Any]) -> None:
    store.put_job(job_at(10))
    store.put_pod(pod_at(20, **changes))
    whole(store.replace_pods([], list_version=21))
    assert [pod.gone for pod in store.pods(JOB.uid)] == [True]
    assert list(store.take_unlisted(JOB.uid)) == []


def test_s24_the_list_of_one_namespace_says_nothing_of_the_others(store: JobStore) -> None:
    store.put_job(job_at(10))
    store.put_pod(pod_at(20))
    whole(store.replace_jobs([], list_version=99, namespace="elsewhere"))
    whole(store.replace_pods([], list_version=99, namespace="elsewhere"))
    assert (store.job(JOB.uid), store.pods(JOB.uid)) == (job_at(10), (pod_at(20),))
    whole(store.replace_pods([], list_version=99, namespace=JOB.namespace))
    whole(store.replace_jobs([], list_version=99, namespace=JOB.namespace))
    assert store.job(JOB.uid) is None


def test_what_was_deleted_does_not_come_back(store: JobStore) -> None:
    store.put_job(job_at(1))
    store.remove_job(JOB.uid)
    store.put_job(job_at(99))
    assert store.job(JOB.uid) is None
    assert store.job_was_deleted(JOB.uid)
    assert not store.job_was_deleted("never seen")
    store.remove_pod(pod_at(2))
    store.put_pod(pod_at(99))
    assert store.pods(JOB.uid) == ()


def test_a_vanished_pod_is_kept_until_its_end_is_on_record(store: JobStore) -> None:
    store.put_job(job_at(1))
    store.put_pod(pod_at(2))
    store.remove_pod(finished(pod_at(3), at=50.0))
    (gone,) = store.pods(JOB.uid)
    assert gone.gone
    assert gone.ended == 50.0
    recorded = with_status(job_at(4), phase=Phase.RETRYING, attempts=(make_attempt(JOB),))
    store.put_job(recorded)
    assert store.pods(JOB.uid) == ()


def test_a_vanished_pod_whose_end_is_on_record_is_dropped_at_once(store: JobStore) -> None:
    store.put_job(with_status(job_at(1), phase=Phase.RETRYING, attempts=(make_attempt(JOB),)))
    store.put_pod(pod_at(2))
    store.remove_pod(pod_at(3))
    assert store.pods(JOB.uid) == ()


def test_the_pods_of_a_deleted_job_stay_until_they_are_gone(store: JobStore, marked: list[str]) -> None:
    store.put_job(job_at(1))
    store.put_pod(running(pod_at(2), at=1.0))
    store.remove_job(JOB.uid)
    assert [pod.gone for pod in store.pods(JOB.uid)] == [False]
    assert store.uids() == {JOB.uid}
    store.remove_pod(pod_at(3))
    assert store.uids() == set()
    assert marked.count(JOB.uid) == 4


def test_pods_of_others_are_no_concern_of_ours(store: JobStore, marked: list[str]) -> None:
    store.put_pod(pod_at(1, job_uid=""))
    assert (store.counts(), marked) == ((0, 0), [])


@given(st.lists(st.tuples(st.integers(1, 30), st.sampled_from(["event", "list", "gone"])), max_size=30))
def test_the_picture_never_goes_back(steps: list[tuple[int, str]]) -> None:
    store = JobStore(on_change=lambda _: None)
    newest, deleted = 0, False
    for number, kind in steps:
        if kind == "event":
            store.put_job(job_at(number))
            newest = max(newest, number)
        elif kind == "list":
            whole(store.replace_jobs([job_at(number)], list_version=number))
            newest = max(newest, number)
        else:
            store.remove_job(JOB.uid)
            deleted = True
        job = store.job(JOB.uid)
        assert (job is None) if deleted or not newest else (job is not None and job.resource_version == newest)


def test_an_accounted_pod_of_a_finished_job_is_forgotten_for_good(store: JobStore) -> None:
    store.put_job(with_status(job_at(1), phase=Phase.SUCCEEDED, finished=9.0, attempts=(make_attempt(JOB),)))
    store.put_pod(pod_at(2))
    store.put_pod(pod_at(4, held=False, phase=PodPhase.SUCCEEDED))
    assert store.pods(JOB.uid) == ()
    store.put_pod(pod_at(3))
    assert store.pods(JOB.uid) == (), "a late event brought it back"


def test_a_pod_that_nothing_holds_is_known_while_it_may_run(store: JobStore) -> None:
    store.put_job(over_at(1, pods=None))
    store.put_pod(pod_at(2, held=False, phase=PodPhase.RUNNING))
    assert [pod.resource_version for pod in store.pods(JOB.uid)] == [2], "nobody would end it"
    store.put_pod(pod_at(3, held=False, phase=PodPhase.FAILED))
    assert store.pods(JOB.uid) == ()


def test_the_end_of_a_pod_that_nothing_holds_is_known_whole_until_it_is_on_record(store: JobStore) -> None:
    store.put_job(job_at(1))
    store.put_pod(pod_at(2, held=False, phase=PodPhase.SUCCEEDED, message="m"))
    store.remove_pod(pod_at(3, held=False, phase=PodPhase.SUCCEEDED, message="m"))
    assert [(pod.gone, pod.message) for pod in store.pods(JOB.uid)] == [(True, "m")]


def test_of_a_finished_job_only_what_is_needed_is_kept(store: JobStore) -> None:
    attempts = (make_attempt(JOB, number=0, message="a" * 1000), make_attempt(JOB, number=1))
    store.put_job(
        with_status(
            job_at(1, retention=kept_for(5.0)), phase=Phase.FAILED, finished=9.0, message="b" * 1000, attempts=attempts
        )
    )
    kept = store.job(JOB.uid)
    assert kept is not None
    assert (kept.template, kept.status.message, kept.status.finished, kept.retention) == (b"", "", 9.0, kept_for(5.0))
    assert [(a.number, a.pod_uid, a.message) for a in kept.status.attempts] == [
        (attempt.number, attempt.pod_uid, "") for attempt in attempts
    ]


def test_a_running_jobs_released_pods_are_kept_for_its_next_decision(store: JobStore) -> None:
    store.put_job(with_status(job_at(1), phase=Phase.RETRYING, attempts=(make_attempt(JOB),)))
    store.put_pod(pod_at(2, held=False))
    assert len(store.pods(JOB.uid)) == 1


def over_at(number: int, *, pods: float | None) -> JobView:
    """Build the job, finished, with a time for its pods."""
    job = job_at(number, retention=Retention(pods=pods))
    return with_status(job, phase=Phase.SUCCEEDED, finished=9.0, attempts=(make_attempt(JOB),))


def test_pods_that_are_to_be_deleted_in_time_are_known_until_they_are_gone(store: JobStore) -> None:
    store.put_pod(pod_at(2, held=False, phase=PodPhase.SUCCEEDED, message="m" * 1000))
    store.put_job(over_at(3, pods=60.0))
    store.put_pod(pod_at(4, held=False, phase=PodPhase.SUCCEEDED, message="m" * 1000))
    (kept,) = store.pods(JOB.uid)
    assert (kept.resource_version, kept.message) == (4, "")
    store.remove_pod(pod_at(5, held=False, phase=PodPhase.SUCCEEDED))
    assert store.pods(JOB.uid) == ()


def test_pods_that_were_forgotten_are_asked_for_when_they_are_wanted(store: JobStore) -> None:
    store.put_pod(pod_at(2, held=False, phase=PodPhase.SUCCEEDED))
    store.put_job(over_at(3, pods=None))
    assert (store.pods(JOB.uid), store.lacks_pods(JOB.uid)) == ((), False)
    store.put_pod(pod_at(2, held=False, phase=PodPhase.SUCCEEDED))  # a late event, after which it is known as dropped
    store.put_job(over_at(5, pods=60.0))
    assert store.lacks_pods(JOB.uid)
    store.put_all_pods(JOB.uid, [pod_at(4, held=False, phase=PodPhase.SUCCEEDED)])
    assert ([pod.uid for pod in store.pods(JOB.uid)], store.lacks_pods(JOB.uid)) == ([pod_at(4).uid], False)


def test_of_an_array_that_is_over_is_known_which_tasks_were_tried(store: JobStore) -> None:
    """Tasks of another array may wait for them to have started."""
    group = RetryGroup(indexes=IndexSet.parse("3"), attempts=2, failed=2)
    record = ArrayRecord(succeeded=IndexSet.parse("0"), skipped=IndexSet.parse("1"), retries=(group,))
    array = ArraySpec(size=5, tasks=IndexSet.up_to(5))
    job = with_status(make_job(array=array), phase=Phase.CANCELLED, finished=CREATED, array=record)
    store.put_job(job)
    kept = store.job(job.uid)
    assert kept is not None
    assert has_started(kept)
    wanted = Dependency(name=job.name, condition=DependencyCondition.STARTED, task_by_task=True)
    assert str(outlook(wanted=wanted, other=kept)[0]) == "0,3"


VICTIM_POD = make_pod(JOB)


def test_s1_a_pod_of_another_namespace_is_nobodys(store: JobStore, marked: list[str]) -> None:
    store.put_job(job_at(1))
    marked.clear()
    store.put_pod(pod_at(2, uid="forged", namespace="attacker", phase=PodPhase.SUCCEEDED, held=False))
    store.remove_pod(pod_at(3, uid="forged", namespace="attacker"))
    assert (store.pods(JOB.uid), store.counts(), marked) == ((), (1, 0), [])


def test_s1_a_pod_that_came_before_its_job_is_compared_when_the_job_comes(store: JobStore) -> None:
    store.put_pod(pod_at(2, uid="forged", namespace="attacker"))
    store.put_pod(pod_at(3))
    store.put_job(job_at(4))
    assert [pod.uid for pod in store.pods(JOB.uid)] == [VICTIM_POD.uid]
    store.put_pod(pod_at(5, uid="forged", namespace="attacker"))
    assert len(store.pods(JOB.uid)) == 1


def test_l8_one_pod_stays_one_pods_whatever_its_marks_become(store: JobStore) -> None:
    store.put_job(job_at(1))
    store.put_pod(pod_at(2))
    for number in range(3, 300):
        store.put_pod(pod_at(number, job_uid=f"random-{number}", job_name="x"))
    (pod,) = store.pods(JOB.uid)
    assert (pod.resource_version, pod.job_uid, pod.job_name, store.counts()) == (299, JOB.uid, JOB.name, (1, 1))


class Unsearchable(dict[str, Any]):
    """A dictionary in which one can only look up."""

    def _searched(self) -> Any:
        raise AssertionError("all jobs were searched")

    __iter__ = items = values = keys = _searched


def test_s17_an_event_of_a_pod_without_owner_searches_no_jobs(store: JobStore) -> None:
    store.put_job(job_at(1))
    store.put_pod(pod_at(2))
    pods = store._pods
    pods._children, pods._owner_of = Unsearchable(pods._children), Unsearchable(pods._owner_of)
    store.put_pod(pod_at(3, job_uid=""))
    assert [pod.resource_version for pod in store.pods(JOB.uid)] == [3]


def test_s17_whose_a_known_pod_is_takes_no_search(store: JobStore) -> None:
    """The index of pods follows them through every way in which they come and go."""
    store.put_job(job_at(1))
    store.put_pod(pod_at(2))
    store.put_pod(pod_at(3, job_uid=""))
    assert [pod.resource_version for pod in store.pods(JOB.uid)] == [3]
    store.remove_pod_by_uid(VICTIM_POD.uid)
    assert [pod.gone for pod in store.pods(JOB.uid)] == [True]
    store.remove_job(JOB.uid)
    store.put_pod(pod_at(9, job_uid=""))
    assert store.counts() == (0, 0)
    assert len(store._pods) == 0


def test_d8_a_finished_job_is_kept_whole_until_its_edit_was_seen(store: JobStore) -> None:
    """The write that says so must say all the rest again."""
    ended = with_status(job_at(1), phase=Phase.SUCCEEDED, finished=9.0, message="m", observed_generation=1)
    store.put_job(ended)
    store.put_job(msgspec.structs.replace(ended, generation=2, resource_version=2))
    kept = store.job(JOB.uid)
    assert kept is not None
    assert kept.status.message == "m"
    seen = with_status(msgspec.structs.replace(kept, resource_version=3), observed_generation=2)
    store.put_job(seen)
    kept = store.job(JOB.uid)
    assert kept is not None
    assert kept.status.message == ""
