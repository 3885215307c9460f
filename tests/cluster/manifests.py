"""Builders of manifests for tests: valid as they are, and only what matters to a test is named in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from podwright.core.constants import names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def make_pod(
    *,
    namespace: str,
    name: str = "pod",
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    finalizers: Sequence[str] = (),
) -> dict[str, Any]:
    """Build a pod that no node ever takes up."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": dict(labels or {}),
            "annotations": dict(annotations or {}),
            "finalizers": list(finalizers),
        },
        "spec": {
            "schedulingGates": [{"name": "example.org/never"}],
            "containers": [{"name": "main", "image": "busybox:1"}],
        },
    }


def make_job(*, namespace: str, name: str = "job", **spec: Any) -> dict[str, Any]:
    """Build a BatchJob whose spec has these fields besides a template."""
    template = {"spec": {"containers": [{"name": "main", "image": "busybox:1"}]}}
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.JOB_KIND,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"template": template, **spec},
    }


def make_lease(*, name: str, epoch: int | None) -> dict[str, Any]:
    """Build the Lease of a shard at an epoch."""
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name, "namespace": "podwright-system"},
        "spec": {"holderIdentity": "test"} | ({} if epoch is None else {"leaseTransitions": epoch}),
    }
