"""From a BatchJob as the API server writes it to a `JobView`. Pure; used by `decode`.

The CRD's schema has checked every object, but maybe another version of it: whatever is not understood is an error here,
never a guess.
"""

from sys import intern
from typing import Any, Final

import msgspec

from podwright.core.attempt.failure_policy import rules_problem
from podwright.core.constants.limits import MOST_DEDUP_SECONDS
from podwright.core.constants.names import GITOPS_MARKS, ORIGINS
from podwright.core.job.gates.capacity import rests
from podwright.core.job.oversize import if_large, pod_size, size_problem, stored_size
from podwright.core.job.pod.problem import template_problem
from podwright.core.job.work import tokens_before, work_uid
from podwright.core.model.job import JobStatus, JobView
from podwright.core.spec import CancelMode, DeliveryMode
from podwright.core.values.duration import parse_duration
from podwright.kube.codecs import spec
from podwright.kube.codecs.status_decoding import BatchJobStatus, Count, Time, status_view
from podwright.kube.codecs.times import unix_seconds

_EMPTY_STATUS: Final = JobStatus()
_NOTHING: Final = msgspec.Raw()


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
    ttl_seconds_after_finished: Count | None = None
    retention: spec.Keep | None = None
    array: spec.Array | None = None
    failure_policy: spec.Failures | None = None
    on_exhausted: str = "DeadLetter"
    delivery_mode: DeliveryMode = DeliveryMode.AT_LEAST_ONCE
    worker_timeout_seconds: Count | None = None
    idempotency_key: str = ""
    dedup_window: str = "24h"
    start_at: Any = None  # read by `spec.moment`, so that a job with a senseless time can be ended for it
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
    # Only their lengths count.
    finalizers: msgspec.Raw = _NOTHING
    owner_references: msgspec.Raw = _NOTHING
    managed_fields: msgspec.Raw = _NOTHING


class BatchJob(msgspec.Struct, gc=False):
    """A BatchJob."""

    metadata: BatchJobMetadata
    spec: BatchJobSpec
    status: BatchJobStatus | None = None


_NO_TIMEOUTS: Final = Timeouts()


def job_view(job: BatchJob) -> JobView:
    """Return the view of a job. The template of one that is over or rests is dropped: nothing of it runs before an edit, if ever.

    Raises:
        ValueError: a duration or the resourceVersion is malformed.
    """
    metadata, wanted = job.metadata, job.spec
    status = _EMPTY_STATUS if job.status is None else status_view(job.status)
    over = status.is_over
    at_rest = rests(suspend=wanted.suspend, generation=metadata.generation, phase=status.phase)
    timeouts = wanted.timeouts or _NO_TIMEOUTS
    array, problem = (None, "") if wanted.array is None else spec.array_spec(wanted.array)
    failures = spec.failure_policy(wanted.failure_policy)
    start_at, no_time = spec.moment(wanted.start_at)
    progress = spec.seconds(timeouts.progress)
    problem = problem or no_time
    template_size = memoryview(wanted.template).nbytes
    pods_size = if_large(pod_size(template_size, array=array))
    other_metadata = _other_metadata(metadata)
    size = stored_size(
        template=template_size,
        items=array.items if array is not None else (),
        annotations=metadata.annotations,
        labels=metadata.labels,
        other_metadata=other_metadata,
    )
    if not over and not problem:
        # Once it runs, metadata may grow: then the status is made smaller (`core.job.oversize`).
        problem = size_problem(size - other_metadata if status.has_begun else size)
    if array is not None and over:
        array = msgspec.structs.replace(array, items=())
    if not over and not problem:
        problem = template_problem(
            template=bytes(wanted.template), array=array, progress=progress, escalation=failures.escalation
        )
    return JobView(
        uid=metadata.uid,
        namespace=intern(metadata.namespace),
        name=metadata.name,
        resource_version=int(metadata.resource_version),
        generation=metadata.generation,
        created=unix_seconds(metadata.creation_timestamp),
        # A copy: the raw value is a window into the whole page and would keep it in memory.
        template=b"" if over or at_rest else bytes(wanted.template),
        status=status,
        deleting=metadata.deletion_timestamp is not None,
        priority=wanted.priority,
        suspend=wanted.suspend,
        cancel=wanted.cancel,
        retry=spec.retry_policy(wanted.retry),
        attempt_timeout=spec.seconds(timeouts.attempt),
        total_timeout=spec.seconds(timeouts.total),
        queue_timeout=spec.seconds(timeouts.queue),
        start_timeout=spec.seconds(timeouts.start),
        progress_timeout=progress,
        task_timeout=spec.seconds(timeouts.task),
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
        work_uid=work_uid(metadata.annotations),
        tokens_before=tokens_before(metadata.annotations),
        dedup_window=min(parse_duration(wanted.dedup_window), MOST_DEDUP_SECONDS),
        start_at=start_at,
        dependencies=tuple([spec.dependency(entry) for entry in wanted.depends_on or ()]),
        problem=problem or ("" if over else rules_problem(failures.rules)),
        size=if_large(size),
        pod_size=pods_size,
    )


def _other_metadata(metadata: BatchJobMetadata) -> int:
    parts = (metadata.finalizers, metadata.owner_references, metadata.managed_fields)
    return sum([memoryview(part).nbytes for part in parts if part is not _NOTHING])


def _origin(metadata: BatchJobMetadata) -> str:
    annotations = metadata.annotations or {}
    return next((annotations[key] for key in ORIGINS if key in annotations), "")


def _is_kept_by_gitops(metadata: BatchJobMetadata) -> bool:
    """Return whether a tool would create the job again if it were deleted."""
    return any(key in GITOPS_MARKS for keys in (metadata.labels, metadata.annotations) for key in keys or ())
