"""Tasks that wait for single tasks of another array."""

from typing import Any

import msgspec
import pytest

from podwright.core.job.array.by_task import give_up, permitted
from podwright.core.job.array.outcome import end_of
from podwright.core.job.gates.dependency import NO_DEPENDENCIES, Dependencies
from podwright.core.job.snapshot import Snapshot
from podwright.core.model.array import ArrayRecord, RetryGroup
from podwright.core.model.job import JobView
from podwright.core.model.phase import Phase
from podwright.core.model.units import units_of
from podwright.core.spec import ArraySpec, Dependency, Otherwise
from podwright.core.values.index_set import IndexSet
from tests.support.builders import CREATED, make_job, with_status

SIZE = 6


def sets(text: str) -> IndexSet:
    """Read an index set."""
    return IndexSet.parse(text)


def array(pack: int = 1) -> ArraySpec:
    """Build an array of six tasks."""
    return ArraySpec(size=SIZE, tasks=IndexSet.up_to(SIZE), pack=pack)


def second(*, pack: int = 1, otherwise: Otherwise = Otherwise.FAIL, **status: Any) -> JobView:
    """Build the array that waits."""
    wanted = (Dependency(name="first", task_by_task=True, otherwise=otherwise),)
    return with_status(make_job(name="second", array=array(pack), dependencies=wanted), **status)


def first(succeeded: str = "", failed: str = "", phase: Phase = Phase.RUNNING) -> Dependencies:
    """Build what is known of the array that is waited for."""
    record = ArrayRecord(succeeded=sets(succeeded), failed=sets(failed))
    return Dependencies(jobs={"first": with_status(make_job(name="first", array=array()), phase=phase, array=record)})


def allowed(job: JobView, on: Dependencies) -> str:
    """Return which tasks may run."""
    assert job.array is not None
    return str(permitted(job=job, array=job.array, units=units_of(job.status.array), dependencies=on))


def given_up(job: JobView, on: Dependencies, busy: str = "") -> tuple[str, str] | None:
    """Return which tasks the record calls failed and skipped after a look, None if nothing is written."""
    assert job.array is not None
    units = units_of(job.status.array)
    creating = frozenset(sets(busy))
    write = give_up(Snapshot(job=job, units=units, pods=(), creating=creating, dependencies=on, now=CREATED + 9))
    if write is None or write.status.array is None:
        return None
    return str(write.status.array.failed), str(write.status.array.skipped)


def test_a_task_may_run_once_its_counterpart_has_succeeded() -> None:
    assert allowed(second(), first("1,4")) == "1,4"
    assert allowed(second(), NO_DEPENDENCIES) == ""


def test_what_was_tried_once_may_be_tried_again_whatever_has_become_of_the_other() -> None:
    retries = (RetryGroup(indexes=sets("3"), attempts=1, failed=1),)
    tried = second(phase=Phase.RUNNING, array=ArrayRecord(retries=retries))
    assert allowed(tried, NO_DEPENDENCIES) == "3"
    assert given_up(tried, first(failed="3")) is None


def test_what_may_have_been_started_once_is_neither_given_up_nor_held_back() -> None:
    record = ArrayRecord(started=sets("1"))
    once = second(phase=Phase.PENDING, array=record)
    assert given_up(once, first(failed="1,2")) == ("2", "")
    assert allowed(once, first("3")) == "1,3"
    packs = second(pack=2, phase=Phase.PENDING, array=record)
    assert given_up(packs, first(failed="0-3")) == ("0-1", "")


def test_a_pack_may_run_once_all_its_open_tasks_may() -> None:
    assert allowed(second(pack=2), first("0-2")) == "0-1"
    done = second(pack=2, phase=Phase.RUNNING, array=ArrayRecord(failed=sets("3")))
    assert sets(allowed(done, first("0-2"))) & sets("2-3") == sets("2")


@pytest.mark.parametrize(("otherwise", "place"), [(Otherwise.FAIL, 0), (Otherwise.SKIP, 1)])
def test_tasks_that_never_can_are_recorded_once(otherwise: Otherwise, place: int) -> None:
    def recorded(tasks: str) -> tuple[str, ...]:
        return (tasks, "") if place == 0 else ("", tasks)

    job = second(otherwise=otherwise)
    assert given_up(job, first("0", "1")) == recorded("1")
    assert given_up(job, first("0", phase=Phase.CANCELLED)) == recorded("1-5")
    for known in (ArrayRecord(failed=sets("1")), ArrayRecord(skipped=sets("1"))):
        assert given_up(second(otherwise=otherwise, phase=Phase.RUNNING, array=known), first("0", "1")) is None


def test_nothing_is_given_up_that_has_a_pod_or_that_runs_anyway_or_while_the_job_stops() -> None:
    assert given_up(second(), first(failed="1"), busy="1") is None
    assert given_up(second(otherwise=Otherwise.RUN), first(failed="1")) is None
    for phase in (Phase.STOPPING, Phase.SUSPENDED):
        assert given_up(second(phase=phase), first(failed="1")) is None


def test_the_end_of_the_array_tells_what_its_tasks_waited_for() -> None:
    job = second()
    assert job.array is not None
    write = give_up(Snapshot(job=job, units=units_of(None), pods=(), dependencies=first(failed="1,3"), now=CREATED))
    assert write is not None
    assert write.status.array is not None
    alone = msgspec.structs.replace(write.status.array, succeeded=sets("0,2,4-5"))
    others = msgspec.structs.replace(write.status.array, succeeded=sets("0,4-5"), failed=sets("1-3"))
    reason = "without having run, as tasks of job first did not succeed"
    for record, message in (
        (alone, f"2 tasks failed: 1,3; all of them {reason}"),
        (others, f"3 tasks failed: 1-3; 2 of them {reason}"),
    ):
        end = end_of(job=job, array=job.array, record=record)
        assert end is not None
        assert (end.reason, end.message) == ("TasksFailed", message)


def test_the_status_keeps_what_it_said_of_the_others() -> None:
    record = ArrayRecord(succeeded=sets("0"), running=sets("2"))
    job = second(phase=Phase.RUNNING, array=record, attempt_count=7)
    assert job.array is not None
    write = give_up(Snapshot(job=job, units=units_of(record), pods=(), dependencies=first("0,2", "1"), now=CREATED))
    assert write is not None
    status = write.status
    assert (status.phase, status.attempt_count, status.progress) == (Phase.RUNNING, 7, "1/6")
    assert status.array == msgspec.structs.replace(record, failed=sets("1"), given_up=1)
