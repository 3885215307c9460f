"""From a BatchJob as the API server writes it to a `JobView`. Pure; used by `decode`, and the inverse of `encode` for status.

The CRD's schema has checked every object, but maybe another version of it: whatever is not understood is an error here,
never a guess.
"""

import datetime
from sys import intern
from typing import Annotated, Final, Literal

import msgspec

from podwright.core.duration import parse_duration
from podwright.core.index_set import IndexSet
from podwright.core.job.failure_policy import rules_problem
from podwright.core.job.phase import Phase
from podwright.core.job.template_problem import template_problem
from podwright.core.names import GITOPS_MARKS, ORIGINS
from podwright.core.spec import CancelMode, DeliveryMode
from podwright.core.view import ArrayRecord, Attempt, Budget, Condition, JobStatus, JobView, Outcome, RetryGroup
from podwright.kube import spec_decoding as spec
from podwright.kube.times import unix_seconds

Time = datetime.datetime
_Count = Annotated[int, msgspec.Meta(ge=0)]
_EMPTY_STATUS: Final = JobStatus()


class AttemptStatus(msgspec.Struct, gc=False, kw_only=True, rename="camel"):
    """`status.attempts[]`."""

    index: _Count | None = None
    number: _Count
    pod_name: str
    pod_uid: str = msgspec.field(name="podUID", default="")
    node: str = ""
    start_time: Time | None = None
    end_time: Time | None = None
    outcome: Outcome | None = None
    budget: Budget | None = None
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


class TaskRetries(msgspec.Struct, gc=False, rename="camel"):
    """`status.array.retries[]` and `.taskFailures[]`."""

    indexes: str
    attempts: _Count
    failed: _Count = 0
    platform: _Count = 0
    timeouts: _Count = 0
    out_of_memory: _Count = 0
    lost_nodes: _Count = 0
    next_time: Time | None = None


class ArrayStatus(msgspec.Struct, gc=False, rename="camel"):
    """`status.array`; the counts follow from the sets."""

    succeeded_indexes: str = ""
    failed_indexes: str = ""
    running_indexes: str = ""
    started_indexes: str = ""
    retries: list[TaskRetries] | None = None
    task_failures: list[TaskRetries] | None = None


class Artifact(msgspec.Struct, gc=False):
    """`status.artifacts[]`."""

    name: str
    url: str


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
    platform_failed_count: _Count = 0
    timeout_count: _Count = 0
    out_of_memory_count: _Count = 0
    lost_node_count: _Count = 0
    progress: str = ""
    attempts: list[AttemptStatus] | None = None
    conditions: list[ConditionStatus] | None = None
    array: ArrayStatus | None = None
    outputs: msgspec.Raw = msgspec.Raw(b"null")  # in a union with None no object would be accepted
    artifacts: list[Artifact] | None = None
    duplicate_of: str = ""


class Timeouts(msgspec.Struct, gc=False):
    """`spec.timeouts`."""

    attempt: str | None = None
    total: str | None = None
    queue: str | None = None
    start: str | None = None
    progress: str | None = None
    task: str | None = None


class BatchJobSpec(msgspec.Struct, gc=False, rename="camel"):
    """`spec` of a BatchJob."""

    template: msgspec.Raw
    priority: int = 0
    suspend: bool = False
    cancel: CancelMode | None = None
    retry: spec.Retry | None = None
    timeouts: Timeouts | None = None
    ttl_seconds_after_finished: _Count | None = None
    retention: spec.Keep | None = None
    array: spec.Array | None = None
    failure_policy: spec.Failures | None = None
    on_exhausted: str = "DeadLetter"
    delivery_mode: DeliveryMode = DeliveryMode.AT_LEAST_ONCE
    worker_timeout_seconds: _Count | None = None
    idempotency_key: str = ""
    dedup_window: str = "24h"
    start_at: Time | None = None
    depends_on: list[spec.DependsOn] | None = None


class BatchJobMetadata(msgspec.Struct, gc=False, rename="camel"):
    """`metadata` of a BatchJob."""

    name: str
    namespace: str
    uid: str
    resource_version: str
    creation_timestamp: Time
    generation: int = 0
    deletion_timestamp: Time | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


class BatchJob(msgspec.Struct, gc=False):
    """A BatchJob."""

    metadata: BatchJobMetadata
    spec: BatchJobSpec
    status: BatchJobStatus | None = None


_NO_TIMEOUTS: Final = Timeouts()


def job_view(job: BatchJob) -> JobView:
    """Give the view of a job; the template of one that is over is dropped, since nothing will run of it any more.

    Raises:
        ValueError: a duration or the resourceVersion is malformed.
    """
    metadata, wanted = job.metadata, job.spec
    status = _EMPTY_STATUS if job.status is None else status_view(job.status)
    over = status.phase is not None and status.phase.terminal
    timeouts = wanted.timeouts or _NO_TIMEOUTS
    array, problem = (None, "") if wanted.array is None else spec.array_spec(wanted.array)
    failures = spec.failure_policy(wanted.failure_policy)
    if array is not None and over:
        array = msgspec.structs.replace(array, items=())
    progress = _seconds(timeouts.progress)
    if not over and not problem:
        problem = template_problem(template=bytes(wanted.template), array=array, progress=progress)
    return JobView(
        uid=metadata.uid,
        namespace=intern(metadata.namespace),
        name=metadata.name,
        resource_version=int(metadata.resource_version),
        generation=metadata.generation,
        created=unix_seconds(metadata.creation_timestamp),
        # A copy: the raw value is a window into the whole page and would keep it in memory.
        template=b"" if over else bytes(wanted.template),
        status=status,
        deleting=metadata.deletion_timestamp is not None,
        priority=wanted.priority,
        suspend=wanted.suspend,
        cancel=wanted.cancel,
        retry=spec.retry_policy(wanted.retry),
        attempt_timeout=_seconds(timeouts.attempt),
        total_timeout=_seconds(timeouts.total),
        queue_timeout=_seconds(timeouts.queue),
        start_timeout=_seconds(timeouts.start),
        progress_timeout=progress,
        task_timeout=_seconds(timeouts.task),
        retention=spec.retention(
            ttl=wanted.ttl_seconds_after_finished, keep=wanted.retention, gitops=_is_kept_by_gitops(metadata)
        ),
        array=array,
        failure_policy=failures,
        dead_letter=wanted.on_exhausted == "DeadLetter",
        delivery=wanted.delivery_mode,
        worker_timeout=wanted.worker_timeout_seconds,
        idempotency_key=wanted.idempotency_key,
        origin_uid=_origin(metadata),
        dedup_window=parse_duration(wanted.dedup_window),
        start_at=_time(wanted.start_at),
        dependencies=tuple([spec.dependency(entry) for entry in wanted.depends_on or ()]),
        problem=problem or ("" if over else rules_problem(failures.rules)),
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
        platform_failed_count=status.platform_failed_count,
        timeout_count=status.timeout_count,
        out_of_memory_count=status.out_of_memory_count,
        lost_node_count=status.lost_node_count,
        progress=intern(status.progress),
        attempts=tuple([_attempt(attempt) for attempt in status.attempts or ()]),
        conditions=tuple([_condition(condition, message) for condition in status.conditions or ()]),
        array=None if status.array is None else _array(status.array),
        outputs="" if bytes(status.outputs) == b"null" else bytes(status.outputs).decode(),
        artifacts=tuple([(artifact.name, artifact.url) for artifact in status.artifacts or ()]),
        duplicate_of=status.duplicate_of,
    )


def _array(array: ArrayStatus) -> ArrayRecord:
    return ArrayRecord(
        succeeded=IndexSet.parse(array.succeeded_indexes),
        failed=IndexSet.parse(array.failed_indexes),
        running=IndexSet.parse(array.running_indexes),
        started=IndexSet.parse(array.started_indexes),
        retries=tuple([_retries(group) for group in array.retries or ()]),
        task_failures=tuple([_retries(group) for group in array.task_failures or ()]),
    )


def _retries(group: TaskRetries) -> RetryGroup:
    return RetryGroup(
        indexes=IndexSet.parse(group.indexes),
        attempts=group.attempts,
        failed=group.failed,
        platform=group.platform,
        timeouts=group.timeouts,
        out_of_memory=group.out_of_memory,
        lost_nodes=group.lost_nodes,
        due=_time(group.next_time),
    )


def _attempt(attempt: AttemptStatus) -> Attempt:
    return Attempt(
        index=attempt.index,
        number=attempt.number,
        pod_name=attempt.pod_name,
        pod_uid=attempt.pod_uid,
        node=intern(attempt.node),
        started=_time(attempt.start_time),
        ended=_time(attempt.end_time),
        outcome=attempt.outcome,
        budget=attempt.budget,
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


def _origin(metadata: BatchJobMetadata) -> str:
    annotations = metadata.annotations or {}
    return next((annotations[key] for key in ORIGINS if key in annotations), "")


def _is_kept_by_gitops(metadata: BatchJobMetadata) -> bool:
    """Tell whether a tool would create the job again if it were deleted."""
    return any(key in GITOPS_MARKS for keys in (metadata.labels, metadata.annotations) for key in keys or ())


def _seconds(duration: str | None) -> float | None:
    return None if duration is None else parse_duration(duration)


def _time(time: Time | None) -> float | None:
    return None if time is None else unix_seconds(time)
