"""What is handed to a node's launcher: one file, written before the node starts and read again to take it down.

Pure data. Written by `node`; read by `launcher`, `init` and `node`.
"""

from __future__ import annotations

from typing import Final

import msgspec

PLAN_FILE: Final = "node.json"
INIT_PID_FILE: Final = "init.pid"
"""Holds the pid of the node's init as the machine sees it, once the node's services are started."""


class NodePlan(msgspec.Struct, frozen=True, kw_only=True):
    """A node, completely. Paths are absolute and the machine's."""

    node_name: str
    cluster_id: str
    cgroup_name: str
    """Name of the node's directory in each cgroup hierarchy; unique on the machine."""
    cgroup_directories: tuple[str, ...]
    program_directories: tuple[str, ...]
    """The directories that hold the node's programs, each under its usual name."""
    api_port: int
    """Where the API server listens on loopback."""
    service_address: str
    """Cluster address of the service `kubernetes`, by which pods and the kubelet know the API server."""
    kubelet_port: int
    """Where the kubelet is reached on loopback; it has the same port inside the node."""
