"""`make demo` as its user meets it, on the best nodes that this machine can have."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from podwright.devcluster import EmbeddedCluster, NodeKind, down
from podwright.devcluster.processes import marked_processes
from podwright.devcluster.real_node import why_not_real
from tests.cluster.conftest import REPOSITORY
from tests.unit.cli.program import PODWRIGHT, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMESPACE = "podwright-demo"
OPERATOR = "system:serviceaccount:podwright-system:podwright-operator"
OWN_JOB = {
    "apiVersion": "podwright.dev/v1alpha1",
    "kind": "BatchJob",
    "metadata": {"name": "own", "namespace": NAMESPACE},
    "spec": {"template": {"spec": {"containers": [{"name": "main", "image": "busybox:1", "command": ["true"]}]}}},
}

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """A data directory, whose cluster is taken down whatever happened."""
    directory = tmp_path / "cluster"
    yield directory
    down(directory)


def demo(data: Path) -> subprocess.CompletedProcess[str]:
    return run("dev", "demo", "--cluster", "embedded", "--data", str(data), timeout=300)


def start_demo(data: Path) -> subprocess.Popen[str]:
    """Start it as a shell does in a terminal: in a process group of its own, which is what Ctrl-C hits."""
    return subprocess.Popen(
        [str(PODWRIGHT), "dev", "demo", "--cluster", "embedded", "--data", str(data)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )


def interrupt(process: subprocess.Popen[str]) -> str:
    """Press Ctrl-C and give what the demo said to that."""
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGINT
    assert "Traceback" not in said
    return said


def table(output: str) -> dict[str, list[str]]:
    """The lines of the final table, by the name of the job. No cell of it holds a blank."""
    lines = output.partition("NAME  ")[2].partition("\n\n")[0].splitlines()[1:]
    return {cells[0]: cells[1:] for cells in map(str.split, lines)}


def test_from_nothing_to_the_end(data: Path) -> None:
    first = demo(data)
    assert first.returncode == 0, first.stderr + first.stdout
    cluster = EmbeddedCluster.open(data)
    assert cluster is not None

    real = why_not_real() is None
    killed = "137" if real else "143"  # the simulated program listens to SIGTERM
    assert cluster.nodes is (NodeKind.REAL if real else NodeKind.FAKE)
    assert ("SIMULATED" in first.stdout) is not real
    found = table(first.stdout)
    times = {name: float(cells.pop(4).removesuffix("s")) for name, cells in found.items()}
    assert found == {
        "success": ["Succeeded", "1/1", "1", "0", "Completed"],
        "retried": ["Succeeded", "1/1", "3", "1,1,0", "Completed"],
        "timeout": ["DeadLettered", "0/1", "2", f"{killed},{killed}", "RetriesExhausted"],
        "cancelled": ["Cancelled", "0/1", "1", "143", "Cancelled"],
    }
    assert times["timeout"] >= 10
    if real:
        logs = first.stdout.partition("What the pods of retried wrote:")[2]
        assert [f"main] attempt {number}" in logs for number in range(4)] == [True, True, True, False]

    look_further(cluster, first.stdout, real=real)
    cluster.kubectl("create", "--filename=-", stdin=json.dumps(OWN_JOB))
    # U1: the first thing that the README shows runs on the cluster that the README's command makes.
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    first_manifest = readme.partition("```yaml\n")[2].partition("```")[0]
    created = cluster.kubectl("create", "--filename=-", "--output=name", stdin=first_manifest).strip()
    cluster.kubectl("wait", "--for=condition=Complete", created, "--timeout=60s")

    with start_demo(data) as second:
        assert second.stdout is not None
        assert any("cancelled is Running" in line for line in second.stdout)
        said = interrupt(second)
    assert f"podwright dev down --data {data}" in said
    assert run("dev", "status", "--data", str(data)).returncode == 0

    third = demo(data)
    assert third.returncode == 0, third.stderr + third.stdout
    assert "already" in third.stderr
    assert table(third.stdout).keys() == found.keys()
    wait = ("wait", "--for=condition=Complete", "bj/own", f"--namespace={NAMESPACE}", "--timeout=60s")
    assert "condition met" in cluster.kubectl(*wait)

    answer = run("dev", "down", "--data", str(data))
    assert answer.returncode == 0, answer.stderr
    assert not data.exists()
    assert marked_processes(cluster.state.cluster_id) == ()


def look_further(cluster: EmbeddedCluster, output: str, *, real: bool) -> None:
    """What the demo promises its user to find afterwards, and how it tells to look at it."""

    def kubectl(*arguments: str) -> str:
        return cluster.kubectl(*arguments, f"--namespace={NAMESPACE}")

    names = [f"bj/{name}" for name in ("success", "retried", "timeout", "cancelled")]
    assert kubectl("wait", "--for=condition=Finished", *names, "--timeout=1s").count("condition met") == 4
    assert "FIELDS:" in kubectl("explain", "bj.spec")
    pods: list[dict[str, Any]] = json.loads(kubectl("get", "pods", "--output=json"))["items"]
    assert len(pods) == 6  # to stop a job is to delete its pod
    recorded = {
        attempt["podUID"]: attempt["exitCode"]
        for job in json.loads(kubectl("get", "bj", "--output=json"))["items"]
        for attempt in job["status"]["attempts"]
    }
    for pod in pods:
        assert "finalizers" not in pod["metadata"]
        container = pod["status"]["containerStatuses"][0]
        assert container["state"]["terminated"]["exitCode"] == recorded[pod["metadata"]["uid"]]
        if real:
            assert container["containerID"].startswith("containerd://")
    kubeconfig = cluster.data_directory / "configuration" / "podwright-operator.kubeconfig"
    whoami = [str(cluster.kubectl_path), f"--kubeconfig={kubeconfig}", "auth", "whoami", "--output=json"]
    answer = json.loads(subprocess.run(whoami, capture_output=True, check=True).stdout)
    assert answer["status"]["userInfo"]["username"] == OPERATOR
    suggested = output.partition("To look further:")[2].partition("To see it again:")[0]
    commands = [line for line in suggested.splitlines() if line.startswith(("  export ", "  kubectl ", "  podwright "))]
    assert len(commands) >= 4
    knowing_nothing = {"PATH": "/usr/bin:/bin", "HOME": str(cluster.data_directory.parent)}
    shown = subprocess.run(
        ["sh", "-euc", "\n".join([*commands, "kubectl podwright list --all-namespaces"])],
        env=knowing_nothing,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert shown.count("retried") >= 2
    assert ("podwright dev load IMAGE.tar" in suggested) is real


def test_an_interrupted_start_of_the_cluster_leaves_nothing(data: Path) -> None:
    with start_demo(data) as process:
        deadline = time.monotonic() + 60
        while not (data / "processes.json").exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert "What was started has been ended." in interrupt(process)
    assert not data.exists()
