"""The parts of a BatchJob's spec that policies read, as frozen pictures; `core.model.job.JobView` holds them.

Made by `kube.job_decoding`. Times are seconds since the Unix epoch, durations seconds.
"""

import enum

import msgspec

from podwright.core.values.index_set import IndexSet


class CancelMode(enum.StrEnum):
    """`spec.cancel`: how the running pod of a cancelled job is stopped."""

    GRACEFUL = "Graceful"
    IMMEDIATE = "Immediate"


class DeliveryMode(enum.StrEnum):
    """`spec.deliveryMode`."""

    AT_LEAST_ONCE = "AtLeastOnce"
    AT_MOST_ONCE = "AtMostOnce"


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`spec.retry`: at most `limit` further attempts, delayed by exponential backoff with full jitter.

    `platform_limit` and `timeout_limit` are budgets of their own; without a `timeout_limit` timeouts count as failures.
    """

    limit: int = 3
    initial: float = 10.0
    factor: int = 2
    maximum: float = 360.0
    platform_limit: int = 10
    timeout_limit: int | None = None


class ArraySpec(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`spec.array`. `tasks` are the indexes to run, `size` what they count up to; `most_failed` has shares resolved."""

    size: int
    tasks: IndexSet
    items: tuple[str, ...] = ()
    parallelism: int = 100
    most_failed: int | None = None
    success_count: int | None = None
    success_indexes: IndexSet | None = None
    sequential: bool = False
    pack: int = 1
    pack_parallelism: int = 1


class FailureAction(enum.StrEnum):
    """`spec.failurePolicy.rules[].action`."""

    RETRY = "Retry"
    RETRY_FREE = "RetryFree"
    FAIL = "Fail"
    FAIL_TASK = "FailTask"
    IGNORE = "Ignore"


class FailureRule(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`spec.failurePolicy.rules[]`. All matchers that are set must fit; an empty tuple is none.

    `pod_conditions` are pairs of type and status.
    """

    action: FailureAction
    exit_codes: frozenset[int] = frozenset()
    exit_codes_inverted: bool = False
    container: str = ""
    signals: frozenset[str] = frozenset()
    reasons: frozenset[str] = frozenset()
    pod_conditions: tuple[tuple[str, str], ...] = ()
    waiting_reasons: frozenset[str] = frozenset()
    message: str = ""


class Escalation(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`spec.failurePolicy.onOutOfMemory`; the maxima are quantities as they were written."""

    factor: float
    max_memory: str
    max_cpu: str = ""


class FailurePolicy(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`spec.failurePolicy`."""

    rules: tuple[FailureRule, ...] = ()
    escalation: Escalation | None = None
    avoid_failed_nodes: bool = True
    same_failure_nodes: int | None = None
    quarantine_after: int = 3


class DependencyCondition(enum.StrEnum):
    """`spec.dependsOn[].condition`."""

    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    FINISHED = "Finished"
    STARTED = "Started"


class Otherwise(enum.StrEnum):
    """`spec.dependsOn[].otherwise`."""

    FAIL = "Fail"
    SKIP = "Skip"
    RUN = "Run"


class Dependency(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`spec.dependsOn[]`. `task_by_task` is `tasks: NToN`."""

    name: str
    condition: DependencyCondition = DependencyCondition.SUCCEEDED
    task_by_task: bool = False
    otherwise: Otherwise = Otherwise.FAIL


class Retention(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`spec.ttlSecondsAfterFinished` and `spec.retention`, merged; `gitops` jobs are not deleted by time."""

    succeeded: float | None = None
    failed: float | None = None
    cancelled: float | None = None
    pods: float | None = None
    gitops: bool = False
