"""Verdicts on ended pods, and which attempt is the current one."""

import msgspec
import pytest

from podwright.core.attempt.ending import current_number, recorded_end, verdict
from podwright.core.model.attempt import Attempt, Outcome
from podwright.core.model.job import JobStatus, JobView
from podwright.core.model.phase import Phase
from podwright.core.model.pod import PodPhase, PodView
from podwright.core.run.stop import Stop
from tests.support.builders import finished, make_attempt, make_job, make_pod, running, with_status

JOB = make_job(attempt_timeout=30.0)
PENDING = make_pod(JOB)
RUNNING = running(PENDING, at=100.0)


def gone(pod: PodView) -> PodView:
    """Let the pod have vanished."""
    return PodView(**{field: getattr(pod, field) for field in pod.__struct_fields__} | {"gone": True})


@pytest.mark.parametrize(
    ("pod", "stop", "want_outcome", "want_reason"),
    [
        (finished(RUNNING, at=110), None, Outcome.SUCCEEDED, "Completed"),
        (finished(RUNNING, at=110, exit_code=3), None, Outcome.FAILED, "Error"),
        (finished(RUNNING, at=110, exit_code=137, reason="OOMKilled"), None, Outcome.FAILED, "OOMKilled"),
        (
            finished(RUNNING, at=110, exit_code=143, disruption="EvictionByEvictionAPI"),
            None,
            Outcome.FAILED,
            "EvictionByEvictionAPI",
        ),
        (finished(RUNNING, at=131, exit_code=143, reason="DeadlineExceeded"), None, Outcome.FAILED, "AttemptTimeout"),
        (
            finished(RUNNING, at=110, exit_code=143, deletion_requested=109),
            Stop.CANCELLED,
            Outcome.STOPPED,
            "Cancelled",
        ),
        (finished(RUNNING, at=110, deletion_requested=110), Stop.SUSPENDED, Outcome.STOPPED, "Suspended"),
        (finished(RUNNING, at=110, deletion_requested=121), Stop.SUSPENDED, Outcome.SUCCEEDED, "Completed"),
        (finished(RUNNING, at=110, deletion_requested=109), None, Outcome.SUCCEEDED, "Completed"),
        (finished(RUNNING, at=110, exit_code=2), Stop.CANCELLED, Outcome.FAILED, "Error"),
        (
            finished(RUNNING, at=110, exit_code=143, deletion_requested=109),
            None,
            Outcome.FAILED,
            "DeletedWhileRunning",
        ),
        (finished(RUNNING, at=110, exit_code=3, deletion_requested=111), None, Outcome.FAILED, "Error"),
        (
            finished(RUNNING, at=110, exit_code=137, deletion_requested=109, reason="OOMKilled"),
            None,
            Outcome.FAILED,
            "OOMKilled",
        ),
        (gone(RUNNING), None, Outcome.LOST, "PodLost"),
        (gone(finished(RUNNING, at=110)), None, Outcome.SUCCEEDED, "Completed"),
        (gone(PENDING), None, Outcome.FAILED, "DeletedBeforeStart"),
        (gone(PENDING), Stop.SUSPENDED, Outcome.FAILED, "DeletedBeforeStart"),
    ],
    ids=[
        "succeeded",
        "failed",
        "out of memory",
        "evicted",
        "out of time",
        "stopped",
        "exit 0 in the second of the stop is no success",
        "done before the stop",
        "exit 0 after somebody else's deletion",
        "failed by itself before it was stopped",
        "deleted by somebody",
        "failed before somebody deleted it",
        "out of memory while somebody deleted it",
        "vanished while running",
        "vanished after its end was seen",
        "vanished before it started",
        "vanished before we stopped it",
    ],
)
def test_verdict(pod: PodView, stop: Stop | None, want_outcome: Outcome, want_reason: str) -> None:
    attempt = verdict(job=JOB, pod=pod, stop=stop, now=200.0)
    assert (attempt.outcome, attempt.reason) == (want_outcome, want_reason)
    assert attempt.ended == (200.0 if pod.ended is None else pod.ended)
    assert (attempt.pod_uid, attempt.exit_code) == (pod.uid, pod.exit_code)


def test_a_deleted_pod_without_a_node_has_ended() -> None:
    pod = make_pod(JOB, deletion_requested=100.0)
    assert pod.finished
    assert verdict(job=JOB, pod=pod, stop=None, now=101.0).reason == "DeletedBeforeStart"
    assert not make_pod(JOB, deletion_requested=100.0, node="node-1").finished


@pytest.mark.parametrize(
    ("attempts", "want"),
    [
        ((), 0),
        ((make_attempt(JOB, number=0, outcome=None),), 0),
        ((make_attempt(JOB, number=0),), 1),
        ((make_attempt(JOB, number=7), make_attempt(JOB, number=8, outcome=None)), 8),
    ],
)
def test_current_number(attempts: tuple[Attempt, ...], want: int) -> None:
    assert current_number(JobStatus(attempts=attempts)) == want


def test_only_the_very_pod_of_a_record_counts_as_recorded() -> None:
    status = with_status(JOB, phase=Phase.RETRYING, attempts=(make_attempt(JOB, number=3),)).status
    assert recorded_end(status=status, pod=make_pod(JOB, attempt=3))
    assert recorded_end(status=status, pod=make_pod(JOB, attempt=2)), "older than what is kept"
    assert not recorded_end(status=status, pod=make_pod(JOB, attempt=3, uid="another"))
    assert not recorded_end(status=status, pod=make_pod(JOB, attempt=4))
    ongoing = JobStatus(attempts=(make_attempt(JOB, number=3, outcome=None),))
    assert not recorded_end(status=ongoing, pod=make_pod(JOB, attempt=3, phase=PodPhase.SUCCEEDED))


IDLE = "podwright: no progress for 5s\n"
WATCHED = make_job(progress_timeout=5.0)


@pytest.mark.parametrize(
    ("job", "pod", "want"),
    [
        pytest.param(WATCHED, finished(RUNNING, at=110, message=IDLE), "ProgressTimeout", id="B1 exit 0 on SIGTERM"),
        pytest.param(
            WATCHED, finished(RUNNING, at=110, exit_code=143, message=IDLE), "ProgressTimeout", id="B1 without a trap"
        ),
        pytest.param(WATCHED, finished(RUNNING, at=110, message="done"), "Completed", id="B1 done by itself"),
        pytest.param(JOB, finished(RUNNING, at=110, message=IDLE), "Completed", id="B1 nobody watched"),
        pytest.param(
            make_job(), finished(RUNNING, at=110, exit_code=143, reason="DeadlineExceeded"), "AttemptTimeout", id="B23"
        ),
    ],
)
def test_ends_by_the_kubelets_clocks(job: JobView, pod: PodView, want: str) -> None:
    assert verdict(job=job, pod=pod, stop=None, now=200.0).reason == want


@pytest.mark.parametrize("behind", [0, 4, 9])
def test_b10_a_nodes_clock_that_is_behind_changes_nothing(behind: int) -> None:
    deleted = msgspec.structs.replace(RUNNING, deletion_requested=110.0)
    stopped = finished(deleted, at=110 - behind)
    assert verdict(job=JOB, pod=stopped, stop=Stop.SUSPENDED, now=200.0).outcome is Outcome.STOPPED
    killed = finished(deleted, at=110 - behind, exit_code=143)
    assert verdict(job=JOB, pod=killed, stop=None, now=200.0).reason == "DeletedWhileRunning"
    failed = finished(deleted, at=110 - max(behind, 1), exit_code=3)
    assert verdict(job=JOB, pod=failed, stop=None, now=200.0).reason == "Error", "a code of its own before the deletion"


def test_b6_the_end_of_a_message_is_kept() -> None:
    lines = "\n".join(f"frame {n} of the trace, with enough words to fill sixty bytes" for n in range(40))
    pod = finished(RUNNING, at=110, exit_code=1, message=f"{lines}\nFATAL disk is read-only\n")
    message = verdict(job=JOB, pod=pod, stop=None, now=200.0).message
    assert message.startswith("… frame ")
    assert message.endswith("\nFATAL disk is read-only"), "U26: no trailing newline"
    assert len(message) <= 1024
