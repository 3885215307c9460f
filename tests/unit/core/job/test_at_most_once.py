"""AtMostOnce: the intent before the pod, and what becomes of a job whose pod may have run."""

import msgspec
import pytest

from podwright.core.commands import Confirm, CreateChild, Decision, WriteStatus
from podwright.core.job.pod.attempt_pod import confirm_pod
from podwright.core.model.attempt import Attempt, Outcome, Refusal, RefusalKind
from podwright.core.model.job import JobStatus, JobView
from podwright.core.model.phase import Phase
from podwright.core.model.pod import PodView
from podwright.core.spec import CancelMode, DeliveryMode
from tests.support.builders import CREATED, decide_on, finished, make_attempt, make_job, make_pod, running, with_status

NOW = CREATED + 100
JOB = make_job(delivery=DeliveryMode.AT_MOST_ONCE)
POD = make_pod(JOB)


def decide(
    job: JobView,
    *pods: PodView,
    own_intent: bool = False,
    refusal: Refusal | None = None,
    keep_until: float = 0.0,
    now: float = NOW,
) -> Decision:
    return decide_on(job=job, pods=pods, refusal=refusal, now=now, keep_until=keep_until, own_intent=own_intent)


def written(decision: Decision) -> JobStatus:
    """Return the status that the decision's only command writes."""
    (command,) = decision.commands
    assert isinstance(command, WriteStatus)
    assert not command.deferrable, "what a crash would turn into a lost job must not wait"
    status: JobStatus = command.status
    return status


def with_intent(job: JobView = JOB, *, number: int = 0) -> JobView:
    attempts = (*job.status.attempts, Attempt(number=number, pod_name=make_pod(job, attempt=number).name))
    return with_status(job, phase=Phase.PENDING, reason="Starting", attempts=attempts)


def refused(kind: RefusalKind, *, at: float = NOW) -> Refusal:
    return Refusal(attempt=0, kind=kind, reason="QuotaExceeded", message="exceeded quota", at=at, count=1)


def test_the_intent_is_recorded_before_the_pod_is_asked_for() -> None:
    status = written(decide(JOB))
    assert (status.phase, status.reason, status.attempt_count) == (Phase.PENDING, "Starting", 0)
    assert status.attempts == (Attempt(number=0, pod_name=POD.name),)
    (create,) = decide(msgspec.structs.replace(JOB, status=status), own_intent=True).commands
    assert isinstance(create, CreateChild)
    assert (create.spec.attempt, create.name) == (0, POD.name)


def test_the_intent_of_somebody_else_is_not_acted_upon() -> None:
    (confirm,) = decide(with_intent()).commands
    assert confirm == confirm_pod(job=JOB, name=POD.name)


def test_a_creation_without_an_answer_is_waited_for_and_never_repeated() -> None:
    assert decide(with_intent(), keep_until=NOW + 10) == Decision(requeue_at=NOW + 10)
    assert isinstance(decide(with_intent(), keep_until=NOW).commands[0], Confirm)


def test_a_problem_that_appears_after_the_intent_keeps_the_pod_from_being_created() -> None:
    job = msgspec.structs.replace(with_intent(), problem="p")
    status = written(decide(job, own_intent=True))
    assert (status.phase, status.reason, status.message) == (Phase.FAILED, "InvalidSpec", "p")
    assert status.attempts == (), "it surely never ran"
    (confirm,) = decide(job).commands
    assert isinstance(confirm, Confirm), "whether somebody else asked for the pod is found out first"
    gone = make_pod(JOB, uid="", gone=True, held=False, node="unknown")
    assert written(decide(job, gone)).reason == "MayHaveRun"


def test_a_pod_that_came_counts_although_it_was_taken_for_gone() -> None:
    gone = make_pod(JOB, uid="", gone=True, held=False, node="unknown")
    status = written(decide(with_intent(), gone, finished(POD, at=NOW)))
    assert (status.phase, [a.pod_uid for a in status.attempts]) == (Phase.SUCCEEDED, [POD.uid])


@pytest.mark.parametrize(
    ("pod", "reason", "outcome"),
    [
        (make_pod(JOB, uid="", gone=True, held=False, node="unknown"), "MayHaveRun", Outcome.LOST),
        (msgspec.structs.replace(running(POD, at=NOW), gone=True), "MayHaveRun", Outcome.LOST),
        (finished(POD, at=NOW, exit_code=3), "Error", Outcome.FAILED),
        (
            finished(POD, at=NOW, exit_code=143, disruption="EvictionByEvictionAPI"),
            "EvictionByEvictionAPI",
            Outcome.FAILED,
        ),
        (msgspec.structs.replace(POD, deletion_requested=NOW), "DeletedBeforeStart", Outcome.FAILED),
    ],
    ids=["an intent without a pod", "vanished", "failed", "evicted", "deleted before it had a node"],
)
def test_nothing_is_repeated(pod: PodView, reason: str, outcome: Outcome) -> None:
    status = written(decide(with_intent(), pod))
    assert (status.phase, status.reason) == (Phase.FAILED, reason)
    assert [(a.number, a.outcome) for a in status.attempts] == [(0, outcome)]
    assert "AtMostOnce" in status.message


def test_a_job_that_is_cancelled_while_its_pod_is_unaccounted_for_says_both() -> None:
    gone = make_pod(JOB, uid="", gone=True, held=False, node="unknown")
    status = written(decide(msgspec.structs.replace(with_intent(), cancel=CancelMode.GRACEFUL), gone))
    assert (status.phase, status.attempts[0].outcome) == (Phase.CANCELLED, Outcome.LOST)


# What was surely not created may be tried again.


@pytest.mark.parametrize(
    ("changes", "phase"), [({"suspend": True}, Phase.SUSPENDED), ({"cancel": CancelMode.GRACEFUL}, Phase.CANCELLED)]
)
def test_a_stop_before_the_pod_was_asked_for_takes_the_intent_back(changes: dict[str, object], phase: Phase) -> None:
    status = written(decide(msgspec.structs.replace(with_intent(), **changes), own_intent=True))
    assert (status.phase, status.attempts, status.attempt_count) == (phase, (), 0)


def test_a_wait_for_quota_is_without_an_intent() -> None:
    waiting = written(decide(with_intent(), own_intent=True, refusal=refused(RefusalKind.RETRYABLE)))
    assert (waiting.phase, waiting.reason, waiting.attempts) == (Phase.PENDING, "QuotaExceeded", ())
    job = msgspec.structs.replace(JOB, status=waiting)
    later = refused(RefusalKind.RETRYABLE, at=NOW - 60)
    again = written(decide(job, refusal=later))
    assert (again.reason, again.message, len(again.attempts)) == ("QuotaExceeded", "exceeded quota", 1)
    job = msgspec.structs.replace(JOB, status=again)
    assert isinstance(decide(job, own_intent=True, refusal=later).commands[0], CreateChild)
    # The reason is on the status already; the intent must be taken back all the same.
    assert written(decide(job, own_intent=True, refusal=refused(RefusalKind.RETRYABLE))).attempts == ()


def test_a_pod_that_is_refused_for_good_fails_the_job_without_an_attempt() -> None:
    status = written(decide(with_intent(), own_intent=True, refusal=refused(RefusalKind.PERMANENT)))
    assert (status.phase, status.reason, status.attempts) == (Phase.FAILED, "QuotaExceeded", ())


def test_a_taken_name_fails_the_job() -> None:
    status = written(decide(with_intent(), own_intent=True, refusal=refused(RefusalKind.COLLISION)))
    assert (status.phase, status.reason, status.attempts[0].outcome) == (Phase.FAILED, "NameCollision", Outcome.FAILED)


# Suspension.


def suspending(pod: PodView) -> JobView:
    return with_status(
        msgspec.structs.replace(JOB, suspend=True),
        phase=Phase.STOPPING,
        reason="Suspended",
        attempts=(make_attempt(JOB, outcome=None, node=pod.node),),
    )


def test_a_suspended_job_that_ran_is_failed() -> None:
    pod = finished(POD, at=NOW, exit_code=143, deletion_requested=NOW - 5)
    status = written(decide(suspending(pod), pod))
    assert (status.phase, status.reason) == (Phase.FAILED, "StoppedWhileRunning")


def test_a_suspended_job_whose_pod_never_had_a_node_is_resumed_as_another_attempt() -> None:
    pod = msgspec.structs.replace(POD, deletion_requested=NOW - 5)
    suspended = written(decide(suspending(pod), pod))
    assert (suspended.phase, suspended.attempts[0].outcome) == (Phase.SUSPENDED, Outcome.STOPPED)
    resumed = written(decide(msgspec.structs.replace(JOB, status=suspended)))
    assert resumed.reason == "Resumed"
    status = written(decide(msgspec.structs.replace(JOB, status=resumed)))
    assert [(a.number, a.outcome) for a in status.attempts] == [(0, Outcome.STOPPED), (1, None)]
    assert status.attempt_count == 1
