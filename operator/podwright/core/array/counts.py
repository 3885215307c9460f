"""A task's or pack's failures by budget: when they are too many, and how long to wait before the next attempt."""

import msgspec

from podwright.core.job.retry import retry_delay
from podwright.core.spec import RetryPolicy
from podwright.core.view import Budget, RetryGroup


def charged(history: RetryGroup, budget: Budget | None, *, out_of_memory: bool = False) -> RetryGroup:
    """Count one more ended attempt, and its failure if it has a budget."""
    return msgspec.structs.replace(
        history,
        attempts=history.attempts + 1,
        failed=history.failed + (budget is Budget.USER),
        platform=history.platform + (budget is Budget.PLATFORM),
        timeouts=history.timeouts + (budget is Budget.TIMEOUT),
        out_of_memory=history.out_of_memory + out_of_memory,
        since=None,
        delay=None,
    )


def used_up(history: RetryGroup, *, policy: RetryPolicy) -> bool:
    """Tell whether one of the budgets is overdrawn, so that there is no further attempt."""
    if policy.timeout_limit is None:
        return history.failed + history.timeouts > policy.limit or history.platform > policy.platform_limit
    return (
        history.failed > policy.limit
        or history.platform > policy.platform_limit
        or history.timeouts > policy.timeout_limit
    )


def due_at(group: RetryGroup, *, policy: RetryPolicy, job_uid: str) -> float:
    """Give when the next attempts of a group may start (Unix seconds; 0 for at once).

    A whole group waits for one time: its members were recorded together, and parallelism spreads them out again. Its
    jitter hangs on that time, so that it stays the same when members leave.
    """
    if group.since is None:
        return 0.0
    if group.delay is not None:
        return group.since + group.delay
    failures = max(1, group.failed + group.platform + group.timeouts)
    return group.since + retry_delay(policy=policy, job_uid=f"{job_uid}/{group.since}", failed_count=failures)
