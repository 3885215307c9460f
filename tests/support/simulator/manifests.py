"""Small objects for tests that talk to the simulator or through it."""

from typing import Any

from podwright.core.constants import names
from podwright.devcluster.fake_nodes import ANNOTATION_PREFIX

Document = dict[str, Any]

JOBS = f"/apis/{names.API_VERSION}/namespaces/default/{names.JOB_PLURAL}"
PODS = "/api/v1/namespaces/default/pods"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/default/leases"


def script(**told: str) -> dict[str, str]:
    """Return the annotations that tell a fake node what to do with a pod; `exit_code="1"` becomes `…/exit-code`."""
    return {ANNOTATION_PREFIX + name.replace("_", "-"): value for name, value in told.items()}


def pod(name: str, *, annotations: dict[str, str] | None = None, **metadata: Any) -> Document:
    """Return a pod with one container that is never restarted."""
    metadata = {"name": name, **({"annotations": annotations} if annotations else {}), **metadata}
    return {"metadata": metadata, "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "none"}]}}


def job(
    name: str, *, annotations: dict[str, str] | None = None, command: list[str] | None = None, **spec: Any
) -> Document:
    """Return a BatchJob; `annotations` are those of its pods."""
    container: Document = {"name": "main", "image": "none", **({"command": command} if command else {})}
    template: Document = {"spec": {"containers": [container]}}
    if annotations:
        template["metadata"] = {"annotations": annotations}
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.JOB_KIND,
        "metadata": {"name": name},
        "spec": {"template": template, **spec},
    }


def owned_by(owner: Document, *, blocks: bool = False) -> list[Document]:
    """Return `ownerReferences` to a stored object."""
    metadata = owner["metadata"]
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": metadata["name"],
        "uid": metadata["uid"],
    }
    return [{**reference, "controller": True, "blockOwnerDeletion": blocks}]
