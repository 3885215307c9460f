"""Fake nodes: Node objects with no machine behind them, kept alive by kwok, which also plays the pods' lives.

A pod on a fake node runs nothing. By default it becomes Running and at once Succeeded with exit code 0, in two status
writes as from a kubelet. Annotations of the pod tell another story, each prefixed with `fake.podwright.dev/`:

- `pending`: how long it stays Pending after it was scheduled, for example `500ms`. Default `0s`.
- `duration`: how long it runs, or `forever`. Default `0s`. Pods with restartPolicy Always run until they are deleted.
- `exit-code`: 0 to 255. Default 0, or 128 plus the signal. Not 0 makes the pod Failed, whatever its restartPolicy.
- `exit-codes`: one code for each attempt of a job, such as `1,1,0`; the last one stays. Wins over `exit-code`.
- `signal`: the number of the signal that ended it. Default none.
- `reason`: the terminated container's reason, for example `OOMKilled`. Default `Completed` or `Error`.
- `termination-message`: the terminated container's message. Default none.
- `ignore-sigterm: "true"`: once deleted it runs on until the grace is over and ends with 137 (default: 143 at once).
- `never-terminates: "true"`: once deleted it stays Running for ever, as on a node that was lost.

A value that can't be understood fails the pod with reason `InvalidScript`, which names the annotation.
Used by `embedded`. The stages themselves are `stages/*.yaml`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from podwright.devcluster.errors import StartError
from podwright.devcluster.processes import ProcessSpec

if TYPE_CHECKING:
    from podwright.devcluster.api import AdminApi

ANNOTATION_PREFIX = "fake.podwright.dev/"
NODE_KIND_LABEL = "podwright.dev/node-kind"
_STAGES_DIRECTORY = Path(__file__).parent / "stages"
_POD_ADDRESS_RANGE = "10.244.0.0/16"
# From the range for documentation (RFC 5737), so that nobody takes it for a machine.
_NODE_ADDRESS = "192.0.2.1"


@dataclass(frozen=True, kw_only=True)
class FakeNodeCapacity:
    """What each fake node offers, as Kubernetes quantities. The default never holds a pod back."""

    cpu: str = "10000"
    memory: str = "100Ti"
    ephemeral_storage: str = "1Pi"
    pods: int = 50_000


def kwok(*, program: Path, kubeconfig: Path, configuration: Path) -> ProcessSpec:
    """Return the kwok process for the nodes that `register` makes."""
    arguments = (str(program), f"--kubeconfig={kubeconfig}", f"--config={configuration}", "--v=warn")
    # Otherwise it would read a configuration from the user's home as well.
    return ProcessSpec(name="kwok", arguments=arguments, environment={"KWOK_WORKDIR": str(configuration.parent)})


def kwok_configuration() -> bytes:
    """Return the configuration file of kwok, our stages included."""
    configuration = {
        "apiVersion": "config.kwok.x-k8s.io/v1alpha1",
        "kind": "KwokConfiguration",
        "options": {
            "manageAllNodes": False,
            "manageNodesWithLabelSelector": f"{NODE_KIND_LABEL}=fake",
            "cidr": _POD_ADDRESS_RANGE,
            "nodeIP": _NODE_ADDRESS,
            # Without both of these kwok sends no heartbeats and the nodes become NotReady after 40 s.
            "nodeLeaseDurationSeconds": 40,
            "nodeLeaseParallelism": 8,
            "podPlayStageParallelism": 16,
            "nodePlayStageParallelism": 4,
        },
    }
    stages = [path.read_text(encoding="utf-8") for path in sorted(_STAGES_DIRECTORY.glob("*.yaml"))]
    return "---\n".join([yaml.safe_dump(configuration, sort_keys=False), *stages]).encode()


def register(api: AdminApi, *, count: int, capacity: FakeNodeCapacity, kubelet_version: str) -> None:
    """Create nodes `fake-0` … `fake-<count - 1>`, Ready from the start; those that exist are left as they are."""
    for index in range(count):
        answer = api.request("POST", "/api/v1/nodes", _node(f"fake-{index}", capacity, kubelet_version))
        if answer is None or answer.status not in {201, 409}:
            raise StartError(f"The fake node fake-{index} could not be registered: {answer}.")


def _node(name: str, capacity: FakeNodeCapacity, kubelet_version: str) -> dict[str, Any]:
    resources = {
        "cpu": capacity.cpu,
        "memory": capacity.memory,
        "ephemeral-storage": capacity.ephemeral_storage,
        "pods": str(capacity.pods),
    }
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "KubeletReady",
        "message": "this node is simulated: its pods run nothing",
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                NODE_KIND_LABEL: "fake",
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
            },
        },
        "status": {
            "capacity": resources,
            "allocatable": resources,
            "conditions": [ready],
            "addresses": [{"type": "InternalIP", "address": _NODE_ADDRESS}, {"type": "Hostname", "address": name}],
            "nodeInfo": {
                "architecture": "amd64",
                "operatingSystem": "linux",
                "kubeletVersion": kubelet_version,
                "kubeProxyVersion": kubelet_version,
                "containerRuntimeVersion": "fake://none",
                "kernelVersion": "fake",
                "osImage": "fake",
                "machineID": "",
                "systemUUID": "",
                "bootID": "",
            },
        },
    }
