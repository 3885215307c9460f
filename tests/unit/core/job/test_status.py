"""The status that follows another."""

import pytest

from podwright.core.attempt.report import Report
from podwright.core.attempt.retry import Counts
from podwright.core.job.status import ATTEMPTS_KEPT, next_status, with_problem
from podwright.core.model.job import JobStatus, JobView
from podwright.core.model.phase import IllegalTransitionError, Phase
from tests.support.builders import CREATED, make_attempt, make_job, with_status

NOW = CREATED + 50


def follow(job: JobView, phase: Phase, **changes: object) -> JobStatus:
    """Build the next status with default words."""
    return next_status(job=job, phase=phase, reason="Reason", message="message", now=NOW, **changes)  # type: ignore[arg-type]  # the test's own keywords


@pytest.mark.parametrize(
    ("phase", "want"),
    [
        (Phase.PENDING, {"Reconciling"}),
        (Phase.RUNNING, {"Reconciling"}),
        (Phase.RETRYING, {"Reconciling"}),
        (Phase.STOPPING, {"Reconciling"}),
        (Phase.SUSPENDED, {"Reconciling", "Suspended"}),
        (Phase.SUCCEEDED, {"Finished", "Complete", "Ready"}),
        (Phase.FAILED, {"Finished", "Failed", "Stalled"}),
        (Phase.CANCELLED, {"Finished", "Failed", "Stalled"}),
        (Phase.DEAD_LETTERED, {"Finished", "Failed", "Stalled"}),
    ],
)
def test_conditions(phase: Phase, want: set[str]) -> None:
    status = follow(make_job(generation=4), phase)
    assert {condition.type for condition in status.conditions} == want
    assert all(condition.status and condition.observed_generation == 4 for condition in status.conditions)
    assert status.observed_generation == 4
    assert (status.finished == NOW) is phase.terminal


def test_a_condition_keeps_its_time_while_it_stays_true() -> None:
    job = make_job()
    job = with_status(job, **_fields(follow(job, Phase.PENDING)))
    later = next_status(job=job, phase=Phase.RUNNING, reason="R", message="m", now=NOW + 10)
    assert [(c.type, c.since, c.reason) for c in later.conditions] == [("Reconciling", NOW, "R")]


def test_an_illegal_step_cannot_be_expressed() -> None:
    with pytest.raises(IllegalTransitionError):
        follow(with_status(make_job(), phase=Phase.SUCCEEDED), Phase.FAILED)


def test_the_clock_starts_at_creation_stops_when_suspended_and_restarts() -> None:
    job = make_job()
    assert follow(job, Phase.PENDING).started == CREATED
    suspended = with_status(job, **_fields(follow(job, Phase.SUSPENDED)))
    assert suspended.status.started is None
    assert follow(suspended, Phase.PENDING, started=NOW).started == NOW


def test_attempts_are_replaced_by_number_and_the_oldest_are_dropped() -> None:
    job = make_job()
    many = tuple(make_attempt(job, number=n) for n in range(ATTEMPTS_KEPT - 1))
    job = with_status(
        job,
        phase=Phase.RUNNING,
        attempts=(*many, make_attempt(job, number=ATTEMPTS_KEPT - 1, outcome=None)),
        failed_count=9,
    )
    status = follow(job, Phase.RETRYING, attempt=make_attempt(job, number=ATTEMPTS_KEPT - 1))
    assert [attempt.number for attempt in status.attempts] == list(range(ATTEMPTS_KEPT))
    status = follow(with_status(job, **_fields(status)), Phase.FAILED, attempt=make_attempt(job, number=ATTEMPTS_KEPT))
    assert [attempt.number for attempt in status.attempts] == list(range(1, ATTEMPTS_KEPT + 1))
    assert (status.attempt_count, status.failed_count) == (ATTEMPTS_KEPT + 1, 9)


def test_what_was_counted_reported_and_noted_stays() -> None:
    before = JobStatus(
        phase=Phase.RUNNING,
        failed_count=1,
        platform_failed_count=2,
        timeout_count=3,
        out_of_memory_count=4,
        lost_node_count=5,
        outputs='{"a":1}',
        artifacts=(("a", "s3://b/c"),),
        duplicate_of="first",
    )
    status = follow(make_job(status=before), Phase.RETRYING)
    kept = [name for name in before.__struct_fields__ if name.endswith("_count") or name in ("outputs", "artifacts")]
    assert [getattr(status, name) for name in kept] == [getattr(before, name) for name in kept]
    assert status.duplicate_of == "first"


def test_counts_and_report_replace_what_was_there() -> None:
    counts = Counts(failed=6, platform=7, timeouts=8, out_of_memory=9, lost_nodes=10)
    report = Report(outputs='{"b":2}', artifacts=(("x", "s3://y"),))
    status = follow(make_job(), Phase.SUCCEEDED, counts=counts, report=report)
    assert (status.failed_count, status.platform_failed_count, status.timeout_count) == (6, 7, 8)
    assert (status.out_of_memory_count, status.lost_node_count) == (9, 10)
    assert (status.outputs, status.artifacts) == ('{"b":2}', (("x", "s3://y"),))


def test_long_messages_are_cut() -> None:
    assert (
        len(next_status(job=make_job(), phase=Phase.PENDING, reason="R", message="x" * 5000, now=NOW).message) == 1024
    )


def test_a_noted_problem_changes_nothing_that_is_decided_on() -> None:
    stopping = with_status(make_job(), phase=Phase.STOPPING, reason="Cancelled")
    assert with_problem(job=stopping, message="boom").reason == "Cancelled"
    running = with_status(make_job(), phase=Phase.RUNNING, reason="PodRunning")
    noted = with_problem(job=running, message="boom")
    assert (noted.phase, noted.reason, noted.message) == (Phase.RUNNING, "InternalError", "boom")


def _fields(status: JobStatus) -> dict[str, object]:
    return {name: getattr(status, name) for name in status.__struct_fields__}
