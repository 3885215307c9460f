"""The clocks of a job and of an attempt."""

import msgspec
import pytest

from podwright.core.run.deadline import (
    CLOCK_SLACK,
    KUBELET_SLACK,
    attempt_deadline,
    failed_to_start,
    ran_out_of_time,
    start_deadline,
    total_deadline,
)
from podwright.core.view import PodPhase, PodView
from tests.support.builders import CREATED, finished, make_job, make_pod, running, with_status


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


JOB = make_job(attempt_timeout=30.0)
RUNNING = running(make_pod(JOB), at=100.0)


@pytest.mark.parametrize(
    ("pod", "want"),
    [
        (finished(RUNNING, at=131.0, exit_code=137, reason="DeadlineExceeded"), True),
        (finished(RUNNING, at=135.0, exit_code=143, deletion_requested=133.0), True),
        (finished(RUNNING, at=120.0, exit_code=143, deletion_requested=119.0), False),
        (finished(RUNNING, at=140.0, exit_code=1), False),
    ],
    ids=["ended by the kubelet", "deleted after its time", "deleted before its time", "failed by itself, late"],
)
def test_running_out_of_time(pod: PodView, want: bool) -> None:
    assert ran_out_of_time(job=JOB, pod=pod) is want
    assert ran_out_of_time(job=make_job(), pod=pod) is False


STARTING = make_job(start_timeout=30.0)
WAITING = make_pod(STARTING, node="node-1", started=CREATED + 1)


def test_a_pod_may_take_its_time_to_start_and_any_time_once_it_runs() -> None:
    assert start_deadline(job=STARTING, pod=WAITING) == CREATED + 30 + CLOCK_SLACK
    assert start_deadline(job=STARTING, pod=running(WAITING, at=CREATED + 29)) is None
    assert start_deadline(job=make_job(), pod=WAITING) is None


def ended(pod: PodView, **changes: object) -> PodView:
    return msgspec.structs.replace(pod, phase=PodPhase.FAILED, **changes)


@pytest.mark.parametrize(
    ("pod", "want"),
    [
        (ended(WAITING, deletion_requested=CREATED + 32), True),
        (ended(WAITING, deletion_requested=CREATED + 30), True),
        (ended(WAITING, deletion_requested=CREATED + 29), False),
        (ended(WAITING, deletion_requested=CREATED + 32, containers_started=CREATED + 31), False),
        (ended(WAITING), False),
        (make_pod(STARTING, deletion_requested=CREATED + 32), True),
    ],
    ids=["in vain", "on the second", "deleted earlier", "it did start", "failed by itself", "never had a node"],
)
def test_failing_to_start(pod: PodView, want: bool) -> None:
    assert failed_to_start(job=STARTING, pod=pod) is want
    assert failed_to_start(job=make_job(), pod=pod) is False
