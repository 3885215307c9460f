"""The clocks of a job and of an attempt."""

import pytest

from podwright.core.run.deadline import (
    KUBELET_SLACK,
    attempt_deadline,
    start_deadline,
    total_deadline,
)
from tests.support.builders import CREATED, make_job, make_pod, running, with_status


@pytest.mark.parametrize(
    ("timeout", "started", "want"),
    [
        (None, None, None),
        (60.0, None, CREATED + 60),
        (60.0, CREATED + 500, CREATED + 560),
    ],
    ids=["no limit", "counts from creation", "counts from the last resume"],
)
def test_total(timeout: float | None, started: float | None, want: float | None) -> None:
    job = with_status(make_job(total_timeout=timeout), started=started)
    assert total_deadline(job) == want


def test_an_attempt_is_given_time_until_its_kubelet_had_its_chance() -> None:
    job = make_job(attempt_timeout=30.0)
    pod = make_pod(job)
    assert attempt_deadline(job=job, pod=pod) is None
    assert attempt_deadline(job=job, pod=running(pod, at=100.0)) == 160.0 + KUBELET_SLACK
    assert attempt_deadline(job=make_job(), pod=running(pod, at=100.0)) is None


STARTING = make_job(start_timeout=30.0)
WAITING = make_pod(STARTING, node="node-1", started=CREATED + 1)


def test_a_pod_may_take_its_time_to_start_and_any_time_once_it_runs() -> None:
    assert start_deadline(job=STARTING, pod=WAITING) == CREATED + 30
    assert start_deadline(job=STARTING, pod=running(WAITING, at=CREATED + 29)) is None
    assert start_deadline(job=make_job(), pod=WAITING) is None
