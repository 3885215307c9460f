"""Which events a change of status is worth."""

from typing import Any

import msgspec
import pytest

from podwright.core.model.array import ArrayRecord, RetryGroup
from podwright.core.model.attempt import Attempt, Outcome
from podwright.core.model.job import JobStatus
from podwright.core.model.phase import Phase
from podwright.core.run.events import MESSAGE_LIMIT, EventLevel, events_between
from podwright.core.values.index_set import IndexSet

FAILED_ATTEMPT = Attempt(
    number=0, pod_name="job-0", outcome=Outcome.FAILED, reason="Error", exit_code=3, message="bad row"
)
NEW = JobStatus()
RETRYING = JobStatus(phase=Phase.RETRYING, reason="Error", failed_count=1, attempt_count=1, attempts=(FAILED_ATTEMPT,))


def status(phase: Phase, *, reason: str = "Reason", message: str = "words", **fields: object) -> JobStatus:
    return JobStatus(phase=phase, reason=reason, message=message, **fields)  # type: ignore[arg-type]  # the test's own keywords


@pytest.mark.parametrize(
    ("before", "after", "want"),
    [
        pytest.param(NEW, status(Phase.SUCCEEDED), [], id="a run that just succeeds"),
        pytest.param(NEW, status(Phase.RUNNING), [], id="a run that just starts"),
        pytest.param(NEW, RETRYING, [("Retrying", "attempt 0 failed (Error, exit code 3): bad row")], id="retrying"),
        pytest.param(
            RETRYING, status(Phase.SUCCEEDED, failed_count=1), [("Succeeded", "words")], id="success after a failure"
        ),
        pytest.param(RETRYING, status(Phase.DEAD_LETTERED, failed_count=2), [("DeadLettered", "words")], id="dead"),
        pytest.param(NEW, status(Phase.FAILED), [("Failed", "words")], id="failed"),
        pytest.param(
            NEW, status(Phase.PENDING, reason="QuotaExceeded"), [("QuotaExceeded", "words")], id="refused by a quota"
        ),
        pytest.param(
            status(Phase.PENDING, reason="QuotaExceeded"), status(Phase.PENDING, reason="QuotaExceeded"), [], id="again"
        ),
        pytest.param(NEW, status(Phase.PENDING, reason="PodPending"), [], id="ordinary waiting"),
        pytest.param(status(Phase.RUNNING), status(Phase.STOPPING), [("Stopping", "words")], id="stopping"),
        pytest.param(status(Phase.STOPPING), status(Phase.SUSPENDED), [("Suspended", "words")], id="suspended"),
        pytest.param(status(Phase.SUSPENDED), status(Phase.PENDING), [("Resumed", "words")], id="resumed"),
        pytest.param(status(Phase.STOPPING), status(Phase.CANCELLED), [("Cancelled", "words")], id="cancelled"),
        pytest.param(NEW, status(Phase.SKIPPED), [("Skipped", "words")], id="skipped"),
    ],
)
def test_events_of_runs_in_trouble(before: JobStatus, after: JobStatus, want: list[tuple[str, str]]) -> None:
    found = events_between(before=before, after=after, level=EventLevel.PROBLEMS)
    assert [(event.reason, event.message) for event in found] == want


def test_everything_is_recorded_on_request_and_nothing_when_off() -> None:
    running = status(Phase.RUNNING)
    done = status(Phase.SUCCEEDED)
    assert [e.reason for e in events_between(before=NEW, after=running, level=EventLevel.ALL)] == ["Started"]
    assert [e.reason for e in events_between(before=running, after=done, level=EventLevel.ALL)] == ["Succeeded"]
    assert events_between(before=NEW, after=status(Phase.FAILED), level=EventLevel.OFF) == ()


@pytest.mark.parametrize(
    ("phase", "warning"),
    [(Phase.FAILED, True), (Phase.DEAD_LETTERED, True), (Phase.CANCELLED, False), (Phase.STOPPING, False)],
)
def test_only_what_went_wrong_is_a_warning(phase: Phase, warning: bool) -> None:
    (event,) = events_between(before=NEW, after=status(phase), level=EventLevel.PROBLEMS)
    assert event.warning is warning


def test_an_array_names_the_task() -> None:
    attempt = msgspec.structs.replace(FAILED_ATTEMPT, index=7)
    after = msgspec.structs.replace(RETRYING, attempts=(attempt,), phase=Phase.RUNNING)
    (event,) = events_between(before=status(Phase.RUNNING), after=after, level=EventLevel.PROBLEMS)
    assert event.message.startswith("task 7, attempt 0 failed")


def test_the_same_fact_has_the_same_key_and_another_one_another() -> None:
    second = msgspec.structs.replace(RETRYING, failed_count=2)
    (once,) = events_between(before=NEW, after=RETRYING, level=EventLevel.PROBLEMS)
    (again,) = events_between(before=NEW, after=RETRYING, level=EventLevel.PROBLEMS)
    (next_one,) = events_between(before=RETRYING, after=second, level=EventLevel.PROBLEMS)
    assert once.fact == again.fact != next_one.fact


RETRIED = msgspec.structs.replace(FAILED_ATTEMPT, index=0)
GROUP = RetryGroup(indexes=IndexSet.parse("0"), attempts=1, failed=1)
ONE_RETRIED = status(Phase.RUNNING, failed_count=1, attempts=(RETRIED,), array=ArrayRecord(retries=(GROUP,)))


@pytest.mark.parametrize(
    ("before", "attempt", "record", "want"),
    [
        pytest.param(NEW, RETRIED, {"retries": (GROUP,)}, ["Retrying"], id="a task is retried"),
        pytest.param(NEW, RETRIED, {"failed": IndexSet.parse("0")}, [], id="retry limit 0: a task fails for good"),
        pytest.param(
            ONE_RETRIED,
            msgspec.structs.replace(RETRIED, index=1),
            {"retries": (GROUP,), "failed": IndexSet.parse("1")},
            [],
            id="a task fails for good while another one is retried",
        ),
    ],
)
def test_only_tasks_that_are_tried_again_are_retrying(
    before: JobStatus, attempt: Attempt, record: dict[str, Any], want: list[str]
) -> None:
    array = ArrayRecord(**record)
    attempts = (*before.attempts, attempt)
    after = status(Phase.RUNNING, failed_count=before.failed_count + 1, attempts=attempts, array=array)
    assert [e.reason for e in events_between(before=before, after=after, level=EventLevel.PROBLEMS)] == want


def test_a_retry_quotes_only_the_last_line_of_the_attempt() -> None:
    message = "".join(f"line {number}\n" for number in range(400)) + "FATAL: disk\tfull\n\n"
    attempt = msgspec.structs.replace(FAILED_ATTEMPT, message=message)
    after = msgspec.structs.replace(RETRYING, attempts=(attempt,))
    (event,) = events_between(before=NEW, after=after, level=EventLevel.PROBLEMS)
    assert event.message == "attempt 0 failed (Error, exit code 3): FATAL: disk full"


def test_a_long_message_is_cut() -> None:
    (event,) = events_between(before=NEW, after=status(Phase.FAILED, message="x" * 5000), level=EventLevel.PROBLEMS)
    assert len(event.message) == MESSAGE_LIMIT
