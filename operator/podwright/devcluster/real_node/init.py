"""Process 1 of a node: sets up the node's namespaces from within, then starts and reaps containerd and the kubelet.

Runs in a child that `launcher` forks, and never returns. A service that ends is started again after a moment, as a
machine's service manager would do it, so a killed kubelet or containerd comes back and finds its containers still
running; one that keeps ending takes the node down.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import traceback
from typing import TYPE_CHECKING, NoReturn

from podwright.devcluster.real_node import cgroups, configuration, filesystem, network, syscalls

if TYPE_CHECKING:
    from pathlib import Path

    from podwright.devcluster.real_node.plan import NodePlan

_CONTAINERD_SECONDS = 60.0
_RESTART_SECONDS = 0.5
_STABLE_SECONDS = 10.0
_MOST_QUICK_ENDS = 10


def run(plan: NodePlan, *, node_directory: Path, launcher: socket.socket) -> NoReturn:
    """Be the node. `launcher` is told when the network is there, and answers when the relay listens."""
    code = 1
    try:
        syscalls.die_with_parent()
        _set_up(plan, node_directory=node_directory)
        launcher.send(b"!")
        # An empty answer means that the launcher died, perhaps before the kernel knew that we want to die with it.
        if launcher.recv(1):
            launcher.close()
            code = _run_services()
    except BaseException:  # a forked child must never return into its parent's stack
        traceback.print_exc()
    sys.stderr.flush()
    os._exit(code)


def _set_up(plan: NodePlan, *, node_directory: Path) -> None:
    found = cgroups.hierarchies()
    # A former life of this node, ended by force, leaves its groups; they would refuse new processes.
    cgroups.remove(cgroups.directories(found, name=plan.cgroup_name))
    cgroups.make(found, name=plan.cgroup_name)
    cgroups.enter(found, name=plan.cgroup_name)
    syscalls.unshare(
        syscalls.CLONE_NEWNS
        | syscalls.CLONE_NEWNET
        | syscalls.CLONE_NEWCGROUP
        | syscalls.CLONE_NEWUTS
        | syscalls.CLONE_NEWIPC
    )
    filesystem.detach()
    overlay = filesystem.overlay_works(node_directory)
    filesystem.make_node_files(node_directory=node_directory, program_directories=plan.program_directories)
    cgroups.mount_as_root(found)
    socket.sethostname(plan.node_name[:63])
    network.make_node_network(service_address=plan.service_address)
    configuration.write(plan, snapshotter="overlayfs" if overlay else "native")
    path = filesystem.program_path(plan.program_directories)
    os.environ["PATH"] = ":".join((*path, "/usr/sbin", "/usr/bin", "/sbin", "/bin"))


class _Service:
    def __init__(self, name: str, arguments: tuple[str, ...]) -> None:
        self.name = name
        self.arguments = arguments
        self.quick_ends = 0
        self.pid = 0
        self.started = 0.0

    def start(self) -> None:
        with (filesystem.NODE_DIRECTORY / f"{self.name}.log").open("ab") as log:
            process = subprocess.Popen(
                self.arguments,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd="/",
                start_new_session=True,
            )
        # Its end is read by the reaper; Popen must not wait for it as well.
        process.returncode = 0
        self.pid, self.started = process.pid, time.monotonic()


def _run_services() -> int:
    containerd = _Service("containerd", configuration.CONTAINERD_COMMAND)
    kubelet = _Service("kubelet", configuration.KUBELET_COMMAND)
    containerd.start()
    _await_containerd(containerd)
    kubelet.start()
    services = (containerd, kubelet)
    while True:
        pid, status = os.waitpid(-1, 0)
        service = next((service for service in services if service.pid == pid), None)
        if service is None:
            continue
        lasted = time.monotonic() - service.started
        sys.stderr.write(f"{service.name} ended with {os.waitstatus_to_exitcode(status)} after {lasted:.1f} s\n")
        sys.stderr.flush()
        service.quick_ends = service.quick_ends + 1 if lasted < _STABLE_SECONDS else 0
        if service.quick_ends > _MOST_QUICK_ENDS:
            return 1
        time.sleep(_RESTART_SECONDS)
        service.start()


def _await_containerd(service: _Service) -> None:
    deadline = time.monotonic() + _CONTAINERD_SECONDS
    while time.monotonic() < deadline:
        with socket.socket(socket.AF_UNIX) as client:
            if client.connect_ex(str(configuration.CONTAINERD_SOCKET)) == 0:
                return
        if os.waitpid(service.pid, os.WNOHANG)[0]:
            raise RuntimeError("containerd ended while it was starting; see containerd.log")
        time.sleep(0.02)
    raise TimeoutError(f"containerd doesn't answer after {_CONTAINERD_SECONDS:.0f} s; see containerd.log")
