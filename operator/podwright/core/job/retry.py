"""When to try again after a failed attempt: exponential backoff with full jitter.

Source of the rule: "Exponential Backoff And Jitter" (AWS Architecture Blog): sleep = U(0, min(max, initial * factor^n)).
"""

from podwright.core.jitter import fraction
from podwright.core.spec import RetryPolicy

_EXPONENT_LIMIT = 64  # factor^n must not grow into numbers that float cannot hold


def exhausted(*, policy: RetryPolicy, failed_count: int) -> bool:
    """Tell whether `failed_count` failures, the latest included, leave no further attempt."""
    return failed_count > policy.limit


def retry_delay(*, policy: RetryPolicy, job_uid: str, failed_count: int) -> float:
    """Give the seconds to wait before the next attempt, after `failed_count` (1 or more) failures.

    The jitter is a function of the job and the count, so every operator that looks at the job agrees on it.
    """
    exponent = min(failed_count - 1, _EXPONENT_LIMIT)
    ceiling = min(policy.maximum, policy.initial * float(policy.factor) ** exponent)
    return ceiling * fraction(job_uid, "retry", failed_count)
