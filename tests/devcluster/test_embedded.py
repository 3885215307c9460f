from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from podwright.devcluster import (
    ClusterSpec,
    DevClusterError,
    EmbeddedCluster,
    KubectlError,
    NodeKind,
    SilentReporter,
    StartError,
    down,
    open_cluster,
    up,
)
from podwright.devcluster.processes import marked_processes, read_records

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from podwright.devcluster.processes import ProcessRecord

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]

SPEC = ClusterSpec(owned=True, fsync=False)
CONTROL_PLANE = {"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"}


class Steps(SilentReporter):
    """Remembers what was reported."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.notes: list[str] = []

    def step_started(self, step: str, *, position: int, total: int) -> None:
        self.started.append(step)

    def note(self, message: str) -> None:
        self.notes.append(message)


def is_gone(directory: Path, cluster_id: str, records: Mapping[str, ProcessRecord]) -> bool:
    running = [record for record in records.values() if record.is_running]
    return not running and not marked_processes(cluster_id) and not directory.exists()


def test_warm_start_builds_nothing_and_is_ready_within_seconds(shared_cluster: EmbeddedCluster) -> None:
    # The shared cluster has built whatever wasn't in the cache.
    assert shared_cluster.kubernetes_version() == "v1.36.3"
    steps = Steps()
    began = time.monotonic()
    with EmbeddedCluster.start(SPEC, reporter=steps) as cluster:
        elapsed = time.monotonic() - began
        assert cluster.kubectl("get", "serviceaccount", "default", "--output=name") == "serviceaccount/default\n"
        second = cluster.data_directory, cluster.state.cluster_id, cluster.processes
        assert set(cluster.status()) == CONTROL_PLANE
        assert all(cluster.status().values())
        # Side by side: each has its own objects.
        cluster.kubectl("create", "configmap", "only-here")
        with pytest.raises(KubectlError, match="NotFound"):
            shared_cluster.kubectl("get", "configmap", "only-here")
    assert steps.started == ["starting the control plane"]
    assert elapsed < 20, "a start takes 3 s on two idle cores"
    assert is_gone(*second)
    assert shared_cluster.kubectl("get", "namespace", "default", "--output=name") == "namespace/default\n"


def test_service_account_kubeconfig_has_its_rights_and_no_more(shared_cluster: EmbeddedCluster, tmp_path: Path) -> None:
    admin = shared_cluster.kubectl
    admin("create", "serviceaccount", "reader")
    admin("create", "role", "reader", "--verb=list", "--resource=configmaps")
    admin("create", "rolebinding", "reader", "--role=reader", "--serviceaccount=default:reader")
    path = shared_cluster.create_user_kubeconfig(
        service_account="reader", namespace="default", path=tmp_path / "reader", duration="10m"
    )
    assert path.stat().st_mode & 0o777 == 0o600

    def as_reader(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(shared_cluster.kubectl_path), f"--kubeconfig={path}", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert as_reader("get", "configmaps").returncode == 0
    assert "system:serviceaccount:default:reader" in as_reader("get", "pods").stderr


def test_killed_processes_restart_with_their_data(eventually: Callable[[Callable[[], bool], str], None]) -> None:
    with EmbeddedCluster.start(SPEC) as cluster:
        cluster.kubectl("create", "configmap", "kept")
        before = {name: record.pid for name, record in cluster.processes.items()}
        os.kill(before["kube-apiserver"], signal.SIGKILL)
        cluster.restart("kube-apiserver")
        cluster.kubectl("get", "configmap", "kept")
        os.kill(before["etcd"], signal.SIGKILL)
        os.kill(before["kube-scheduler"], signal.SIGKILL)
        eventually(lambda: not cluster.status()["etcd"] and not cluster.status()["kube-scheduler"], "both to end")
        cluster.resume()
        cluster.kubectl("get", "configmap", "kept")
        after = {name: record.pid for name, record in cluster.processes.items()}
        assert after["kube-controller-manager"] == before["kube-controller-manager"]
        assert after["etcd"] != before["etcd"]
        assert all(cluster.status().values())


OWNER = """
import sys, time
from pathlib import Path
from podwright.devcluster import ClusterSpec, EmbeddedCluster
spec = ClusterSpec(data_directory=Path(sys.argv[1]), owned=True, fake_node_count=1, fsync=False)
if sys.argv[2] == "fork":
    import os
cluster = EmbeddedCluster.start(spec)
if sys.argv[2] == "fork" and os.fork() == 0:
    time.sleep(60)
    os._exit(0)
print("ready", flush=True)
time.sleep(600)
"""


def start_owner(directory: Path, mode: str) -> subprocess.Popen[str]:
    sources = Path(sys.modules["podwright.devcluster"].__file__ or "").parents[2]
    environment = os.environ | {"PYTHONPATH": str(sources)}
    return subprocess.Popen(
        [sys.executable, "-c", OWNER, str(directory), mode],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    )


@pytest.mark.parametrize(
    ("mode", "number"),
    [("ready", signal.SIGKILL), ("ready", signal.SIGTERM), ("fork", signal.SIGKILL), ("starting", signal.SIGKILL)],
)
def test_owned_cluster_ends_with_its_owner(
    mode: str, number: signal.Signals, tmp_path: Path, eventually: Callable[[Callable[[], bool], str], None]
) -> None:
    directory = tmp_path / "cluster"
    owner = start_owner(directory, mode)
    try:
        if mode == "starting":
            eventually(lambda: len(read_records(directory)) >= 2, "the owner to start processes")
        else:
            assert owner.stdout is not None
            assert owner.stdout.readline() == "ready\n"
        found = EmbeddedCluster.open(directory) if mode != "starting" else None
        cluster_id = json.loads((directory / "cluster.json").read_text())["cluster_id"]
        records = {record.spec.name: record for record in read_records(directory)}
        assert any(record.is_running for record in records.values())
        assert (found is not None) == (mode != "starting")
        owner.send_signal(number)
        owner.wait()
        eventually(lambda: is_gone(directory, cluster_id, records), "everything of the cluster to be gone")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(owner.pid, signal.SIGKILL)
        owner.wait()
        if owner.stdout is not None:
            owner.stdout.close()
        down(directory)


def test_down_after_a_crash_needs_the_directory_alone_and_is_idempotent(tmp_path: Path) -> None:
    directory = tmp_path / "cluster"
    cluster = EmbeddedCluster.start(ClusterSpec(data_directory=directory, fake_node_count=1, fsync=False))
    try:
        records, cluster_id = cluster.processes, cluster.state.cluster_id
        for name in ("etcd", "kwok"):
            os.kill(records[name].pid, signal.SIGKILL)
        # As after a crash between starting a process and recording it.
        (directory / "processes.json").unlink()
        (directory / "a-stranger").touch()
    finally:
        assert down(directory)
    assert not [record for record in records.values() if record.is_running]
    assert not marked_processes(cluster_id)
    assert [entry.name for entry in directory.iterdir()] == ["a-stranger"]
    assert not down(directory)
    assert not down(tmp_path / "never-was")


def test_up_goes_on_with_the_cluster_of_the_directory(
    tmp_path: Path, eventually: Callable[[Callable[[], bool], str], None]
) -> None:
    spec = ClusterSpec(data_directory=tmp_path / "cluster", nodes=NodeKind.FAKE, fsync=False)
    assert spec.data_directory is not None
    try:
        first = up(spec, reporter=SilentReporter())
        assert isinstance(first, EmbeddedCluster)
        first.kubectl("create", "configmap", "kept")
        os.kill(first.processes["kwok"].pid, signal.SIGKILL)
        eventually(lambda: not first.status()["kwok"], "kwok to end")
        steps = Steps()
        second = up(spec, reporter=steps)
        assert isinstance(second, EmbeddedCluster)
        assert second.state == first.state
        assert all(second.status().values())
        assert any("already" in note for note in steps.notes)
        second.kubectl("get", "configmap", "kept")
        with pytest.raises(StartError, match="already"):
            EmbeddedCluster.start(spec)
        found = open_cluster(spec.data_directory)
        assert found is not None
        assert found.server == first.server
    finally:
        down(spec.data_directory)


def test_start_that_fails_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    directory = tmp_path / "cluster"
    spec = ClusterSpec(data_directory=directory, owned=True, flags={"kube-apiserver": ("--no-such-flag",)})
    with pytest.raises(StartError, match="no-such-flag"):
        EmbeddedCluster.start(spec)
    assert not directory.exists()


def test_directory_with_other_things_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(DevClusterError, match=r"thesis\.txt"):
        EmbeddedCluster.start(ClusterSpec(data_directory=tmp_path))
    assert (tmp_path / "thesis.txt").exists()
    occupied = tmp_path / "thesis.txt" / "below"
    with pytest.raises(DevClusterError, match="can't be used"):
        EmbeddedCluster.start(ClusterSpec(data_directory=occupied))


def test_etcd_and_api_server_refuse_strangers(shared_cluster: EmbeddedCluster) -> None:
    url, authority, pair = shared_cluster.etcd_endpoint
    certificates = shared_cluster.data_directory / "certificates" / "kubernetes"
    probe = (
        "import ssl, sys, urllib.request\n"
        "context = ssl.create_default_context(cafile=sys.argv[2])\n"
        "if len(sys.argv) > 3: context.load_cert_chain(sys.argv[3], sys.argv[4])\n"
        "print(urllib.request.urlopen(sys.argv[1], context=context, timeout=5).status)\n"
    )

    def ask(*arguments: object) -> str:
        answer = subprocess.run(
            [sys.executable, "-c", probe, *map(str, arguments)], capture_output=True, text=True, check=False
        )
        return answer.stdout.strip() or answer.stderr.strip().splitlines()[-1]

    assert ask(f"{url}/version", authority, pair.certificate, pair.key) == "200"
    assert "Error" in ask(f"{url}/version", authority)
    # Not even the cluster's administrator: etcd has an authority of its own.
    assert "Error" in ask(f"{url}/version", authority, certificates / "admin.crt", certificates / "admin.key")
    assert "401" in ask(f"{shared_cluster.server}/readyz", shared_cluster.ca_file)
