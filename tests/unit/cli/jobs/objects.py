"""Builders of the JSON that the commands read."""

from __future__ import annotations

from typing import Any


def make_job(name: str = "report", *, phase: str = "", uid: str = "u-1", **parts: Any) -> dict[str, Any]:
    """Build a job. `meta` and `status` are merged in, all other parts are fields of the spec."""
    meta = {
        "name": name,
        "namespace": "n",
        "uid": uid,
        "creationTimestamp": "2026-11-21T10:00:00Z",
        **parts.pop("meta", {}),
    }
    status = {**({"phase": phase} if phase else {}), **parts.pop("status", {})}
    return {"metadata": meta, "spec": {"template": {}, **parts}, "status": status}


def make_pod(
    name: str = "p", *, attempt: int = 0, index: int | None = None, phase: str = "Running", **parts: Any
) -> dict[str, Any]:
    """Build a pod of a job. Other parts are fields of its status, except for `node` and `deleted`, its time of deletion."""
    labels = {"podwright.dev/attempt": str(attempt)}
    if index is not None:
        labels["podwright.dev/task-index"] = str(index)
    spec = {"containers": [{"name": "main"}, {"name": "sidecar"}], "nodeName": parts.pop("node", "")}
    deleted = parts.pop("deleted", None)
    return {
        "metadata": {
            "name": name,
            "namespace": "n",
            "labels": labels,
            **({"deletionTimestamp": deleted} if deleted else {}),
        },
        "spec": spec,
        "status": {"phase": phase, **parts},
    }
