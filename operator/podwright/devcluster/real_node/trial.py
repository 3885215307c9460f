"""Tries everything that a node needs of the kernel, prints what is missing, and leaves nothing.

Run as a program, `python -m podwright.devcluster.real_node.trial`, by `requirements` only.
"""

from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING

from podwright.devcluster.errors import DevClusterError
from podwright.devcluster.real_node import cgroups, filesystem, network, syscalls

if TYPE_CHECKING:
    from collections.abc import Callable

_IN_A_CONTAINER = "in a container, start it privileged"


def missing() -> str | None:
    """Return the first thing that is missing, as a sentence with what to do. Changes the namespaces of this process."""
    found = cgroups.hierarchies()
    offered = {controller for hierarchy in found for controller in hierarchy.controllers}
    lacking = [controller for controller in cgroups.NEEDED_CONTROLLERS if controller not in offered]
    if lacking:
        return (
            f"Real nodes need the cgroup controllers {', '.join(lacking)}, which aren't mounted here:"
            f" mount the cgroup file system, or {_IN_A_CONTAINER}."
        )
    name = f"podwright-trial-{os.getpid()}"
    steps: tuple[tuple[str, Callable[[], None]], ...] = (
        ("create cgroups", lambda: _try_cgroups(found, name)),
        ("make namespaces", lambda: syscalls.unshare(_NAMESPACES)),
        ("mount file systems", _try_mounts),
        ("create a network bridge", _try_bridge),
        ("read the kernel log, which the kubelet watches for OOM kills", _try_kernel_log),
    )
    for what, step in steps:
        try:
            step()
        except OSError as error:
            return f"Real nodes must {what}, and that fails here ({error.strerror}): {_IN_A_CONTAINER}."
        except DevClusterError as error:
            return f"{error.problem} {error.remedy}"
    return None


_NAMESPACES = (
    syscalls.CLONE_NEWNS
    | syscalls.CLONE_NEWNET
    | syscalls.CLONE_NEWPID
    | syscalls.CLONE_NEWCGROUP
    | syscalls.CLONE_NEWUTS
    | syscalls.CLONE_NEWIPC
)


def _try_cgroups(found: tuple[cgroups.Hierarchy, ...], name: str) -> None:
    try:
        cgroups.make(found, name=name)
    finally:
        cgroups.remove(cgroups.directories(found, name=name))


def _try_mounts() -> None:
    filesystem.detach()
    syscalls.mount("tmpfs", "/run", "tmpfs")


def _try_bridge() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        network.make_bridge(control)


def _try_kernel_log() -> None:
    os.close(os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK))


if __name__ == "__main__":
    sentence = missing()
    if sentence is not None:
        sys.stdout.write(sentence)
        sys.exit(1)
