"""What is left out of a status that doesn't fit, and what becomes of a job whose status doesn't fit at all."""

import msgspec
import pytest

from podwright.core.commands import CreateChild, Decision, Delete, Release, WriteStatus
from podwright.core.job.oversize import PATIENCE, Oversize, did_not_fit, fitted, shrunken
from podwright.core.job.status import write_status
from podwright.core.model.job import Condition, JobStatus
from podwright.core.model.phase import Phase
from podwright.core.values.ref import POD
from tests.support.builders import finished, make_attempt, make_job, make_pod, running

NOW = 1_000_100.0
JOB = make_job()
STATUS = JobStatus(
    observed_generation=1,
    phase=Phase.SUCCEEDED,
    reason="Completed",
    message="m" * 1000,
    outputs='{"a":1}',
    artifacts=(("model", "s3://bucket/model"),),
    attempts=tuple(make_attempt(JOB, number=number, message="x" * 1000) for number in range(3)),
    attempt_count=3,
    failed_count=2,
    conditions=(
        Condition(
            type="Complete", status=True, reason="Completed", message="c" * 1000, since=NOW, observed_generation=1
        ),
    ),
)
FULL = write_status(job=JOB, status=STATUS)
SMALL = write_status(job=JOB, status=shrunken(STATUS))
HOPELESS = Oversize(version=1, hopeless=True, since=NOW, tries=1, retry_at=NOW + 30.0)


def test_l4_a_shrunken_status_keeps_what_decisions_are_made_on() -> None:
    small = shrunken(STATUS)
    assert (small.phase, small.reason, small.attempt_count, small.failed_count) == (Phase.SUCCEEDED, "Completed", 3, 2)
    assert [attempt.number for attempt in small.attempts] == [2]
    assert (small.outputs, small.artifacts) == ("", ())
    assert small.message.endswith("(parts left out: the job is too large)")
    assert len(msgspec.json.encode(small)) < 1200 < len(msgspec.json.encode(STATUS))
    assert shrunken(small) == small


def test_l4_first_a_smaller_status_is_tried_then_none_for_ever_longer() -> None:
    once = did_not_fit(FULL, before=None, now=NOW)
    assert once == Oversize(version=1)
    twice = did_not_fit(SMALL, before=once, now=NOW)
    assert twice == HOPELESS
    later = did_not_fit(SMALL, before=twice, now=NOW + 30)
    assert (later.since, later.tries, later.retry_at) == (NOW, 2, NOW + 90)
    for _ in range(20):
        later = did_not_fit(SMALL, before=later, now=NOW)
    assert later.retry_at == NOW + 3600
    changed = write_status(job=msgspec.structs.replace(JOB, resource_version=9), status=STATUS)
    assert did_not_fit(changed, before=later, now=NOW) == Oversize(version=9)


CREATION = CreateChild(of=JOB.ref, kind=POD, namespace="default", name="x", spec=None)
POD_RUNNING = running(make_pod(JOB), at=NOW)
POD_ENDED = finished(make_pod(JOB), at=NOW)
LATE = NOW + PATIENCE


@pytest.mark.parametrize(
    ("oversize", "pods", "now", "wanted"),
    [
        pytest.param(Oversize(version=1), [], NOW, [CreateChild, WriteStatus], id="L4 all goes on with a small status"),
        pytest.param(HOPELESS, [POD_RUNNING], NOW + 1, [], id="L4 nothing starts, what runs has time"),
        pytest.param(HOPELESS, [POD_RUNNING], NOW + 30, [WriteStatus], id="L4 the status is tried again"),
        pytest.param(
            msgspec.structs.replace(HOPELESS, retry_at=LATE + 1),
            [POD_RUNNING],
            LATE,
            [Delete],
            id="L4 what runs is ended",
        ),
        pytest.param(
            msgspec.structs.replace(HOPELESS, retry_at=LATE + 1),
            [POD_ENDED],
            LATE,
            [Release],
            id="L4 what ended is let go",
        ),
    ],
)
def test_what_is_done_of_a_decision(oversize: Oversize, pods: list, now: float, wanted: list) -> None:  # type: ignore[type-arg]
    made = fitted(
        Decision(commands=(CREATION, FULL)), oversize=oversize, job=JOB, pods=pods, changing=frozenset(), now=now
    )
    assert [type(command) for command in made.commands] == wanted
    assert all(command == SMALL for command in made.commands if isinstance(command, WriteStatus))
    assert made.requeue_at is None or made.requeue_at > now


def test_l4_of_a_finished_job_the_status_is_not_tried_again() -> None:
    job = msgspec.structs.replace(JOB, status=msgspec.structs.replace(STATUS, finished=NOW))
    made = fitted(Decision(commands=(FULL,)), oversize=HOPELESS, job=job, pods=[], changing=frozenset(), now=NOW + 99)
    assert made == Decision()
