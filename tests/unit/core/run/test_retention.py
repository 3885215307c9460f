"""When a finished job, and its pods, may go."""

import msgspec
import pytest

from podwright.core.commands import Decision, Delete
from podwright.core.model.job import JobView
from podwright.core.model.phase import Phase
from podwright.core.model.pod import PodView
from podwright.core.run.retention import expires_at, pods_expire_at
from podwright.core.spec import Retention
from tests.support.builders import decide_on, finished, kept_for, make_attempt, make_job, make_pod, with_status

ENDED = 1000.0
RETENTION = Retention(succeeded=10.0, failed=20.0, cancelled=30.0, pods=5.0)


@pytest.mark.parametrize(
    ("ttl", "finished", "want"), [(None, 10.0, None), (60.0, None, None), (0.0, 10.0, 10.0), (60.0, 10.0, 70.0)]
)
def test_expiry(ttl: float | None, finished: float | None, want: float | None) -> None:
    job = with_status(make_job(retention=kept_for(ttl)), phase=Phase.SUCCEEDED, finished=finished)
    assert expires_at(job) == want


@pytest.mark.parametrize(
    ("phase", "want"),
    [
        (Phase.SUCCEEDED, ENDED + 10),
        (Phase.FAILED, ENDED + 20),
        (Phase.CANCELLED, ENDED + 30),
        (Phase.SKIPPED, ENDED + 30),
        (Phase.DEAD_LETTERED, None),
    ],
)
def test_each_outcome_has_its_own_time_and_dead_letters_stay(phase: Phase, want: float | None) -> None:
    job = with_status(make_job(retention=RETENTION), phase=phase, finished=ENDED)
    assert expires_at(job) == want
    assert pods_expire_at(job) == ENDED + 5
    tracked = msgspec.structs.replace(job, retention=msgspec.structs.replace(RETENTION, gitops=True))
    assert expires_at(tracked) is None, "it would be created again, and run again"
    assert pods_expire_at(tracked) == ENDED + 5


JOB = with_status(
    make_job(retention=Retention(succeeded=60.0, pods=5.0)),
    phase=Phase.SUCCEEDED,
    finished=ENDED,
    attempts=(make_attempt(make_job(), number=0), make_attempt(make_job(), number=1)),
)
PODS = tuple(msgspec.structs.replace(finished(make_pod(JOB, attempt=n), at=ENDED), held=False) for n in (0, 1))


def decide(*pods: PodView, job: JobView = JOB, now: float) -> Decision:
    return decide_on(job=job, pods=pods, refusal=None, now=now)


def test_pods_go_before_their_job() -> None:
    assert decide(*PODS, now=ENDED + 4) == Decision(requeue_at=ENDED + 5)
    decision = decide(*PODS, now=ENDED + 5)
    assert decision.requeue_at == ENDED + 60
    assert [(c.target.uid, c.cleanup, c.grace) for c in decision.commands if isinstance(c, Delete)] == [
        (pod.uid, True, None) for pod in PODS
    ]


def test_pods_that_go_already_are_not_deleted_again() -> None:
    going = tuple(msgspec.structs.replace(pod, deletion_requested=ENDED + 5) for pod in PODS)
    assert decide(*going, now=ENDED + 6) == Decision(requeue_at=ENDED + 60)
    assert decide(now=ENDED + 6) == Decision(requeue_at=ENDED + 60)


def test_a_job_whose_time_has_come_takes_its_pods_along() -> None:
    (delete,) = decide(*PODS, now=ENDED + 60).commands
    assert isinstance(delete, Delete)


def test_a_pod_that_is_held_is_let_go_before_it_is_deleted() -> None:
    held = msgspec.structs.replace(PODS[1], held=True)
    assert not any(isinstance(command, Delete) for command in decide(PODS[0], held, now=ENDED + 6).commands)
