"""The rules of pods: what creation fills in, and what may change afterwards."""

from typing import Any, Final

from tests.support.simulator.errors import ApiError, bad_request, conflict, invalid
from tests.support.simulator.kinds import POD

Document = dict[str, Any]

_MUTABLE: Final = ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds")
_FIXED: Final = (
    "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
# Of the many defaults of the real API server, those that something reads.
_DEFAULTS: Final[Document] = {
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "schedulerName": "default-scheduler",
}


def new_pod(document: Document) -> Document:
    """Return a pod as it is first stored."""
    spec = document.get("spec")
    name = document["metadata"]["name"]
    if not isinstance(spec, dict):
        raise _invalid(name, "spec.containers", "Required value")
    containers = spec.get("containers")
    if containers is not None and not isinstance(containers, list):
        raise bad_request('Pod in version "v1" cannot be handled as a Pod: json: cannot unmarshal spec.containers')
    if not containers:
        raise _invalid(name, "spec.containers", "Required value")
    return {**document, "spec": {**_DEFAULTS, **spec}, "status": {"phase": "Pending", "qosClass": "BestEffort"}}


def changed(current: Document, wanted: Document) -> Document:
    """Return the pod as an update would store it.

    Raises:
        ApiError: it changes what is fixed in a pod's spec.
    """
    spec = {**_DEFAULTS, **(wanted.get("spec") or {})}
    if spec != current["spec"] and _fixed(spec) != _fixed(current["spec"]):
        raise _invalid(current["metadata"]["name"], "spec", _FIXED)
    return {**wanted, "spec": spec}


def with_status(current: Document, wanted: Document) -> Document:
    """Return what an update of `pods/status` may change: status, and of the metadata all but the owners."""
    metadata = dict(wanted["metadata"])
    metadata.pop("ownerReferences", None)
    if "ownerReferences" in current["metadata"]:
        metadata["ownerReferences"] = current["metadata"]["ownerReferences"]
    status = {"phase": "Pending", **wanted.get("status", {}), "qosClass": current["status"].get("qosClass")}
    return {**current, "metadata": metadata, "status": status}


def bound(current: Document, binding: Document) -> Document:
    """Return the pod on the node that a Binding names."""
    name = current["metadata"]["name"]
    node = binding.get("target", {}).get("name")
    if not node:
        raise invalid("Binding", name, ("target.name", "Required value"))
    if "deletionTimestamp" in current["metadata"]:
        raise conflict("pods/binding", name, f"pod {name} is being deleted, cannot be assigned to a host")
    if current["spec"].get("nodeName"):
        raise conflict("pods/binding", name, f'pod {name} is already assigned to node "{current["spec"]["nodeName"]}"')
    status = current["status"]
    scheduled = {"type": "PodScheduled", "status": "True"}
    conditions = [known for known in status.get("conditions", ()) if known["type"] != "PodScheduled"]
    return {
        **current,
        "spec": {**current["spec"], "nodeName": node},
        "status": {**status, "conditions": [*conditions, scheduled]},
    }


def _fixed(spec: Document) -> Document:
    rest = {key: value for key, value in spec.items() if key not in _MUTABLE}
    for containers in ("containers", "initContainers"):
        if containers in rest:
            rest[containers] = [{**container, "image": ""} for container in rest[containers]]
    return rest


def _invalid(name: str, field: str, why: str) -> ApiError:
    return invalid(POD.kind, name, (field, why))
