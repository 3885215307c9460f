"""Whether and when to try again after a failed attempt: three budgets, each with exponential backoff and full jitter.

Source of the backoff: "Exponential Backoff And Jitter" (AWS Architecture Blog): sleep = U(0, min(max, initial * factor^n)).
All of it works on `Counts`, which a job has one of and an array one for each task.
"""

from typing import Final

import msgspec

from podwright.core.model.array import RetryGroup
from podwright.core.model.attempt import Budget
from podwright.core.model.job import JobStatus
from podwright.core.spec import RetryPolicy
from podwright.core.values.index_set import EMPTY
from podwright.core.values.jitter import fraction

_EXPONENT_LIMIT = 64  # factor^n must not grow into numbers that float cannot hold
_FREE_FIRST: Final = 1.0
_FREE_LONGEST: Final = 30.0
_FREE_LEAST: Final = 1.0  # also if the task asked for less: nothing else bounds how often it is tried


class Counts(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How many attempts ended, and how: `failed`, `platform` and `timeouts` by the budget that was charged."""

    attempts: int = 0
    failed: int = 0
    platform: int = 0
    timeouts: int = 0
    out_of_memory: int = 0
    lost_nodes: int = 0

    def of(self, budget: Budget | None) -> int:
        """Return what was charged to a budget; for none, all attempts that ended."""
        if budget is None:
            return self.attempts
        return {Budget.USER: self.failed, Budget.PLATFORM: self.platform, Budget.TIMEOUT: self.timeouts}[budget]

    def after(self, *, budget: Budget | None, out_of_memory: bool = False, lost_node: bool = False) -> "Counts":
        """Return the counts after one more attempt that ended; `budget` is None if it was charged to none."""
        return Counts(
            attempts=self.attempts + 1,
            failed=self.failed + (budget is Budget.USER),
            platform=self.platform + (budget is Budget.PLATFORM),
            timeouts=self.timeouts + (budget is Budget.TIMEOUT),
            out_of_memory=self.out_of_memory + out_of_memory,
            lost_nodes=self.lost_nodes + lost_node,
        )


def counts_of(status: JobStatus) -> Counts:
    """Return the counts of a job of one task. An attempt that goes on counts as an attempt already."""
    return Counts(
        attempts=status.attempt_count,
        failed=status.failed_count,
        platform=status.platform_failed_count,
        timeouts=status.timeout_count,
        out_of_memory=status.out_of_memory_count,
        lost_nodes=status.lost_node_count,
    )


def limit_of(*, policy: RetryPolicy, budget: Budget) -> int:
    """Return how many further attempts a budget allows."""
    if budget is Budget.PLATFORM:
        return policy.platform_limit
    if budget is Budget.TIMEOUT and policy.timeout_limit is not None:
        return policy.timeout_limit
    return policy.limit


def counts_of_group(history: RetryGroup) -> Counts:
    """Return the counts of a task or pack of an array."""
    return Counts(
        attempts=history.attempts,
        failed=history.failed,
        platform=history.platform,
        timeouts=history.timeouts,
        out_of_memory=history.out_of_memory,
        lost_nodes=history.lost_nodes,
    )


def group_of(counts: Counts, *, due: float | None) -> RetryGroup:
    """Return what the record of an array says of a task or pack with these counts, as a group that has no members yet."""
    return RetryGroup(
        indexes=EMPTY,
        attempts=counts.attempts,
        failed=counts.failed,
        platform=counts.platform,
        timeouts=counts.timeouts,
        out_of_memory=counts.out_of_memory,
        lost_nodes=counts.lost_nodes,
        due=due,
    )


def used_up(*, policy: RetryPolicy, counts: Counts, budget: Budget | None) -> bool:
    """Return whether the budget that the last failure was charged to leaves no further attempt."""
    return budget is not None and counts.of(budget) > limit_of(policy=policy, budget=budget)


def next_delay(*, policy: RetryPolicy, key: str, counts: Counts, budget: Budget | None, asked: int | None) -> float:
    """Return the seconds to wait before the next attempt.

    Args:
        policy: the job's.
        key: what tells this task from all others, for the jitter; a job's uid, for its only task.
        counts: the last failure included.
        budget: what that failure was charged to.
        asked: seconds that the task asked for, which are waited instead.
    """
    if budget is None:
        return max(_FREE_LEAST, _free_delay(key=key, attempts=counts.attempts) if asked is None else float(asked))
    if asked is not None:
        return float(asked)
    purpose = "retry" if budget is Budget.USER else str(budget)
    return retry_delay(policy=policy, job_uid=key, failed_count=counts.of(budget), purpose=purpose)


def retry_delay(*, policy: RetryPolicy, job_uid: str, failed_count: int, purpose: str = "retry") -> float:
    """Return the backoff after `failed_count` (1 or more) failures that were charged to one budget, in seconds.

    The jitter is a function of the job and the count, so every operator that looks at the job agrees on it.
    """
    exponent = min(failed_count - 1, _EXPONENT_LIMIT)
    ceiling = min(policy.maximum, policy.initial * float(policy.factor) ** exponent)
    return ceiling * fraction(job_uid, purpose, failed_count)


def _free_delay(*, key: str, attempts: int) -> float:
    """At least half is always waited: nothing ends such a series but success."""
    ceiling = min(_FREE_LONGEST, _FREE_FIRST * 2.0 ** min(max(attempts, 1), _EXPONENT_LIMIT))
    return ceiling * (0.5 + 0.5 * fraction(key, "free", attempts))
