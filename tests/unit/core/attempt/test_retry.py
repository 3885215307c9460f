"""Three budgets, and backoff with full jitter: bounded, growing, the same in every process."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.core.attempt.retry import Counts, counts_of, next_delay, used_up
from podwright.core.model.attempt import Budget
from podwright.core.model.job import JobStatus
from podwright.core.spec import RetryPolicy


def delay(policy: RetryPolicy, *, key: str = "uid", count: int = 1, budget: Budget = Budget.USER) -> float:
    """Return the delay after `count` failures that were charged to a budget."""
    counts = Counts(attempts=count, failed=count, platform=count, timeouts=count)
    return next_delay(policy=policy, key=key, counts=counts, budget=budget, asked=None)


@pytest.mark.parametrize(
    ("policy", "counts", "budget", "want"),
    [
        (RetryPolicy(limit=0), Counts(failed=0), Budget.USER, False),
        (RetryPolicy(limit=0), Counts(failed=1), Budget.USER, True),
        (RetryPolicy(limit=3), Counts(failed=3), Budget.USER, False),
        (RetryPolicy(limit=3), Counts(failed=4), Budget.USER, True),
        (RetryPolicy(limit=0), Counts(failed=0, platform=10), Budget.PLATFORM, False),
        (RetryPolicy(limit=0), Counts(failed=0, platform=11), Budget.PLATFORM, True),
        (RetryPolicy(platform_limit=0), Counts(platform=1), Budget.PLATFORM, True),
        (RetryPolicy(timeout_limit=1), Counts(failed=9, timeouts=1), Budget.TIMEOUT, False),
        (RetryPolicy(timeout_limit=1), Counts(timeouts=2), Budget.TIMEOUT, True),
        (RetryPolicy(limit=2), Counts(timeouts=3), Budget.TIMEOUT, True),
        (RetryPolicy(limit=0), Counts(attempts=99, failed=99), None, False),
    ],
    ids=[
        "no failure",
        "no retries",
        "limits count retries, not attempts",
        "one more than the limit",
        "the platform's losses don't use up the user's limit",
        "the platform's own limit",
        "no retries after losses",
        "timeouts have a limit of their own",
        "which may be used up",
        "without one the user's counts",
        "what was free uses up nothing",
    ],
)
def test_used_up(policy: RetryPolicy, counts: Counts, budget: Budget | None, want: bool) -> None:
    assert used_up(policy=policy, counts=counts, budget=budget) is want


def test_an_attempt_is_counted_once_and_where_it_belongs() -> None:
    counts = Counts().after(budget=Budget.USER, out_of_memory=True).after(budget=Budget.PLATFORM, lost_node=True)
    counts = counts.after(budget=Budget.TIMEOUT).after(budget=None)
    assert counts == Counts(attempts=4, failed=1, platform=1, timeouts=1, out_of_memory=1, lost_nodes=1)
    assert [counts.of(budget) for budget in (*Budget, None)] == [1, 1, 1, 4]


def test_counts_are_what_status_says() -> None:
    status = JobStatus(
        attempt_count=6,
        failed_count=1,
        platform_failed_count=2,
        timeout_count=3,
        out_of_memory_count=4,
        lost_node_count=5,
    )
    assert counts_of(status) == Counts(attempts=6, failed=1, platform=2, timeouts=3, out_of_memory=4, lost_nodes=5)


@given(
    initial=st.floats(0.001, 3600),
    factor=st.integers(1, 10),
    maximum=st.floats(0.001, 86_400),
    count=st.integers(1, 10_000),
    budget=st.sampled_from(Budget),
)
def test_the_delay_stays_below_its_ceiling(
    initial: float, factor: int, maximum: float, count: int, budget: Budget
) -> None:
    policy = RetryPolicy(initial=initial, factor=factor, maximum=maximum)
    found = delay(policy, count=count, budget=budget)
    assert 0 <= found < min(maximum, initial * float(factor) ** min(count - 1, 64)) or found == 0


def test_the_delay_is_the_same_for_every_operator() -> None:
    policy = RetryPolicy(initial=10, factor=2, maximum=360)
    first = [delay(policy, count=n) for n in range(1, 6)]
    second = [delay(policy, count=n) for n in range(1, 6)]
    assert first == second
    assert len(set(first)) == 5


def test_jobs_that_fail_together_do_not_retry_together() -> None:
    policy = RetryPolicy(initial=10, factor=1, maximum=10)
    delays = sorted(delay(policy, key=f"uid-{n}") for n in range(1000))
    for tenth in range(10):
        assert 50 < sum(tenth <= delay < tenth + 1 for delay in delays) < 150


@pytest.mark.parametrize(
    ("budget", "asked", "least", "most"),
    [
        (Budget.USER, 77, 77, 77),
        (Budget.PLATFORM, 0, 0, 0),
        (None, 77, 77, 77),
        (None, 0, 1, 1),
        (None, None, 1, 2),
    ],
)
def test_a_task_may_ask_for_its_delay(budget: Budget | None, asked: int | None, least: float, most: float) -> None:
    found = next_delay(policy=RetryPolicy(initial=0), key="uid", counts=Counts(attempts=1), budget=budget, asked=asked)
    assert least <= found <= most


@given(attempts=st.integers(0, 100_000), key=st.text(max_size=5))
def test_free_retries_never_make_a_hot_loop_nor_wait_long(attempts: int, key: str) -> None:
    policy = RetryPolicy(initial=0.0, maximum=0.0)
    found = next_delay(policy=policy, key=key, counts=Counts(attempts=attempts), budget=None, asked=None)
    assert 1 <= found <= 30
