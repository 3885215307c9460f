"""Pods and BatchJobs as the API server writes them, for tests that decode."""

import json
from typing import Any

T0 = "2026-11-21T05:00:00Z"
T0_SECONDS = 1_795_237_200.0


def dumps(value: Any) -> bytes:
    """Write JSON as the API server does: without spaces."""
    return json.dumps(value, separators=(",", ":")).encode()


def pod_json(
    *, name: str = "job-bd1b6ef549-2", status: dict[str, Any] | None = None, **metadata: Any
) -> dict[str, Any]:
    """Build a pod of a job; `metadata` adds to the defaults or replaces them, None removes."""
    fields = {
        "name": name,
        "namespace": "default",
        "uid": f"uid-of-{name}",
        "resourceVersion": "7",
        "creationTimestamp": T0,
        "labels": {"podwright.dev/job": "job", "podwright.dev/job-uid": "job-uid", "podwright.dev/attempt": "2"},
        "finalizers": ["podwright.dev/accounting"],
        "ownerReferences": [owner()],
        **metadata,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {key: value for key, value in fields.items() if value is not None},
        "spec": {"containers": [{"name": "main", "image": "busybox:1"}], "nodeName": "node-1"},
        "status": {"phase": "Pending", **(status or {})},
    }


def owner(**changes: Any) -> dict[str, Any]:
    """Build the controller reference to the job."""
    return {
        "apiVersion": "podwright.dev/v1alpha1",
        "kind": "BatchJob",
        "name": "job",
        "uid": "job-uid",
        "controller": True,
        **changes,
    }


def terminated(exit_code: int = 0, **fields: Any) -> dict[str, Any]:
    """Build the status of a container that ended."""
    return {"name": "main", "state": {"terminated": {"exitCode": exit_code, **fields}}}


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    """Build the status of a container that waits."""
    return {"name": "main", "state": {"waiting": {"reason": reason, "message": message}}}


def job_json(
    *, name: str = "job", spec: dict[str, Any] | None = None, status: dict[str, Any] | None = None, **metadata: Any
) -> dict[str, Any]:
    """Build a job; `spec` and `metadata` add to the defaults."""
    fields = {
        "name": name,
        "namespace": "default",
        "uid": f"uid-of-{name}",
        "resourceVersion": "5",
        "generation": 1,
        "creationTimestamp": T0,
        **metadata,
    }
    job = {
        "apiVersion": "podwright.dev/v1alpha1",
        "kind": "BatchJob",
        "metadata": fields,
        "spec": {"template": {"spec": {"containers": [{"name": "main", "image": "busybox:1"}]}}, **(spec or {})},
    }
    return job if status is None else {**job, "status": status}


def list_json(
    items: list[Any], *, kind: str = "BatchJob", resource_version: str = "100", token: str = ""
) -> dict[str, Any]:
    """Build a page of a list of objects of a kind."""
    metadata = {"resourceVersion": resource_version, **({"continue": token} if token else {})}
    return {"apiVersion": "v1", "kind": f"{kind}List", "metadata": metadata, "items": items}


def event_json(kind: str, obj: Any) -> dict[str, Any]:
    """Build an event of a watch."""
    return {"type": kind, "object": obj}


def bookmark_json(resource_version: str) -> dict[str, Any]:
    """Build a bookmark, as a watch of pods sends it."""
    metadata = {"resourceVersion": resource_version, "creationTimestamp": None}
    return event_json("BOOKMARK", {"kind": "Pod", "metadata": metadata, "spec": {"containers": None}, "status": {}})


def status_json(code: int, *, reason: str = "", message: str = "it failed", **fields: Any) -> dict[str, Any]:
    """Build a `metav1.Status` of a failure."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
        **fields,
    }


def nested(depth: int) -> bytes:
    """Build JSON of objects within objects."""
    return b'{"a":' * depth + b"1" + b"}" * depth
