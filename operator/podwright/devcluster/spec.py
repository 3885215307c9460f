"""What a caller asks for. Plain data, no behaviour; the names are the ones that the command line uses."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from podwright.devcluster.fake_nodes import FakeNodeCapacity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


class NodeKind(enum.StrEnum):
    """What pods run on."""

    REAL = "real"
    """This machine, through a kubelet, containerd and runc: real containers, real exit codes."""
    FAKE = "fake"
    """Nothing: pods are simulated as their annotations say (see `fake_nodes`)."""


class ClusterKind(enum.StrEnum):
    """Where the control plane comes from."""

    NAMED = "named"
    """A cluster that is there already; the user named its kubeconfig."""
    KIND = "kind"
    """kind, in a container engine."""
    EMBEDDED = "embedded"
    """Our own processes on this machine."""


@dataclass(frozen=True, kw_only=True)
class ClusterSpec:
    """A cluster to start. The defaults give an embedded control plane without nodes, for tests of the API alone."""

    data_directory: Path | None = None
    """Where everything of the cluster lies. Must be empty, absent, or a former cluster's. None: a new temporary one."""
    owned: bool = False
    """Whether the cluster ends with the process that started it, however that ends. Else it lives until `down`."""
    nodes: NodeKind | None = None
    """Kind of the nodes. `real` must be possible on this machine; `choose` knows whether it is."""
    fake_node_count: int = 0
    """Fake nodes beside whatever `nodes` says; with `NodeKind.FAKE` at least one is made."""
    fake_node_capacity: FakeNodeCapacity = field(default_factory=FakeNodeCapacity)
    fsync: bool = True
    """Whether etcd waits for the disk. Without it writes are far cheaper and survive every kill of a process, but not
    a crash of the machine: right for tests and benchmarks, wrong for data that somebody wants to find again."""
    client_queries_per_second: int = 5000
    """Client rate limit of the controller manager and the scheduler. High enough never to be what is measured."""
    flags: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Further arguments by program, such as `{"kube-apiserver": ("--v=4",)}`. They override ours."""
    start_timeout: float = 60.0
    """Seconds within which the control plane must be ready, building not counted."""

    @property
    def fake_nodes(self) -> int:
        """How many fake nodes to make."""
        return max(self.fake_node_count, 1) if self.nodes is NodeKind.FAKE else self.fake_node_count
