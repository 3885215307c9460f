"""The gates together, and what a job does that they hold back."""

from typing import Any

import msgspec
import pytest

from podwright.core.commands import ClaimKey, CreateChild, Decision, WriteStatus
from podwright.core.job.gates.dependency import NO_DEPENDENCIES, Dependencies
from podwright.core.job.gates.gate import QUIET_WAIT
from podwright.core.model.array import ArrayRecord
from podwright.core.model.job import JobView, KeyClaim
from podwright.core.model.phase import Phase
from podwright.core.model.pod import PodView
from podwright.core.spec import CancelMode, Dependency
from podwright.core.values.index_set import IndexSet
from tests.support.builders import CREATED, decide_on, make_attempt, make_job, make_pod, with_status

NOW = CREATED + 100
ON_A = (Dependency(name="a"),)


def decide(
    job: JobView,
    *pods: PodView,
    on: JobView | None = None,
    claim: KeyClaim | None = None,
    now: float = NOW,
    keep_until: float = 0.0,
) -> Decision:
    """Look at a job."""
    known = NO_DEPENDENCIES if on is None else Dependencies(jobs={on.name: on})
    return decide_on(job=job, pods=pods, refusal=None, now=now, keep_until=keep_until, dependencies=known, claim=claim)


def written(decision: Decision) -> WriteStatus:
    """Return the decision's only command, a status write."""
    (command,) = decision.commands
    assert isinstance(command, WriteStatus)
    return command


def ended(phase: Phase) -> JobView:
    """Build job a, which is over."""
    return with_status(make_job(uid="a", name="a"), phase=phase, finished=NOW)


def creates(decision: Decision) -> bool:
    """Return whether the first pod is created."""
    return [type(command) for command in decision.commands] == [CreateChild]


def test_a_job_that_waits_says_so_once() -> None:
    job = make_job(dependencies=ON_A)
    told = written(decide(job))
    assert told.deferrable
    assert (told.status.phase, told.status.reason) == (Phase.PENDING, "DependencyMissing")
    waiting = msgspec.structs.replace(job, status=told.status)
    assert decide(waiting) == Decision()
    assert written(decide(waiting, on=make_job(name="a"))).status.reason == "DependencyWaiting"
    assert creates(decide(waiting, on=ended(Phase.SUCCEEDED)))


def test_a_short_wait_is_not_worth_a_write() -> None:
    job = make_job(dependencies=ON_A)
    assert decide(job, now=CREATED + 1) == Decision(requeue_at=CREATED + QUIET_WAIT)
    assert decide(make_job(start_at=CREATED + 1.5), now=CREATED + 1) == Decision(requeue_at=CREATED + 1.5)


def test_the_job_is_looked_at_again_at_the_earliest_of_all_its_times() -> None:
    job = make_job(start_at=NOW + 50)
    assert decide(job).requeue_at == NOW + 50
    hurried = msgspec.structs.replace(job, start_at=NOW + 50, total_timeout=130.0)
    assert decide(hurried).requeue_at == CREATED + 130
    impatient = make_job(dependencies=ON_A, queue_timeout=130.0)
    assert decide(impatient).requeue_at == CREATED + 130
    assert decide(make_job(queue_timeout=130.0)).requeue_at == CREATED + 130


def test_a_job_that_never_may_start_ends() -> None:
    status = written(decide(make_job(dependencies=ON_A), on=ended(Phase.FAILED))).status
    assert (status.phase, status.reason, status.finished) == (Phase.FAILED, "DependencyFailed", NOW)
    late = written(decide(make_job(dependencies=ON_A, queue_timeout=60.0))).status
    assert (late.phase, late.reason) == (Phase.FAILED, "QueueTimeout")


def test_a_job_does_not_end_while_its_pod_may_be_on_its_way() -> None:
    job = make_job(dependencies=ON_A)
    assert decide(job, on=ended(Phase.FAILED), keep_until=NOW + 9) == Decision(requeue_at=NOW + 9)


def test_the_key_comes_first_and_a_duplicate_waits_for_nothing() -> None:
    job = make_job(idempotency_key="k", start_at=NOW + 50, dependencies=ON_A)
    (command,) = decide(job).commands
    assert isinstance(command, ClaimKey)
    status = written(decide(job, claim=KeyClaim(holder_uid="other", holder_name="first"))).status
    assert (status.phase, status.reason, status.duplicate_of) == (Phase.SKIPPED, "Duplicate", "first")
    ours = KeyClaim(holder_uid=job.uid)
    assert written(decide(job, claim=ours)).status.reason == "Delayed"
    assert creates(decide(make_job(idempotency_key="k"), claim=ours))


def test_cancelling_suspending_and_running_out_of_time_win() -> None:
    job = make_job(dependencies=ON_A, idempotency_key="k")

    def phase_after(**changes: Any) -> Phase | None:
        phase: Phase | None = written(decide(msgspec.structs.replace(job, **changes))).status.phase
        return phase

    assert phase_after(cancel=CancelMode.GRACEFUL) is Phase.CANCELLED
    assert phase_after(suspend=True) is Phase.SUSPENDED
    assert phase_after(total_timeout=50.0) is Phase.FAILED


def test_a_resumed_job_is_gated_once_its_new_start_is_on_record() -> None:
    job = with_status(make_job(dependencies=ON_A, queue_timeout=60.0), phase=Phase.SUSPENDED)
    resumed = written(decide(job)).status
    assert (resumed.phase, resumed.reason, resumed.started) == (Phase.PENDING, "Resumed", NOW)
    waiting = written(decide(msgspec.structs.replace(job, status=resumed)))
    assert waiting.status.reason == "DependencyMissing", "its time to wait counts from the resumption"


@pytest.mark.parametrize(
    "begun",
    [
        {"phase": Phase.RETRYING, "attempts": (make_attempt(make_job()),), "attempt_count": 1},
        {"phase": Phase.PENDING, "attempts": (make_attempt(make_job()),), "attempt_count": 1},
        {"phase": Phase.PENDING, "array": ArrayRecord(running=IndexSet.of([0]))},
        {"phase": Phase.PENDING, "array": ArrayRecord(started=IndexSet.of([0]))},
    ],
)
def test_a_job_that_has_begun_is_never_gated_again(begun: dict[str, Any]) -> None:
    job = with_status(make_job(dependencies=ON_A, idempotency_key="k", queue_timeout=1.0), **begun)
    assert creates(decide(job, on=ended(Phase.FAILED)))


def test_tasks_that_are_given_up_before_they_run_begin_nothing() -> None:
    record = ArrayRecord(failed=IndexSet.of([0]), skipped=IndexSet.of([1]))
    job = with_status(make_job(dependencies=ON_A, queue_timeout=60.0), phase=Phase.PENDING, array=record)
    assert written(decide(job)).status.reason == "QueueTimeout"


def test_a_job_whose_pod_exists_is_never_gated_again() -> None:
    job = make_job(dependencies=ON_A, idempotency_key="k", queue_timeout=1.0, start_at=NOW + 50)
    decision = decide(job, make_pod(job, created=NOW), on=ended(Phase.FAILED))
    assert decision.commands == ()
