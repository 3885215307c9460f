"""Decisions on whole arrays that hang on more than one policy."""

from typing import Any

import msgspec

from podwright.core.array.decide import decide_array
from podwright.core.commands import CreatePod, Decision, WriteStatus
from podwright.core.index_set import IndexSet
from podwright.core.job.phase import Phase
from podwright.core.spec import DeliveryMode
from podwright.core.view import ArrayRecord, JobStatus, JobView, PodView, Refusal, RefusalKind
from tests.builders import CREATED, finished, with_status
from tests.core.array.builders import array_job, look_at, make_array, unit_pod

NOW = CREATED + 100
JOB = array_job(make_array(6, parallelism=3))


def decide(job: JobView, *pods: PodView, now: float = NOW, **look: Any) -> Decision:
    return decide_array(look_at(job, *pods, now=now, **look))


def written(decision: Decision) -> JobStatus:
    """Give the status that the decision's only command writes."""
    (command,) = decision.commands
    assert isinstance(command, WriteStatus)
    return command.status


def created(decision: Decision) -> list[int]:
    """Give the units whose pods a decision asks for."""
    return [command.task_index for command in decision.commands if isinstance(command, CreatePod)]


# AtMostOnce.

ONCE = array_job(make_array(6, parallelism=3), delivery=DeliveryMode.AT_MOST_ONCE)


def intending(units: str, **changes: Any) -> JobView:
    """Build an array that has recorded which units it is about to start."""
    job = msgspec.structs.replace(ONCE, **changes)
    return with_status(job, phase=Phase.PENDING, array=ArrayRecord(started=IndexSet.parse(units)))


def refused(*, ago: float) -> Refusal:
    return Refusal(
        task_index=0,
        attempt=0,
        kind=RefusalKind.RETRYABLE,
        reason="QuotaExceeded",
        message="exceeded quota",
        at=NOW - ago,
        count=1,
    )


def started(status: JobStatus) -> str:
    """Give what is on record as started."""
    assert status.array is not None
    return str(status.array.started)


def test_while_pods_are_refused_no_intent_is_on_record() -> None:
    status = written(decide(intending("0-2"), intended=frozenset({0, 1, 2}), refusal=refused(ago=0)))
    assert (status.reason, started(status)) == ("QuotaExceeded", "")


def test_after_a_refusal_one_unit_is_tried_with_one_intent() -> None:
    waited = refused(ago=60)
    status = written(decide(ONCE, refusal=waited))
    assert started(status) == "0"
    job = msgspec.structs.replace(ONCE, status=status)
    assert created(decide(job, intended=frozenset({0}), refusal=waited)) == [0]


def test_a_suspension_takes_unused_intents_back() -> None:
    job = intending("0-2", suspend=True)
    status = written(decide(job, intended=frozenset({1, 2})))
    assert (status.phase, started(status)) == (Phase.SUSPENDED, "0")
    pod = finished(unit_pod(job, 0), at=NOW)
    status = written(decide(job, pod, intended=frozenset({1, 2})))
    assert (status.phase, status.progress) == (Phase.SUSPENDED, "1/6")


# Names that are taken.


def test_a_unit_whose_name_is_taken_is_not_asked_for_again_before_that_is_recorded() -> None:
    taken = Refusal(attempt=0, kind=RefusalKind.COLLISION, reason="NameCollision", message="taken", at=NOW, count=1)
    waiting = decide(JOB, refusal=taken, recorded_at=NOW)
    assert created(waiting) == [1, 2, 3]
    status = next(c for c in decide(JOB, refusal=taken).commands if isinstance(c, WriteStatus)).status
    assert (status.attempts[0].index, status.attempts[0].reason) == (0, "NameCollision")
