"""Backoff with full jitter: bounded, growing, the same in every process."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.core.job.retry import exhausted, retry_delay
from podwright.core.spec import RetryPolicy


@pytest.mark.parametrize(
    ("limit", "failed_count", "want_exhausted"),
    [(0, 0, False), (0, 1, True), (3, 3, False), (3, 4, True), (100, 100, False)],
)
def test_the_limit_counts_retries_not_attempts(limit: int, failed_count: int, want_exhausted: bool) -> None:
    assert exhausted(policy=RetryPolicy(limit=limit), failed_count=failed_count) is want_exhausted


@given(
    initial=st.floats(0.001, 3600),
    factor=st.integers(1, 10),
    maximum=st.floats(0.001, 86_400),
    failed_count=st.integers(1, 10_000),
)
def test_the_delay_stays_below_its_ceiling(initial: float, factor: int, maximum: float, failed_count: int) -> None:
    policy = RetryPolicy(initial=initial, factor=factor, maximum=maximum)
    delay = retry_delay(policy=policy, job_uid="uid", failed_count=failed_count)
    assert 0 <= delay < min(maximum, initial * float(factor) ** min(failed_count - 1, 64)) or delay == 0


def test_the_delay_is_the_same_for_every_operator() -> None:
    policy = RetryPolicy(initial=10, factor=2, maximum=360)
    first = [retry_delay(policy=policy, job_uid="uid", failed_count=n) for n in range(1, 6)]
    second = [retry_delay(policy=policy, job_uid="uid", failed_count=n) for n in range(1, 6)]
    assert first == second
    assert len(set(first)) == 5


def test_jobs_that_fail_together_do_not_retry_together() -> None:
    policy = RetryPolicy(initial=10, factor=1, maximum=10)
    delays = sorted(retry_delay(policy=policy, job_uid=f"uid-{n}", failed_count=1) for n in range(1000))
    for tenth in range(10):
        assert 50 < sum(tenth <= delay < tenth + 1 for delay in delays) < 150
