"""From a BatchJob as the API server writes it to a `JobView`. Pure; used by `decode`, and the inverse of `encode` for status.

The CRD's schema has checked every object, but maybe another version of it: whatever is not understood is an error here,
never a guess.
"""

import datetime
from sys import intern
from typing import Annotated, Final, Literal

import msgspec

from podwright.core.job.phase import Phase
from podwright.core.view import Attempt, CancelMode, Condition, JobStatus, JobView, Outcome, RetryPolicy
from podwright.kube.times import parse_duration, unix_seconds

Time = datetime.datetime
_Count = Annotated[int, msgspec.Meta(ge=0)]
_DEFAULT_RETRY: Final = RetryPolicy()
_EMPTY_STATUS: Final = JobStatus()


class AttemptStatus(msgspec.Struct, gc=False, rename="camel"):
    """`status.attempts[]`."""

    number: _Count
    pod_name: str
    pod_uid: str = msgspec.field(name="podUID", default="")
    node: str = ""
    start_time: Time | None = None
    end_time: Time | None = None
    outcome: Outcome | None = None
    exit_code: int | None = None
    reason: str = ""
    message: str = ""


class ConditionStatus(msgspec.Struct, gc=False, rename="camel"):
    """`status.conditions[]`."""

    type: str
    status: Literal["True", "False"]
    last_transition_time: Time
    reason: str = ""
    message: str = ""
    observed_generation: int = 0


class BatchJobStatus(msgspec.Struct, gc=False, rename="camel"):
    """`status` of a BatchJob."""

    observed_generation: int = -1
    phase: Phase | None = None
    reason: str = ""
    message: str = ""
    start_time: Time | None = None
    finish_time: Time | None = None
    next_attempt_time: Time | None = None
    attempt_count: _Count = 0
    failed_count: _Count = 0
    progress: str = ""
    attempts: list[AttemptStatus] | None = None
    conditions: list[ConditionStatus] | None = None


class Retry(msgspec.Struct, gc=False):
    """`spec.retry`."""

    limit: _Count = 3
    initial: str = "10s"
    factor: Annotated[int, msgspec.Meta(ge=1)] = 2
    maximum: str = msgspec.field(name="max", default="6m")


class Timeouts(msgspec.Struct, gc=False):
    """`spec.timeouts`."""

    attempt: str | None = None
    total: str | None = None


class BatchJobSpec(msgspec.Struct, gc=False, rename="camel"):
    """`spec` of a BatchJob."""

    template: msgspec.Raw
    priority: int = 0
    suspend: bool = False
    cancel: CancelMode | None = None
    retry: Retry | None = None
    timeouts: Timeouts | None = None
    ttl_seconds_after_finished: _Count | None = None


class BatchJobMetadata(msgspec.Struct, gc=False, rename="camel"):
    """`metadata` of a BatchJob."""

    name: str
    namespace: str
    uid: str
    resource_version: str
    creation_timestamp: Time
    generation: int = 0
    deletion_timestamp: Time | None = None


class BatchJob(msgspec.Struct, gc=False):
    """A BatchJob."""

    metadata: BatchJobMetadata
    spec: BatchJobSpec
    status: BatchJobStatus | None = None


def job_view(job: BatchJob) -> JobView:
    """Give the view of a job; the template of one that is over is dropped, since nothing will run of it any more.

    Raises:
        ValueError: a duration or the resourceVersion is malformed.
    """
    metadata, spec = job.metadata, job.spec
    status = _EMPTY_STATUS if job.status is None else status_view(job.status)
    over = status.phase is not None and status.phase.terminal
    timeouts, ttl = spec.timeouts, spec.ttl_seconds_after_finished
    return JobView(
        uid=metadata.uid,
        namespace=intern(metadata.namespace),
        name=metadata.name,
        resource_version=int(metadata.resource_version),
        generation=metadata.generation,
        created=unix_seconds(metadata.creation_timestamp),
        # A copy: the raw value is a window into the whole page and would keep it in memory.
        template=b"" if over else bytes(spec.template),
        status=status,
        deleting=metadata.deletion_timestamp is not None,
        priority=spec.priority,
        suspend=spec.suspend,
        cancel=spec.cancel,
        retry=_DEFAULT_RETRY if spec.retry is None else _retry(spec.retry),
        attempt_timeout=None if timeouts is None else _seconds(timeouts.attempt),
        total_timeout=None if timeouts is None else _seconds(timeouts.total),
        ttl=None if ttl is None else float(ttl),
    )


def status_view(status: BatchJobStatus) -> JobStatus:
    """Give the view of a status."""
    message = status.message
    return JobStatus(
        observed_generation=status.observed_generation,
        phase=status.phase,
        reason=intern(status.reason),
        message=message,
        started=_time(status.start_time),
        finished=_time(status.finish_time),
        next_attempt=_time(status.next_attempt_time),
        attempt_count=status.attempt_count,
        failed_count=status.failed_count,
        progress=intern(status.progress),
        attempts=tuple([_attempt(attempt) for attempt in status.attempts or ()]),
        conditions=tuple([_condition(condition, message) for condition in status.conditions or ()]),
    )


def _attempt(attempt: AttemptStatus) -> Attempt:
    return Attempt(
        number=attempt.number,
        pod_name=attempt.pod_name,
        pod_uid=attempt.pod_uid,
        node=intern(attempt.node),
        started=_time(attempt.start_time),
        ended=_time(attempt.end_time),
        outcome=attempt.outcome,
        exit_code=attempt.exit_code,
        reason=intern(attempt.reason),
        message=attempt.message,
    )


def _condition(condition: ConditionStatus, message: str) -> Condition:
    return Condition(
        type=intern(condition.type),
        status=condition.status == "True",
        reason=intern(condition.reason),
        # Conditions mostly repeat the status' message; one copy of it is enough.
        message=message if condition.message == message else condition.message,
        since=unix_seconds(condition.last_transition_time),
        observed_generation=condition.observed_generation,
    )


def _retry(retry: Retry) -> RetryPolicy:
    policy = RetryPolicy(
        limit=retry.limit,
        initial=parse_duration(retry.initial),
        factor=retry.factor,
        maximum=parse_duration(retry.maximum),
    )
    return _DEFAULT_RETRY if policy == _DEFAULT_RETRY else policy


def _seconds(duration: str | None) -> float | None:
    return None if duration is None else parse_duration(duration)


def _time(time: Time | None) -> float | None:
    return None if time is None else unix_seconds(time)
