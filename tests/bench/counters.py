"""How many writes each user made, by the API server's own count.

No metric of the API server is split by user, but requests are counted by the FlowSchema that they match. So there is one for
each user and kind of write, on the priority level that the user's requests have anyway. A user's other requests still match
what they matched before. Reading costs nothing per request, unlike an audit log.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import yaml

from podwright.core.constants import names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OPERATOR: Final = "operator"
JOB_CONTROLLER: Final = "job-controller"
EVERYBODY: Final = "all"
LEASES: Final = "leases"

_DISPATCHED: Final = "apiserver_flowcontrol_dispatched_requests_total"
_REQUESTS: Final = "apiserver_request_total"
_SAMPLE: Final = re.compile(r"^(?P<name>[a-z_]+)\{(?P<labels>[^}]*)\} (?P<value>\S+)$")
_LABEL: Final = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_WRITE_METHODS: Final = frozenset({"POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION"})
_ANY_WRITE: Final = ("create", "update", "patch", "delete", "deletecollection")
_JOB_RESOURCES: Final = frozenset({"pods", "jobs", names.JOB_PLURAL, "events"})
_FIRST_PRECEDENCE: Final = 200  # after the API server's own exemptions, before everything else


@dataclass(frozen=True, kw_only=True)
class Flow:
    """Writes of one service account that are counted together. `resource` may be `*`."""

    user: str
    what: str
    account: tuple[str, str]
    priority_level: str
    distinguisher: str
    verbs: Sequence[str] = _ANY_WRITE
    group: str = "*"
    resource: str = "*"

    @property
    def name(self) -> str:
        """The FlowSchema's name."""
        return f"bench-{self.user}-{self.what.replace(' ', '-').replace('/', '-')}"


def _operator(what: str, group: str = "*", resource: str = "*", verbs: Sequence[str] = _ANY_WRITE) -> Flow:
    return Flow(
        user=OPERATOR,
        what=what,
        account=("podwright-system", "podwright-operator"),
        priority_level="workload-low",
        distinguisher="ByUser",
        verbs=verbs,
        group=group,
        resource=resource,
    )


def _job_controller(what: str, group: str = "*", resource: str = "*", verbs: Sequence[str] = _ANY_WRITE) -> Flow:
    return Flow(
        user=JOB_CONTROLLER,
        what=what,
        account=("kube-system", "job-controller"),
        priority_level="workload-high",
        distinguisher="ByNamespace",
        verbs=verbs,
        group=group,
        resource=resource,
    )


_CHANGE: Final = ("update", "patch")
FLOWS: Final = (
    _operator("create pods", "", "pods", ("create",)),
    _operator("change pods", "", "pods", _CHANGE),
    _operator("change status", names.GROUP, f"{names.JOB_PLURAL}/status", _CHANGE),
    _operator(LEASES, "coordination.k8s.io", "leases"),
    _operator("others"),
    _job_controller("create pods", "", "pods", ("create",)),
    _job_controller("change pods", "", "pods", _CHANGE),
    _job_controller("change status", "batch", "jobs/status", _CHANGE),
    _job_controller("create events", "", "events"),
    _job_controller("others"),
)
"""The first that matches counts."""


def flow_schemas() -> str:
    """The FlowSchemas as YAML documents."""
    return yaml.safe_dump_all([_schema(flow, _FIRST_PRECEDENCE + position) for position, flow in enumerate(FLOWS)])


def _schema(flow: Flow, precedence: int) -> dict[str, Any]:
    namespace, name = flow.account
    rule = {
        "verbs": list(flow.verbs),
        "apiGroups": [flow.group],
        "resources": [flow.resource],
        "namespaces": ["*"],
        "clusterScope": True,
    }
    return {
        "apiVersion": "flowcontrol.apiserver.k8s.io/v1",
        "kind": "FlowSchema",
        "metadata": {"name": flow.name},
        "spec": {
            "matchingPrecedence": precedence,
            "priorityLevelConfiguration": {"name": flow.priority_level},
            "distinguisherMethod": {"type": flow.distinguisher},
            "rules": [
                {
                    "subjects": [{"kind": "ServiceAccount", "serviceAccount": {"namespace": namespace, "name": name}}],
                    "resourceRules": [rule],
                }
            ],
        },
    }


def parse_writes(exposition: str) -> Counter[str]:
    """Count writes by `<user>: <what>` in the API server's metrics; everybody's by resource as `all: <resource>`.

    Raises:
        ValueError: a sample of the two metrics that are looked at cannot be read.
    """
    flows = {flow.name: f"{flow.user}: {flow.what}" for flow in FLOWS}
    writes: Counter[str] = Counter()
    for line in exposition.splitlines():
        if not line.startswith((f"{_DISPATCHED}{{", f"{_REQUESTS}{{")):
            continue
        sample = _SAMPLE.match(line)
        if sample is None:
            raise ValueError(f"the API server's metrics have a line that is no sample: {line}")
        labels: Mapping[str, str] = dict(_LABEL.findall(sample["labels"]))
        count = round(float(sample["value"]))
        if sample["name"] == _DISPATCHED:
            key = flows.get(labels.get("flow_schema", ""))
            if key:
                writes[key] += count
        elif labels.get("verb") in _WRITE_METHODS and labels.get("resource") in _JOB_RESOURCES:
            resource, subresource = labels["resource"], labels.get("subresource", "")
            writes[f"{EVERYBODY}: {resource}/{subresource}" if subresource else f"{EVERYBODY}: {resource}"] += count
    return writes
