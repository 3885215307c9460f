"""From a command to the one API request that carries it out, and the reads that go with them. Pure; used by the runtime.

Every write carries the precondition that its command names. Answers to writes are asked for as PartialObjectMetadata
where only uid and resourceVersion matter.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from podwright.core.array.size import MOST_RUNNING_RANGES
from podwright.core.commands import CreatePod, DeleteJob, DeletePod, NoteProblem, ReleasePod, WriteStatus
from podwright.core.names import FINALIZER, GROUP, JOB_PLURAL, LABEL_JOB_UID, VERSION
from podwright.core.view import ArrayRecord, Attempt, Condition, JobStatus, RetryGroup
from podwright.kube.times import format_time

JSON: Final = "application/json"
MERGE_PATCH: Final = "application/merge-patch+json"
STRATEGIC_MERGE_PATCH: Final = "application/strategic-merge-patch+json"
_MESSAGE_LIMIT: Final = 1024
METADATA_ONLY: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"


class ApiRequest(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One HTTP request to the API server."""

    method: str
    path: str
    query: Mapping[str, str] | None = None
    body: bytes | None = None
    content_type: str = JSON
    accept: str = JSON


def pods_path(namespace: str = "") -> str:
    """Give the path of the pods of a namespace, or of all namespaces. API names need no quoting."""
    return f"/api/v1/namespaces/{namespace}/pods" if namespace else "/api/v1/pods"


def jobs_path(namespace: str = "") -> str:
    """Give the path of the BatchJobs of a namespace, or of all namespaces."""
    root = f"/apis/{GROUP}/{VERSION}"
    return f"{root}/namespaces/{namespace}/{JOB_PLURAL}" if namespace else f"{root}/{JOB_PLURAL}"


def get_pod(*, namespace: str, name: str) -> ApiRequest:
    """Read a pod."""
    return ApiRequest(method="GET", path=f"{pods_path(namespace)}/{name}")


def get_job(*, namespace: str, name: str) -> ApiRequest:
    """Read a BatchJob."""
    return ApiRequest(method="GET", path=f"{jobs_path(namespace)}/{name}")


def list_pods_of_job(*, namespace: str, job_uid: str, continue_token: str = "") -> ApiRequest:
    """Read a page of the pods that are labelled as a job's."""
    query = {"labelSelector": f"{LABEL_JOB_UID}={job_uid}", "limit": "500"}
    if continue_token:
        query["continue"] = continue_token
    return ApiRequest(method="GET", path=pods_path(namespace), query=query)


def create_pod(command: CreatePod, *, body: bytes) -> ApiRequest:
    """Create the pod of an attempt; `body` is what `core.job.pod_template` built for the command."""
    return ApiRequest(
        method="POST",
        path=pods_path(command.namespace),
        # Templates keep fields that our schema does not know; a misspelt one must be refused, not dropped.
        query={"fieldValidation": "Strict"},
        body=body,
        accept=METADATA_ONLY,
    )


def write_status(command: WriteStatus) -> ApiRequest:
    """Write the whole status: a merge patch under resourceVersion, with nulls for what is to be unset.

    Versions are unique in a cluster, so they tell namesakes apart too. The uid says which object is meant, to whoever reads
    the audit log; on the status of custom resources the API server does not compare it.
    """
    metadata = {"uid": command.job_uid, "resourceVersion": str(command.resource_version)}
    return ApiRequest(
        method="PATCH",
        path=f"{jobs_path(command.namespace)}/{command.job_name}/status",
        body=msgspec.json.encode({"metadata": metadata, "status": status_fields(command.status)}),
        content_type=MERGE_PATCH,
        accept=METADATA_ONLY,
    )


def note_problem(command: NoteProblem) -> ApiRequest:
    """Say on the status of a job what is wrong with it, and leave the rest of its status as it is."""
    patch = {
        "metadata": {"uid": command.job_uid, "resourceVersion": str(command.resource_version)},
        "status": {"reason": "InternalError", "message": command.message[:_MESSAGE_LIMIT]},
    }
    return ApiRequest(
        method="PATCH",
        path=f"{jobs_path(command.namespace)}/{command.job_name}/status",
        body=msgspec.json.encode(patch),
        content_type=MERGE_PATCH,
        accept=METADATA_ONLY,
    )


def delete_pod(command: DeletePod) -> ApiRequest:
    """Delete exactly this pod. The answer is the whole pod: whether it ever got a node decides if it may still run."""
    grace = {} if command.grace is None else {"gracePeriodSeconds": command.grace}
    return ApiRequest(
        method="DELETE",
        path=f"{pods_path(command.namespace)}/{command.pod_name}",
        body=_delete_options(preconditions={"uid": command.pod_uid}, **grace),
    )


def release_pod(command: ReleasePod) -> ApiRequest:
    """Take our finalizer off exactly this pod and leave everybody else's.

    The pod has ended, so who set which of its fields is of no use any more. Forgetting that (an empty entry does, see
    "Server-Side Apply" of Kubernetes) makes the pod smaller by half and this write cheaper by a quarter.
    """
    metadata = {
        "uid": command.pod_uid,
        "managedFields": [{}],
        "$deleteFromPrimitiveList/finalizers": [FINALIZER],
    }
    return ApiRequest(
        method="PATCH",
        path=f"{pods_path(command.namespace)}/{command.pod_name}",
        body=msgspec.json.encode({"metadata": metadata}),
        content_type=STRATEGIC_MERGE_PATCH,
        accept=METADATA_ONLY,
    )


def delete_job(command: DeleteJob) -> ApiRequest:
    """Delete a finished job, if it is still the one that was looked at; its pods follow by garbage collection."""
    preconditions = {"uid": command.job_uid, "resourceVersion": str(command.resource_version)}
    return ApiRequest(
        method="DELETE",
        path=f"{jobs_path(command.namespace)}/{command.job_name}",
        body=_delete_options(preconditions=preconditions, propagationPolicy="Background"),
        accept=METADATA_ONLY,
    )


def status_fields(status: JobStatus) -> dict[str, Any]:
    """Give `status` as JSON fields, None for what is unset. Decoding gives the same status, times in milliseconds."""
    return {
        "observedGeneration": status.observed_generation,
        "phase": status.phase,
        "reason": status.reason or None,
        "message": status.message or None,
        "startTime": _time(status.started),
        "finishTime": _time(status.finished),
        "nextAttemptTime": _time(status.next_attempt),
        "attemptCount": status.attempt_count,
        "failedCount": status.failed_count,
        "progress": status.progress or None,
        "attempts": [_attempt(attempt) for attempt in status.attempts],
        "conditions": [_condition(condition) for condition in status.conditions],
        **_without_nulls(_kept_once_set(status)),
    }


def _kept_once_set(status: JobStatus) -> dict[str, Any]:
    """Give the fields that are never unset again, so that a patch need not name them while they are empty."""
    return {
        "platformFailedCount": status.platform_failed_count or None,
        "timeoutCount": status.timeout_count or None,
        "outOfMemoryCount": status.out_of_memory_count or None,
        "lostNodeCount": status.lost_node_count or None,
        "array": None if status.array is None else _array(status.array),
        "outputs": msgspec.Raw(status.outputs.encode()) if status.outputs else None,
        "artifacts": [{"name": name, "url": url} for name, url in status.artifacts] or None,
        "duplicateOf": status.duplicate_of or None,
    }


def _array(record: ArrayRecord) -> dict[str, Any]:
    return {
        "succeeded": len(record.succeeded),
        "failed": len(record.failed),
        "running": len(record.running),
        "succeededIndexes": str(record.succeeded) or None,
        "failedIndexes": str(record.failed) or None,
        "runningIndexes": str(record.running) or None if len(record.running.ranges) <= MOST_RUNNING_RANGES else None,
        "startedIndexes": str(record.started) or None,
        "retries": [_retries(group) for group in record.retries] or None,
        "taskFailures": [_retries(group) for group in record.task_failures] or None,
    }


def _retries(group: RetryGroup) -> dict[str, Any]:
    return _without_nulls(
        {
            "indexes": str(group.indexes),
            "attempts": group.attempts,
            "failed": group.failed or None,
            "platform": group.platform or None,
            "timeouts": group.timeouts or None,
            "outOfMemory": group.out_of_memory or None,
            "since": _time(group.since),
            "delaySeconds": group.delay,
        }
    )


def _without_nulls(fields: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is unset: a merge patch replaces lists as they are, and would store a null inside one."""
    return {name: value for name, value in fields.items() if value is not None}


def _attempt(attempt: Attempt) -> dict[str, Any]:
    fields = {
        "index": attempt.index,
        "number": attempt.number,
        "podName": attempt.pod_name,
        "podUID": attempt.pod_uid or None,
        "node": attempt.node or None,
        "startTime": _time(attempt.started),
        "endTime": _time(attempt.ended),
        "outcome": attempt.outcome,
        "budget": attempt.budget,
        "exitCode": attempt.exit_code,
        "reason": attempt.reason or None,
        "message": attempt.message or None,
    }
    return _without_nulls(fields)


def _condition(condition: Condition) -> dict[str, Any]:
    return {
        "type": condition.type,
        "status": "True" if condition.status else "False",
        "reason": condition.reason,
        "message": condition.message,
        "lastTransitionTime": format_time(condition.since),
        "observedGeneration": condition.observed_generation,
    }


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else format_time(seconds)


def _delete_options(**options: Any) -> bytes:
    return msgspec.json.encode({"apiVersion": "v1", "kind": "DeleteOptions", **options})
