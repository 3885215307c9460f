"""Starts and removes the real nodes of an embedded cluster, and puts images on them.

Called by `embedded` and `teardown`, and by whoever has an image to run. All that is known of a node lies in its
directory, `nodes/<name>` below the cluster's data directory, so that any later process can act on it.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from podwright.devcluster import api, cache, certificates, components, control_plane, kubeconfig, ports, state
from podwright.devcluster.errors import DevClusterError, StartError
from podwright.devcluster.files import write_atomically
from podwright.devcluster.processes import ProcessSpec, end_cluster, end_processes, read_records
from podwright.devcluster.real_node import busybox, cgroups, images
from podwright.devcluster.real_node.configuration import (
    CLIENT_CA_FILE,
    CONTAINERD_SOCKET,
    KUBECONFIG_FILE,
    SANDBOX_IMAGE,
)
from podwright.devcluster.real_node.plan import INIT_PID_FILE, PLAN_FILE, NodePlan
from podwright.devcluster.real_node.requirements import python_environment, why_not_real

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from podwright.devcluster.processes import Supervisor

NODE_NAME = "real-0"
NODE_KIND_LABEL = "podwright.dev/node-kind"
BUSYBOX_IMAGES = ("podwright.dev/busybox:1", "docker.io/library/busybox:1")
"""One image under its own name and under the one that manifests with `image: busybox:1` mean."""
_NODES_DIRECTORY = "nodes"
_START_SECONDS = 60.0
_IMPORT_SECONDS = 120.0
_END_SECONDS = 5.0
_POLL_SECONDS = 0.02


def start(*, data_directory: Path, supervisor: Supervisor, programs: Mapping[str, Path], name: str = NODE_NAME) -> None:
    """Start a node, put our images on it, and return once it is Ready.

    `programs` must contain those of `components.REAL_NODES`, and the control plane must run. Raises StartError with the
    end of the log that tells why; what was started by then is for `remove_all` to remove.
    """
    reason = why_not_real()
    if reason is not None:
        raise StartError(reason)
    cluster = state.read_state(data_directory)
    if cluster is None:
        raise StartError(f"There is no cluster in {data_directory}.")
    archives = _image_archives()
    directory = data_directory / _NODES_DIRECTORY / name
    directory.mkdir(parents=True, mode=0o700)
    process = process_name(name)
    authority = certificates.CertificateAuthority.load(data_directory / "certificates" / "kubernetes")
    _write_credentials(directory, authority=authority, name=name)
    with contextlib.closing(_admin_api(authority, server=cluster.server)) as admin, ports.free_ports(1) as (port,):
        _register(admin, name=name)
        cgroup_name = f"podwright-{supervisor.cluster_id}-{name}"
        plan = NodePlan(
            node_name=name,
            cluster_id=supervisor.cluster_id,
            cgroup_name=cgroup_name,
            cgroup_directories=tuple(map(str, cgroups.directories(cgroups.hierarchies(), name=cgroup_name))),
            # Each program's own directory: see `filesystem.make_node_files`.
            program_directories=tuple(
                dict.fromkeys(str(programs[program].parent) for program in components.REAL_NODES)
            ),
            api_port=urlsplit(cluster.server).port or 443,
            service_address=control_plane.SERVICE_ADDRESS,
            kubelet_port=port,
        )
        # Written before the first cgroup is made, so that nothing exists which can't be found again.
        write_atomically(directory / PLAN_FILE, msgspec.json.encode(plan), mode=0o600)
        module = "podwright.devcluster.real_node.launcher"
        supervisor.start(
            ProcessSpec(
                name=process,
                arguments=(sys.executable, "-m", module, str(directory)),
                environment={"PYTHONPATH": python_environment()["PYTHONPATH"]},
            )
        )
        node = _Starting(directory, supervisor=supervisor, process=process)
        node.wait_until(lambda: _containerd_answers(directory), "containerd to answer")
        for archive in archives:
            import_archive(directory, archive)
        node.wait_until(lambda: _is_ready(admin, name), "the node to be Ready")


def process_name(node_name: str) -> str:
    """Return what the supervisor calls the node's launcher. Killing or restarting it does so to the node, as by its plug."""
    return f"node-{node_name}"


class _Starting:
    def __init__(self, directory: Path, *, supervisor: Supervisor, process: str) -> None:
        self._directory = directory
        self._supervisor = supervisor
        self._process = process
        self._deadline = time.monotonic() + _START_SECONDS

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        while not condition():
            self._supervisor.require_running(self._process)
            if time.monotonic() >= self._deadline:
                raise StartError(
                    f"Waited {_START_SECONDS:.0f} s for {what} in vain. The log of the node ends:\n"
                    + self._supervisor.log_tail(self._process),
                    remedy=f"See containerd.log and kubelet.log in {self._directory}.",
                )
            time.sleep(_POLL_SECONDS)


def _write_credentials(directory: Path, *, authority: certificates.CertificateAuthority, name: str) -> None:
    pair = authority.issue_client(f"kubelet-{name}", user=f"system:node:{name}", groups=("system:nodes",))
    endpoint = kubeconfig.Endpoint(
        f"https://{control_plane.SERVICE_ADDRESS}:443", authority.certificate_file.read_bytes()
    )
    kubeconfig.write_for_certificate(directory / KUBECONFIG_FILE, endpoint=endpoint, user=f"kubelet-{name}", pair=pair)
    shutil.copyfile(authority.certificate_file, directory / CLIENT_CA_FILE)


def _admin_api(authority: certificates.CertificateAuthority, *, server: str) -> api.AdminApi:
    pair = certificates.KeyPair(authority.directory / "admin.crt", authority.directory / "admin.key")
    return api.AdminApi(server=server, authority=authority.certificate_file, pair=pair)


def _register(admin: api.AdminApi, *, name: str) -> None:
    """Make the Node object before the kubelet would: with the loopback address, which a kubelet refuses to report.

    The API server finds the relay there. There is no Hostname address, since nobody could resolve it.
    """
    node = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {NODE_KIND_LABEL: "real"}},
        "status": {"addresses": [{"type": "InternalIP", "address": "127.0.0.1"}]},
    }
    answer = admin.request("POST", "/api/v1/nodes", node)
    if answer is None or answer.status not in {201, 409}:
        raise StartError(f"The node {name} could not be registered: {answer}.")


def _is_ready(admin: api.AdminApi, name: str) -> bool:
    answer = admin.request("GET", f"/api/v1/nodes/{name}")
    if answer is None or answer.status != 200:
        return False
    conditions: list[dict[str, Any]] = answer.body["status"].get("conditions", [])
    ready = any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
    return ready and not answer.body["spec"].get("taints")


def _image_archives() -> tuple[Path, ...]:
    program = busybox.find()
    content = program.read_bytes()
    made = (
        images.pause_image(content, name=SANDBOX_IMAGE),
        images.busybox_image(content, applets=busybox.applets(program), names=BUSYBOX_IMAGES),
    )
    return tuple(_archive(image) for image in made)


def _archive(image: images.Image) -> Path:
    target = cache.cache_directory() / "images" / f"{image.label}-{cache.digest(msgspec.json.encode(image))}.tar"
    if not target.is_file():
        with cache.workspace() as work:
            images.write_image(image, work / "image.tar")
            # Another starter may publish the same bytes at the same time, and replacing them by themselves is harmless.
            cache.publish(work / "image.tar", target)
    return target


def import_image(data_directory: Path, archive: Path) -> None:
    """Put the image in `archive` (an OCI layout or `docker save`, as a tar file) on all real nodes of the cluster."""
    directories = [directory for directory, _ in _plans(data_directory)]
    if not directories:
        raise DevClusterError(f"The cluster in {data_directory} has no real nodes to put {archive} on.")
    for directory in directories:
        import_archive(directory, archive)


def import_archive(directory: Path, archive: Path) -> None:
    """Put the image in `archive` on the node of `directory`."""
    plan = _read_plan(directory)
    found = [Path(path, "ctr") for path in plan.program_directories if Path(path, "ctr").is_file()]
    command = [str(found[0]), f"--address={_containerd_socket(directory)}", "--namespace=k8s.io", "images", "import"]
    answer = subprocess.run(
        [*command, "--digests=false", str(archive)],
        capture_output=True,
        text=True,
        timeout=_IMPORT_SECONDS,
        check=False,
    )
    if answer.returncode != 0:
        raise DevClusterError(f"The image {archive} can't be put on node {plan.node_name}:\n{answer.stderr.strip()}")


def _containerd_socket(directory: Path) -> Path:
    # Through the node's own root: a socket's path may have 107 bytes, which a data directory easily exceeds.
    pid = (directory / INIT_PID_FILE).read_text(encoding="ascii")
    return Path(f"/proc/{pid}/root{CONTAINERD_SOCKET}")


def _containerd_answers(directory: Path) -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(_containerd_socket(directory)))
        return True
    return False


def _read_plan(directory: Path) -> NodePlan:
    return msgspec.json.decode((directory / PLAN_FILE).read_bytes(), type=NodePlan)


def _plans(data_directory: Path) -> Iterator[tuple[Path, NodePlan]]:
    for file in sorted((data_directory / _NODES_DIRECTORY).glob(f"*/{PLAN_FILE}")):
        yield file.parent, _read_plan(file.parent)


def remove_all(data_directory: Path) -> None:
    """End the real nodes of the cluster in `data_directory` and remove all that they left outside of it. Idempotent.

    Knows only what is on disk. The launcher and init die first, and with them everything in the node; its mounts and
    network go by the kernel; the cgroups are what must be removed by hand. Raises StartError if that is impossible.
    """
    for directory, plan in _plans(data_directory):
        # Asked first, since a launcher that isn't killed waits for its init, and leaves no zombie to the machine's.
        launchers = [
            record for record in read_records(data_directory) if record.spec.name == process_name(plan.node_name)
        ]
        end_processes(launchers, grace_seconds=_END_SECONDS)
        end_cluster(data_directory=data_directory, cluster_id=plan.cluster_id)
        cgroups.remove(map(Path, plan.cgroup_directories))
        shutil.rmtree(directory, ignore_errors=True)
