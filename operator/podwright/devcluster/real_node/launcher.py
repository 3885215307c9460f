"""The one process that stands for a node: it makes the node's namespaces, starts its init, and relays its traffic.

Run as a program, `python -m podwright.devcluster.real_node.launcher DIRECTORY`, by `node`. Killing it is all that
it takes to end the node: the kernel then kills init, with it every process of the pid namespace (shims and containers
included), and with the last of them the mounts and the network. It must not start threads: a process that has asked
for a new pid namespace can't.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from functools import partial
from pathlib import Path

import msgspec

from podwright.devcluster.files import write_atomically
from podwright.devcluster.real_node import init, syscalls
from podwright.devcluster.real_node.plan import INIT_PID_FILE, PLAN_FILE, NodePlan
from podwright.devcluster.real_node.relay import listening_socket, relay, stream_socket

_SERVICE_PORT = 443


def main(node_directory: Path) -> int:
    """Run the node of `node_directory` until its init ends; return the exit code for this process."""
    plan = msgspec.json.decode((node_directory / PLAN_FILE).read_bytes(), type=NodePlan)
    # One from a former life would name a process that is no longer ours.
    (node_directory / INIT_PID_FILE).unlink(missing_ok=True)
    kubelet_listener = listening_socket(("127.0.0.1", plan.kubelet_port))
    ours, theirs = socket.socketpair()
    syscalls.unshare(syscalls.CLONE_NEWPID)
    pid = os.fork()
    if pid == 0:
        ours.close()
        kubelet_listener.close()
        init.run(plan, node_directory=node_directory, launcher=theirs)
    theirs.close()
    if not ours.recv(1):
        # Init ended before its network was there, and said why in the log that it shares with us.
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    write_atomically(node_directory / INIT_PID_FILE, str(pid).encode())
    asyncio.run(_relay_until_end(plan, pid=pid, init_waits=ours, kubelet_listener=kubelet_listener))
    return abs(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


async def _relay_until_end(
    plan: NodePlan, *, pid: int, init_waits: socket.socket, kubelet_listener: socket.socket
) -> None:
    outer = os.open("/proc/self/ns/net", os.O_RDONLY)
    inner = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)

    def inner_socket() -> socket.socket:
        with syscalls.inside_network(inner, outer=outer):
            return stream_socket()

    with syscalls.inside_network(inner, outer=outer):
        service_listener = listening_socket((plan.service_address, _SERVICE_PORT))
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGCHLD, ended.set)
    loop.add_signal_handler(signal.SIGTERM, partial(os.kill, pid, signal.SIGKILL))
    relays = [
        asyncio.create_task(relay(service_listener, target=("127.0.0.1", plan.api_port), make_socket=stream_socket)),
        asyncio.create_task(relay(kubelet_listener, target=("127.0.0.1", plan.kubelet_port), make_socket=inner_socket)),
    ]
    init_waits.send(b"!")
    await ended.wait()
    for task in relays:
        task.cancel()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
