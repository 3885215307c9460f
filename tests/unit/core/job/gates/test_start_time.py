"""Nothing starts before `spec.startAt`."""

from podwright.core.job.gates.result import OPEN, Wait
from podwright.core.job.gates.start_time import start_time
from tests.support.builders import CREATED, make_job


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
