"""Whether an array is over, and how."""

from typing import Any

import pytest

from podwright.core.job.array.outcome import end_of
from podwright.core.model.array import ArrayRecord
from podwright.core.model.phase import Phase
from podwright.core.spec import ArraySpec
from podwright.core.values.index_set import IndexSet
from tests.support.builders import with_status
from tests.unit.core.job.array.builders import array_job, make_array, record_of


@pytest.mark.parametrize(
    ("array", "record", "want"),
    [
        ({}, record_of(), None),
        ({}, record_of(succeeded="0-8"), None),
        ({}, record_of(succeeded="0-9"), "Succeeded Completed"),
        ({}, record_of(succeeded="0-8", failed="9"), "DeadLettered TasksFailed"),
        ({}, record_of(failed="0"), None),
        ({"most_failed": 1}, record_of(failed="0"), None),
        ({"most_failed": 1}, record_of(failed="0,4"), "DeadLettered TooManyFailedTasks"),
        ({"most_failed": 0}, record_of(failed="0"), "DeadLettered TooManyFailedTasks"),
        ({"success_count": 3}, record_of(succeeded="1,5,9"), "Succeeded Completed"),
        ({"success_count": 3}, record_of(succeeded="1,5"), None),
        ({"success_count": 3}, record_of(succeeded="1", failed="0,2-8"), "DeadLettered SuccessPolicyUnreachable"),
        ({"success_indexes": IndexSet.parse("0-1")}, record_of(succeeded="0-1", failed="2"), "Succeeded Completed"),
        ({"success_indexes": IndexSet.parse("0-1")}, record_of(failed="1"), "DeadLettered SuccessPolicyUnreachable"),
        (
            {"success_indexes": IndexSet.parse("0-5"), "success_count": 2},
            record_of(succeeded="4-9"),
            "Succeeded Completed",
        ),
        ({"sequential": True}, record_of(succeeded="0", failed="1"), "DeadLettered SequenceBroken"),
        ({"tasks": IndexSet.parse("3,5")}, record_of(succeeded="3,5"), "Succeeded Completed"),
        # Skipped tasks are no failures, and nothing waits for them.
        ({}, record_of(succeeded="0-7", skipped="8-9"), "Succeeded Completed"),
        ({}, record_of(succeeded="0-7", skipped="8"), None),
        ({}, record_of(succeeded="0-7", failed="8", skipped="9"), "DeadLettered TasksFailed"),
        ({}, record_of(skipped="0-9"), "Skipped DependencyFailed"),
        ({"most_failed": 0}, record_of(skipped="0-8"), None),
        ({"sequential": True}, record_of(succeeded="0", skipped="1"), None),
        # Nothing used up its retries, so nothing is a dead letter.
        ({"success_count": 3}, record_of(succeeded="0-1", skipped="2-9"), "Failed SuccessPolicyUnreachable"),
        ({"success_indexes": IndexSet.parse("0-1")}, record_of(succeeded="0", skipped="1"), "Succeeded Completed"),
        ({"success_indexes": IndexSet.parse("0-1")}, record_of(skipped="0-1"), None),
        ({"success_indexes": IndexSet.parse("0-1")}, record_of(skipped="0-1", failed="2-9"), "Succeeded Completed"),
    ],
)
def test_ends(array: dict[str, Any], record: ArrayRecord, want: str | None) -> None:
    spec = make_array(10, **array)
    end = end_of(job=array_job(spec), array=spec, record=record)
    assert (None if end is None else f"{end.phase} {end.reason}") == want


def test_a_job_that_ran_once_is_not_called_skipped() -> None:
    array = make_array(3)
    job = with_status(array_job(array), phase=Phase.RUNNING)
    end = end_of(job=job, array=array, record=record_of(skipped="0-2"))
    assert end is not None
    assert (end.phase, end.message) == (Phase.SUCCEEDED, "0 of 3 tasks succeeded, 3 skipped")


@pytest.mark.parametrize(
    ("case", "phase"),
    [
        ({}, Phase.DEAD_LETTERED),
        ({"dead_letter": False}, Phase.FAILED),
        # Two tasks that had no retries; then one of them.
        ({"not_retried": 2}, Phase.FAILED),
        ({"not_retried": 1}, Phase.DEAD_LETTERED),
        ({"given_up": 1, "not_retried": 1}, Phase.FAILED),
    ],
)
def test_d4_what_failed_tasks_make_of_the_job(case: dict[str, Any], phase: Phase) -> None:
    spec = make_array(3)
    counts = {name: case.pop(name) for name in ("given_up", "not_retried") if name in case}
    record = record_of(succeeded="0", failed="1-2", **counts)
    end = end_of(job=array_job(spec, **case), array=spec, record=record)
    assert end is not None
    assert (end.phase, end.message[:19]) == (phase, "2 tasks failed: 1-2")


def large(share: int) -> tuple[ArraySpec, ArrayRecord]:
    """Build a large array of which every n-th task failed, and the others succeeded."""
    failed = IndexSet.of(range(0, 1_000_000, share))
    array = make_array(1_000_000)
    return array, ArrayRecord(failed=failed, succeeded=array.tasks - failed)


def test_a_record_that_would_grow_too_large_ends_the_job() -> None:
    array, record = large(100)
    end = end_of(job=array_job(array), array=array, record=record)
    assert end is not None
    assert (end.reason, end.message[:25]) == ("FailuresTooScattered", "10000 tasks failed: 0,100")


@pytest.mark.parametrize("share", [500, 1000])
def test_the_largest_record_fits(share: int) -> None:
    array, record = large(share)
    end = end_of(job=array_job(array), array=array, record=record)
    assert end is not None
    assert end.reason == "TasksFailed"
    assert len(str(record.succeeded)) + len(str(record.failed)) < 100_000
