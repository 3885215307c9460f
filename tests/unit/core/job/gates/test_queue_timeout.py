"""How long a job may wait for its first pod, and from when that counts."""

from typing import Any

import pytest

from podwright.core.job.gates.queue_timeout import queue_deadline, queue_timeout
from podwright.core.job.gates.result import OPEN, End, Open
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
