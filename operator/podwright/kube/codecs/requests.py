"""From a command to the one API request that carries it out, and the reads that go with them. Pure; used by the runtime.

Every write carries the precondition that its command names. Answers to writes are asked for as PartialObjectMetadata
where only uid and resourceVersion matter.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from podwright.core.commands import CreateChild, Delete, PatchChild, Release, ReportProblem, WriteStatus
from podwright.core.constants.names import FINALIZER, LABEL_JOB_UID
from podwright.core.job.identity import controller_reference
from podwright.kube.codecs.status_encoding import MESSAGE_LIMIT, status_fields
from podwright.kube.paging import PageLimit
from podwright.kube.paths import JOBS, PODS, resource_path

JSON: Final = "application/json"
MERGE_PATCH: Final = "application/merge-patch+json"
STRATEGIC_MERGE_PATCH: Final = "application/strategic-merge-patch+json"
METADATA_ONLY: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_LIST: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class ApiRequest(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One HTTP request to the API server. An answer of more than `most_bytes` is not read; None: it is, whatever its size."""

    method: str
    path: str
    query: Mapping[str, str] | None = None
    body: bytes | None = None
    content_type: str = JSON
    accept: str = JSON
    most_bytes: int | None = None


def pods_path(namespace: str = "", name: str = "") -> str:
    """Return the path of a pod, of the pods of a namespace, or of those of all namespaces."""
    return resource_path(PODS, namespace=namespace, name=name)


def jobs_path(namespace: str = "", name: str = "", *, subresource: str = "") -> str:
    """Return the path of a BatchJob or a part of it, of those of a namespace, or of those of all namespaces."""
    return resource_path(JOBS, namespace=namespace, name=name, subresource=subresource)


def get_pod(*, namespace: str, name: str) -> ApiRequest:
    """Read a pod."""
    return ApiRequest(method="GET", path=pods_path(namespace, name))


def get_job(*, namespace: str, name: str) -> ApiRequest:
    """Read a BatchJob."""
    return ApiRequest(method="GET", path=jobs_path(namespace, name))


def list_versions(*, path: str, selector: str, limit: PageLimit, continue_token: str = "") -> ApiRequest:
    """Read a page of the metadata of a collection's objects, as up to date as any read."""
    query = {"limit": str(limit.objects)}
    if selector:
        query["fieldSelector"] = selector
    if continue_token:
        query["continue"] = continue_token
    return ApiRequest(method="GET", path=path, query=query, accept=METADATA_LIST, most_bytes=limit.most_bytes)


def list_pods_of_job(*, namespace: str, job_uid: str, limit: PageLimit, continue_token: str = "") -> ApiRequest:
    """Read a page of the pods that are labelled as a job's."""
    query = {"labelSelector": f"{LABEL_JOB_UID}={job_uid}", "limit": str(limit.objects)}
    if continue_token:
        query["continue"] = continue_token
    return ApiRequest(method="GET", path=pods_path(namespace), query=query, most_bytes=limit.most_bytes)


def create_pod(command: CreateChild, *, body: bytes) -> ApiRequest:
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
    metadata = {"uid": command.of.uid, "resourceVersion": str(command.resource_version)}
    return ApiRequest(
        method="PATCH",
        path=jobs_path(command.namespace, command.name, subresource="status"),
        body=msgspec.json.encode({"metadata": metadata, "status": status_fields(command.status)}),
        content_type=MERGE_PATCH,
        accept=METADATA_ONLY,
    )


def report_problem(command: ReportProblem) -> ApiRequest:
    """Say on the status of a job what is wrong with it, and leave the rest of its status as it is."""
    patch = {
        "metadata": {"uid": command.of.uid, "resourceVersion": str(command.resource_version)},
        "status": {"reason": "InternalError", "message": command.message[:MESSAGE_LIMIT]},
    }
    return ApiRequest(
        method="PATCH",
        path=jobs_path(command.namespace, command.name, subresource="status"),
        body=msgspec.json.encode(patch),
        content_type=MERGE_PATCH,
        accept=METADATA_ONLY,
    )


def delete_pod(command: Delete) -> ApiRequest:
    """Delete exactly this pod. The answer is the whole pod: whether it ever got a node decides if it may still run."""
    grace = {} if command.grace is None else {"gracePeriodSeconds": command.grace}
    return ApiRequest(
        method="DELETE",
        path=pods_path(command.namespace, command.name),
        body=_delete_options(preconditions={"uid": command.target.uid}, **grace),
    )


def release_pod(command: Release) -> ApiRequest:
    """Take our finalizer off exactly this pod and leave everybody else's.

    The pod has ended, so who set which of its fields is of no use any more. Forgetting that (an empty entry does, see
    "Server-Side Apply" of Kubernetes) makes the pod smaller by half and this write cheaper by a quarter.
    """
    metadata = {
        "uid": command.target.uid,
        "managedFields": [{}],
        "$deleteFromPrimitiveList/finalizers": [FINALIZER],
    }
    return ApiRequest(
        method="PATCH",
        path=pods_path(command.namespace, command.name),
        body=msgspec.json.encode({"metadata": metadata}),
        content_type=STRATEGIC_MERGE_PATCH,
        accept=METADATA_ONLY,
    )


def patch_pod(command: PatchChild) -> ApiRequest:
    """Put labels, and maybe the owner reference, back on exactly this pod. The answer is the whole pod."""
    metadata: dict[str, Any] = {"uid": command.target.uid, "labels": dict(command.labels)}
    if command.owner:
        metadata["ownerReferences"] = [controller_reference(name=command.owner, uid=command.of.uid)]
    if command.resource_version is not None:
        metadata["resourceVersion"] = str(command.resource_version)
    return ApiRequest(
        method="PATCH",
        path=pods_path(command.namespace, command.name),
        body=msgspec.json.encode({"metadata": metadata}),
        content_type=STRATEGIC_MERGE_PATCH,
    )


def delete_job(command: Delete) -> ApiRequest:
    """Delete a finished job, if it is still the one that was looked at; its pods follow by garbage collection."""
    preconditions = {"uid": command.of.uid, "resourceVersion": str(command.resource_version)}
    return ApiRequest(
        method="DELETE",
        path=jobs_path(command.namespace, command.name),
        body=_delete_options(preconditions=preconditions, propagationPolicy="Background"),
        accept=METADATA_ONLY,
    )


def _delete_options(**options: Any) -> bytes:
    return msgspec.json.encode({"apiVersion": "v1", "kind": "DeleteOptions", **options})
