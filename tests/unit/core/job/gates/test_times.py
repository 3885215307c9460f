"""When a job may start at the earliest, how long it may wait for its first pod, and from when that counts."""

from typing import Any

import pytest

from podwright.core.job.gates.result import OPEN, End, Open, Wait
from podwright.core.job.gates.times import queue_deadline, queue_timeout, start_time
from podwright.core.model.phase import Phase
from tests.support.builders import CREATED, make_job, with_status


@pytest.mark.parametrize(
    ("status", "spec", "deadline"),
    [
        ({}, {}, None),
        ({}, {"queue_timeout": 60.0}, CREATED + 60),
        ({"started": CREATED + 500}, {"queue_timeout": 60.0}, CREATED + 560),  # resumed
        ({}, {"queue_timeout": 60.0, "start_at": CREATED + 100}, CREATED + 160),
        ({"started": CREATED + 500}, {"queue_timeout": 60.0, "start_at": CREATED + 100}, CREATED + 560),
        ({}, {"queue_timeout": 60.0, "start_at": CREATED - 100}, CREATED + 60),
    ],
)
def test_the_time_counts_from_when_the_job_wants_to_run(
    status: dict[str, Any], spec: dict[str, Any], deadline: float | None
) -> None:
    assert queue_deadline(with_status(make_job(**spec), **status)) == deadline


def test_a_job_that_has_waited_too_long_fails_and_says_what_for() -> None:
    job = with_status(make_job(queue_timeout=60.0), message="job a must succeed first")
    assert queue_timeout(job=job, now=CREATED + 59) == Open(recheck_at=CREATED + 60)
    ended = queue_timeout(job=job, now=CREATED + 60)
    assert isinstance(ended, End)
    assert (ended.phase, ended.reason) == (Phase.FAILED, "QueueTimeout")
    assert ended.message == "the job got no pod within spec.timeouts.queue (60 s): job a must succeed first"


def test_without_a_limit_nothing_ends() -> None:
    assert queue_timeout(job=make_job(), now=CREATED * 9) == OPEN


def test_a_job_waits_for_its_time_and_says_which() -> None:
    job = make_job(start_at=CREATED + 60)
    assert start_time(job=job, now=CREATED + 59.9) == Wait(
        reason="Delayed",
        message="the job starts at 1970-01-12T13:47:40Z at the earliest (spec.startAt)",
        requeue_at=CREATED + 60,
    )
    assert start_time(job=job, now=CREATED + 60) == OPEN


def test_a_job_without_a_time_or_with_one_in_the_past_starts() -> None:
    assert start_time(job=make_job(), now=CREATED) == OPEN
    assert start_time(job=make_job(start_at=0.0), now=CREATED) == OPEN


def test_a_time_beyond_what_can_be_written_is_no_error() -> None:
    assert isinstance(start_time(job=make_job(start_at=1e15), now=CREATED), Wait)
