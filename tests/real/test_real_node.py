"""Real nodes: what containers do there is the kernel's doing, and nothing of a node outlives it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from podwright.devcluster.embedded import EmbeddedCluster
from podwright.devcluster.processes import marked_processes, start_time_of
from podwright.devcluster.real_node import cgroups, images, node
from podwright.devcluster.real_node.plan import INIT_PID_FILE
from podwright.devcluster.real_node.requirements import python_environment
from podwright.devcluster.spec import ClusterSpec, NodeKind
from podwright.devcluster.state import read_state
from podwright.devcluster.teardown import down
from tests.support.real_nodes import NEEDS_REAL_NODES
from tests.unit.cli.program import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Found = TypeVar("Found")

pytestmark = [*NEEDS_REAL_NODES]


def real_cluster(directory: Path) -> EmbeddedCluster:
    return EmbeddedCluster.start(ClusterSpec(data_directory=directory, owned=True, nodes=NodeKind.REAL, fsync=False))


def pod(name: str, script: str, **spec: Any) -> dict[str, Any]:
    container = {"name": "main", "image": "busybox:1", "command": ["sh", "-c", script]} | spec.pop("container", {})
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": [container]} | spec,
    }


def create(cluster: EmbeddedCluster, *pods: dict[str, Any]) -> None:
    cluster.kubectl("create", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": pods}))


def status(cluster: EmbeddedCluster, name: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(cluster.kubectl("get", "pod", name, "-o", "json"))["status"]
    return answer


def eventually(look: Callable[[], Found], *, seconds: float = 40.0) -> Found:
    deadline = time.monotonic() + seconds
    while True:
        if found := look():
            return found
        assert time.monotonic() < deadline, f"not within {seconds} s: {look}"
        time.sleep(0.05)


def ended(cluster: EmbeddedCluster, name: str) -> dict[str, Any]:
    """The status of the pod once it is over."""

    def look() -> dict[str, Any] | None:
        found = status(cluster, name)
        return found if found["phase"] in {"Succeeded", "Failed"} else None

    return eventually(look) or {}


def terminated(cluster: EmbeddedCluster, name: str) -> dict[str, Any]:
    """How the only container of the pod ended."""
    found: dict[str, Any] = ended(cluster, name)["containerStatuses"][0]["state"]["terminated"]
    return found


def running(cluster: EmbeddedCluster, name: str) -> None:
    eventually(lambda: status(cluster, name)["phase"] == "Running")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedCluster]:
    with real_cluster(tmp_path_factory.mktemp("real") / "cluster") as started:
        yield started


class TestContainers:
    """The pods of these tests are created together, since most of their time is waiting."""

    @pytest.fixture(scope="class")
    @staticmethod
    def pods(cluster: EmbeddedCluster) -> EmbeddedCluster:
        create(
            cluster,
            pod("succeeds", "echo first; echo second >&2; echo 'all done' > /dev/termination-log"),
            pod("fails", "exit 3"),
            pod("eats-memory", "tail /dev/zero", container={"resources": {"limits": {"memory": "24Mi"}}}),
            pod("too-slow", "exec sleep 600", activeDeadlineSeconds=1),
            pod("asks-api", r"printf 'GET / HTTP/1.0\r\n\r\n' | nc $KUBERNETES_SERVICE_HOST $KUBERNETES_SERVICE_PORT"),
            pod("own-image", "exit 5", container={"image": "podwright.dev/busybox:1"}),
            pod(
                "restricted",
                "id -u > /scratch/who && cat /scratch/who; touch /x",
                securityContext={
                    "runAsNonRoot": True,
                    "runAsUser": 65534,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                volumes=[{"name": "scratch", "emptyDir": {}}],
                container={
                    "securityContext": {"readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}},
                    "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}],
                },
            ),
            pod(
                "serves",
                "echo page > /tmp/index.html; exec httpd -f -p 8080 -h /tmp",
                container={"readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1}},
            ),
        )
        return cluster

    def test_exit_code_zero_is_success_with_logs_and_termination_message(self, pods: EmbeddedCluster) -> None:
        end = terminated(pods, "succeeds")
        assert (end["exitCode"], end["reason"], end["message"]) == (0, "Completed", "all done\n")
        assert sorted(pods.kubectl("logs", "succeeds").splitlines()) == ["first", "second"]

    @pytest.mark.parametrize(("name", "code"), [("fails", 3), ("own-image", 5)])
    def test_other_exit_codes_are_failures(self, pods: EmbeddedCluster, name: str, code: int) -> None:
        end = terminated(pods, name)
        assert (end["exitCode"], end["reason"]) == (code, "Error")
        assert status(pods, name)["phase"] == "Failed"

    def test_a_memory_limit_is_enforced_by_the_kernel(self, pods: EmbeddedCluster) -> None:
        end = terminated(pods, "eats-memory")
        assert (end["exitCode"], end["reason"]) == (137, "OOMKilled")

    def test_a_pod_may_have_no_rights_at_all(self, pods: EmbeddedCluster) -> None:
        assert terminated(pods, "restricted")["exitCode"] == 1
        # Standard output and standard error are pipes of their own, in no order.
        told = pods.kubectl("logs", "restricted").splitlines()
        assert sorted(told) == ["65534", "touch: /x: Read-only file system"]

    def test_the_kubelet_enforces_the_active_deadline(self, pods: EmbeddedCluster) -> None:
        assert ended(pods, "too-slow")["reason"] == "DeadlineExceeded"

    def test_a_pod_reaches_the_api_server_by_its_service(self, pods: EmbeddedCluster) -> None:
        ended(pods, "asks-api")
        assert "Client sent an HTTP request to an HTTPS server" in pods.kubectl("logs", "asks-api")

    def test_the_kubelet_probes_pods_and_exec_reaches_them(self, pods: EmbeddedCluster) -> None:
        def is_ready() -> bool:
            conditions = status(pods, "serves").get("conditions", ())
            return any(found["type"] == "Ready" and found["status"] == "True" for found in conditions)

        eventually(is_ready)
        assert pods.kubectl("exec", "serves", "--", "cat", "/tmp/index.html") == "page\n"


def test_a_deleted_pod_gets_sigterm_and_its_grace(cluster: EmbeddedCluster) -> None:
    # A finalizer keeps the object, so that the exit code can be read after the deletion.
    wanted = pod("polite", "trap 'exit 42' TERM; while :; do sleep 0.05; done", terminationGracePeriodSeconds=30)
    wanted["metadata"]["finalizers"] = ["podwright.dev/test"]
    create(cluster, wanted)
    running(cluster, "polite")
    cluster.kubectl("delete", "pod", "polite", "--wait=false")
    assert terminated(cluster, "polite")["exitCode"] == 42
    cluster.kubectl("patch", "pod", "polite", "--type=merge", '--patch={"metadata":{"finalizers":null}}')
    eventually(lambda: cluster.kubectl("get", "pod", "polite", "--ignore-not-found", "--output=name") == "")


def test_the_node_is_labelled_real_and_has_no_taints(cluster: EmbeddedCluster) -> None:
    found = json.loads(cluster.kubectl("get", "node", node.NODE_NAME, "-o", "json"))
    assert found["metadata"]["labels"]["podwright.dev/node-kind"] == "real"
    assert "taints" not in found["spec"]


@pytest.mark.parametrize("service", ["containerd", "kubelet"])
def test_containers_survive_the_end_of_a_service(cluster: EmbeddedCluster, service: str) -> None:
    name = f"outlives-{service}"
    create(cluster, pod(name, "sleep 3; exit 7"))
    running(cluster, name)
    os.kill(service_pid(cluster, service), signal.SIGKILL)
    assert terminated(cluster, name)["exitCode"] == 7


def test_u1_an_image_can_be_added_later(cluster: EmbeddedCluster, tmp_path: Path) -> None:
    program = b"#!/bin/busybox sh\nexit 9\n"
    from podwright.devcluster.real_node import busybox

    archive = tmp_path / "later.tar"
    content = busybox.find().read_bytes()
    images.write_image(
        images.Image(
            names=("docker.io/library/later:1",),
            command=("/run.sh",),
            directories={"bin": 0o755},
            programs={"bin/busybox": content, "run.sh": program},
        ),
        archive,
    )
    loaded = run("dev", "load", str(archive), "--data", str(cluster.data_directory))
    assert (loaded.returncode, loaded.stdout) == (0, "later:1 is on the cluster's nodes.\n"), loaded.stderr
    wanted = pod("later", "", container={"image": "later:1"})
    del wanted["spec"]["containers"][0]["command"]
    create(cluster, wanted)
    assert terminated(cluster, "later")["exitCode"] == 9
    archive.write_bytes(b"no archive")
    refused = run("dev", "load", str(archive), "--data", str(cluster.data_directory))
    assert refused.returncode == 1
    assert "is no archive of container images" in refused.stderr
    assert "docker save" in refused.stderr


def node_directory(cluster: EmbeddedCluster) -> Path:
    return cluster.data_directory / "nodes" / node.NODE_NAME


def init_pid(cluster: EmbeddedCluster) -> int:
    return int((node_directory(cluster) / INIT_PID_FILE).read_text())


def service_pid(cluster: EmbeddedCluster, name: str) -> int:
    children = Path(f"/proc/{init_pid(cluster)}/task/{init_pid(cluster)}/children").read_text().split()
    return next(int(pid) for pid in children if Path(f"/proc/{pid}/comm").read_text().strip() == name)


def processes_in_cgroups(cluster_id: str) -> set[int]:
    """Every process that runs in a cgroup of the cluster, containers included."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            # A zombie holds nothing any more; an orphaned one waits for the machine's init to take note.
            if cluster_id in (entry / "cgroup").read_text() and start_time_of(int(entry.name)) is not None:
                found.add(int(entry.name))
    return found


def machine() -> dict[str, frozenset[str]]:
    """What a node could add to the machine and never does, not even while it runs."""
    rules = (
        subprocess.run(["iptables-save"], capture_output=True, text=True, check=False).stdout if _HAS_IPTABLES else ""
    )
    settings = ("net/ipv4/ip_forward", "vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops")
    return {
        "mounts": frozenset(Path("/proc/mounts").read_text().splitlines()),
        "links": frozenset(os.listdir("/sys/class/net")),
        "routes": frozenset(Path("/proc/net/route").read_text().splitlines()),
        "rules": frozenset(line for line in rules.splitlines() if line.startswith("-")),
        "settings": frozenset(f"{name}={Path('/proc/sys', name).read_text()}" for name in settings),
        "state": frozenset(path for path in _STATE_DIRECTORIES if Path(path).exists()),
    }


def additions(before: dict[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    return {name: new for name, found in machine().items() if (new := found - before[name])}


_HAS_IPTABLES = any(Path(directory, "iptables-save").exists() for directory in ("/usr/sbin", "/sbin", "/usr/bin"))
_STATE_DIRECTORIES = (
    "/etc/cni", "/opt/cni", "/opt/containerd", "/run/cni", "/run/containerd", "/run/netns", "/run/runc",
    "/var/lib/cni", "/var/lib/containerd", "/var/lib/kubelet", "/var/log/containers", "/var/log/pods",
)  # fmt: skip


def assert_nothing_left(cluster_id: str, *, before: dict[str, frozenset[str]]) -> None:
    assert marked_processes(cluster_id) == ()
    assert processes_in_cgroups(cluster_id) == set()
    left = [group for found in cgroups.hierarchies() for group in found.parent.glob(f"*{cluster_id}*")]
    assert left == []
    assert additions(before) == {}


def with_pods_of_all_kinds(cluster: EmbeddedCluster) -> None:
    """Return the node something to hold on to: volumes in memory, shared memory, a container that ignores SIGTERM."""
    create(
        cluster,
        pod(
            "stubborn",
            "trap '' TERM; while :; do sleep 1; done",
            volumes=[{"name": "memory", "emptyDir": {"medium": "Memory"}}],
            container={"volumeMounts": [{"name": "memory", "mountPath": "/memory"}]},
        ),
        pod("deep", "sh -c 'setsid sleep 1000 & sleep 1000 & wait'", shareProcessNamespace=True),
    )
    running(cluster, "stubborn")
    running(cluster, "deep")


@pytest.mark.parametrize("victim", ["nobody", "services", "init", "launcher"])
def test_down_leaves_nothing_whatever_was_killed_before(tmp_path: Path, victim: str) -> None:
    before = machine()
    directory = tmp_path / "cluster"
    cluster = real_cluster(directory)
    try:
        cluster_id = cluster.state.cluster_id
        with_pods_of_all_kinds(cluster)
        assert additions(before) == {}
        assert len(processes_in_cgroups(cluster_id)) > 8
        match victim:
            case "services":
                for name in ("containerd-shim", "containerd", "kubelet"):
                    os.kill(service_pid(cluster, name), signal.SIGKILL)
            case "init":
                os.kill(init_pid(cluster), signal.SIGKILL)
            case "launcher":
                os.kill(cluster.processes[node.process_name(node.NODE_NAME)].pid, signal.SIGKILL)
            case _:
                pass
        assert down(directory)
        assert_nothing_left(cluster_id, before=before)
        assert not directory.exists()
        assert not down(directory)
    finally:
        cluster.stop()


_OWNER = """
import sys, time
from pathlib import Path
from podwright.devcluster.embedded import EmbeddedCluster
from podwright.devcluster.spec import ClusterSpec, NodeKind
spec = ClusterSpec(data_directory=Path(sys.argv[1]), owned=True, nodes=NodeKind.REAL, fsync=False)
with EmbeddedCluster.start(spec) as cluster:
    cluster.kubectl("run", "sleeper", "--image=busybox:1", "--command", "--", "sleep", "1000")
    cluster.kubectl("wait", "pod/sleeper", "--for=condition=Ready", "--timeout=30s")
    print("up", flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_owned_node_ends_with_its_owner(tmp_path: Path, how: signal.Signals) -> None:
    before = machine()
    directory = tmp_path / "cluster"
    owner = subprocess.Popen(
        [sys.executable, "-c", _OWNER, str(directory)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=python_environment(),
    )
    try:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"up\n"
        cluster = read_state(directory)
        assert cluster is not None
        owner.send_signal(how)
        owner.wait(timeout=30)
        eventually(lambda: not directory.exists())
        assert_nothing_left(cluster.cluster_id, before=before)
    finally:
        owner.kill()
        owner.wait()
        if owner.stdout is not None:
            owner.stdout.close()
        down(directory)


def test_a_half_started_node_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = machine()
    ids: list[str] = []

    def interrupted(directory: Path, archive: Path) -> None:
        found = read_state(tmp_path / "cluster")
        assert found is not None
        ids.append(found.cluster_id)
        raise KeyboardInterrupt

    monkeypatch.setattr(node, "import_archive", interrupted)
    with pytest.raises(KeyboardInterrupt):
        real_cluster(tmp_path / "cluster")
    assert_nothing_left(ids[0], before=before)
    assert not (tmp_path / "cluster").exists()


def test_two_clusters_side_by_side_do_not_meet(cluster: EmbeddedCluster, tmp_path: Path) -> None:
    with real_cluster(tmp_path / "other") as other:
        create(cluster, pod("twin", "sleep 1; exit 1"))
        create(other, pod("twin", "sleep 1; exit 2"))
        assert (terminated(cluster, "twin")["exitCode"], terminated(other, "twin")["exitCode"]) == (1, 2)
    # The end of one doesn't touch the other.
    create(cluster, pod("widow", "exit 4"))
    assert terminated(cluster, "widow")["exitCode"] == 4


def test_a_node_that_lost_power_comes_back_with_its_pods(cluster: EmbeddedCluster) -> None:
    create(cluster, pod("again", "date; exec sleep 1000", restartPolicy="Always"))
    running(cluster, "again")
    cluster.restart(node.process_name(node.NODE_NAME))

    def restarted() -> bool:
        found = status(cluster, "again")["containerStatuses"][0]
        return found["restartCount"] > 0 and "running" in found["state"]

    eventually(restarted, seconds=90)
    cluster.kubectl("delete", "pod", "again")
