"""F10 and F11 on a real control plane: what becomes of a job whose pod is disrupted, in both delivery modes.

Each test does the same to two jobs on nodes of their own, one for each `deliveryMode`. What has to wait for Kubernetes for up to
a minute is begun before the first test, goes on during the others, and is looked at by the last ones.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from podwright.core.values.index_set import IndexSet
from tests.cluster.api import MERGE
from tests.cluster.conftest import sole_leadership
from tests.cluster.operated.disrupted import MODES, STAYS, STRATEGIC, Disrupted, disrupted_jobs
from tests.support.operators import operator_kubeconfig, started_operator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from podwright.devcluster import EmbeddedCluster
    from tests.cluster.api import Api

pytestmark = [pytest.mark.usefixtures("long_waits"), pytest.mark.timeout(180)]

_POD_GC_SECONDS = 100.0
"""The pod garbage collector looks every 20 s, and waits 40 s before it believes that a node is gone."""
_SILENCE_SECONDS = 3.0


@dataclass(frozen=True, kw_only=True)
class LongWaits:
    """Jobs to whose nodes something has happened."""

    deleted: Disrupted
    deleted_below_arrays: Disrupted
    arrays_on_nodes: dict[str, dict[str, str]]
    """Node of each task of each array, before one of the two was deleted."""
    silent: Disrupted
    silent_since: float
    """By the monotonic clock."""
    silent_with_deleted_pods: Disrupted

    def outlast_silence(self) -> None:
        """Return the operator the time to do something wrong, and Kubernetes the time to notice."""
        time.sleep(max(0.0, self.silent_since + _SILENCE_SECONDS - time.monotonic()))


@pytest.fixture(scope="module")
def operator(
    cluster: EmbeddedCluster, cluster_directory: Path, api: Api, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """One operator for all tests here: each has nodes and a namespace of its own."""
    directory = tmp_path_factory.mktemp("operator")
    kubeconfig = operator_kubeconfig(cluster, directory / "kubeconfig")
    with sole_leadership(cluster_directory, api), started_operator(kubeconfig, directory / "log") as started:
        started.wait_until_leading()
        yield


@pytest.fixture(scope="module")
def long_waits(operator: None, cluster: EmbeddedCluster, api: Api) -> Iterator[LongWaits]:
    """Begin what takes long."""
    with contextlib.ExitStack() as stack:
        deleted, silent, silent_with_deleted_pods = (
            stack.enter_context(disrupted_jobs(cluster, api)) for _ in range(3)
        )
        arrays = stack.enter_context(disrupted_jobs(cluster, api, nodes=2))
        for each in (deleted, silent, silent_with_deleted_pods):
            each.submit(script=STAYS)
        arrays.submit_arrays(script=STAYS)
        for each in (deleted, silent, silent_with_deleted_pods, arrays):
            each.wait_until_running()
        arrays_on_nodes = {name: nodes_of_tasks(arrays, name) for name in MODES}
        for each in (deleted, arrays):
            api.request("DELETE", f"/api/v1/nodes/{each.node}").expect()
        silent.silence()
        silent_with_deleted_pods.silence()
        silent_with_deleted_pods.delete_pods()
        yield LongWaits(
            deleted=deleted,
            deleted_below_arrays=arrays,
            arrays_on_nodes=arrays_on_nodes,
            silent=silent,
            silent_since=time.monotonic(),
            silent_with_deleted_pods=silent_with_deleted_pods,
        )


@pytest.fixture
def disrupted(cluster: EmbeddedCluster, api: Api) -> Iterator[Disrupted]:
    with disrupted_jobs(cluster, api) as made:
        yield made


def run(disrupted: Disrupted, *, script: dict[str, str] | None = None) -> None:
    disrupted.submit(script=script)
    disrupted.wait_until_running()


def nodes_of_tasks(disrupted: Disrupted, job: str) -> dict[str, str]:
    """Return the node of each task of an array of which each task has one pod."""
    pods = disrupted.jobs.pods(job)
    found = {pod["metadata"]["labels"]["podwright.dev/task-index"]: pod["spec"]["nodeName"] for pod in pods}
    assert len(found) == len(pods) == 4
    assert all(list(found.values()).count(node) == 2 for node in disrupted.nodes)
    return found


def only_some_tasks_are_replaced(
    disrupted: Disrupted, before: dict[str, dict[str, str]], *, reason: str, seconds: float = 30.0
) -> None:
    """Wait until the tasks of one node are tried again or have failed; make sure that the others never noticed."""
    jobs = disrupted.jobs
    hit = {job: sorted(task for task, node in before[job].items() if node == disrupted.node) for job in MODES}
    for job in MODES:
        status = jobs.wait_for(job, lambda status: status.get("attemptCount", 0) >= 2, seconds=seconds)
        assert sorted(str(attempt["index"]) for attempt in status["attempts"]) == hit[job]
        assert {attempt["reason"] for attempt in status["attempts"]} == {reason}
        assert "finishTime" not in status

    def attempts(job: str) -> list[tuple[str, str]]:
        live = [pod for pod in jobs.pods(job) if pod["status"]["phase"] == "Running"]
        labels = [pod["metadata"]["labels"] for pod in live]
        return sorted((each["podwright.dev/task-index"], each["podwright.dev/attempt"]) for each in labels)

    others = {job: [(task, "0") for task in before[job] if task not in hit[job]] for job in MODES}
    until = time.monotonic() + 10
    while attempts("least") != sorted([*others["least"], *((task, "1") for task in hit["least"])]):
        assert time.monotonic() < until, attempts("least")
        time.sleep(0.05)
    assert attempts("once") == sorted(others["once"])
    disrupted.let_pods_succeed()
    least, once = (jobs.wait_until_over(job) for job in MODES)
    counts = [(each["phase"], each["attemptCount"], each["platformFailedCount"]) for each in (least, once)]
    assert counts == [("Succeeded", 6, 2), ("Failed", 4, 2)]
    assert [each["array"].get("succeededIndexes") for each in (least, once)] == ["0-3", indexes(others["once"])]
    assert once["array"]["failedIndexes"] == indexes([(task, "0") for task in hit["once"]])


def indexes(attempts: list[tuple[str, str]]) -> str:
    return str(IndexSet.of(int(task) for task, _ in attempts))


def test_pods_deleted_by_hand(disrupted: Disrupted) -> None:
    run(disrupted)
    disrupted.delete_pods()
    first = disrupted.replaced()
    assert (first["outcome"], first["reason"], first["exitCode"]) == ("Failed", "DeletedWhileRunning", 143)


def test_pods_deleted_by_force_on_a_node_that_may_still_run_them(disrupted: Disrupted) -> None:
    """Force removes nothing that our finalizer holds, and proves nothing: only the node can tell that they ended."""
    run(disrupted, script=STAYS)
    force = {"gracePeriodSeconds": "0"}
    disrupted.each_pod(lambda path: disrupted.api.request("DELETE", path, query=force).expect())
    time.sleep(_SILENCE_SECONDS)
    disrupted.untouched()
    ended = {"status": {"phase": "Failed"}}
    disrupted.each_pod(
        lambda path: disrupted.api.request("PATCH", f"{path}/status", ended, content_type=STRATEGIC).expect()
    )
    assert disrupted.replaced()["outcome"] == "Failed"


def test_pods_deleted_by_force_and_torn_from_the_finalizer_are_lost(disrupted: Disrupted) -> None:
    """At the risk of whoever does it: nobody knows whether they still run."""
    run(disrupted, script=STAYS)

    def tear(path: str) -> None:
        disrupted.api.request("DELETE", path, query={"gracePeriodSeconds": "0"}).expect()
        disrupted.api.request("PATCH", path, {"metadata": {"finalizers": None}}, content_type=MERGE).expect()

    disrupted.each_pod(tear)
    assert disrupted.replaced()["outcome"] == "Lost"
    assert disrupted.jobs.status("once")["reason"] == "MayHaveRun"


def test_pods_that_are_evicted(disrupted: Disrupted) -> None:
    run(disrupted)
    disrupted.evict_pods()
    assert disrupted.replaced()["reason"] == "EvictionByEvictionAPI"


def test_some_tasks_of_arrays_that_are_evicted(cluster: EmbeddedCluster, api: Api) -> None:
    with disrupted_jobs(cluster, api, nodes=2) as disrupted:
        disrupted.submit_arrays()
        disrupted.wait_until_running()
        before = {job: nodes_of_tasks(disrupted, job) for job in MODES}
        disrupted.evict_pods()
        only_some_tasks_are_replaced(disrupted, before, reason="EvictionByEvictionAPI")


def test_nodes_that_are_drained(disrupted: Disrupted) -> None:
    run(disrupted)
    disrupted.cluster.kubectl("drain", disrupted.node, "--timeout=60s")
    assert disrupted.replaced()["reason"] == "EvictionByEvictionAPI"


def test_pods_that_are_preempted(disrupted: Disrupted) -> None:
    run(disrupted)
    urgent = f"urgent-{disrupted.node}"
    priority = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": urgent}, "value": 9}
    disrupted.api.request("POST", "/apis/scheduling.k8s.io/v1/priorityclasses", priority).expect()
    spec = disrupted.placed(cpu="2", priorityClassName=urgent)
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "urgent"}, "spec": spec}
    disrupted.api.request("POST", f"/api/v1/namespaces/{disrupted.jobs.namespace}/pods", pod).expect()
    try:
        assert disrupted.replaced()["reason"] == "PreemptionByScheduler"
    finally:
        disrupted.api.request("DELETE", f"/apis/scheduling.k8s.io/v1/priorityclasses/{urgent}")


def test_nodes_that_are_out_of_service(long_waits: LongWaits) -> None:
    """A node that went silent: its pods are deleted and stay, until somebody says that the machine is surely off."""
    disrupted = long_waits.silent_with_deleted_pods
    long_waits.outlast_silence()
    disrupted.untouched()
    taint = {"key": "node.kubernetes.io/out-of-service", "value": "nodeshutdown", "effect": "NoExecute"}
    path = f"/api/v1/nodes/{disrupted.node}"
    disrupted.api.request("PATCH", path, {"spec": {"taints": [taint]}}, content_type=STRATEGIC).expect()
    first = disrupted.replaced(seconds=_POD_GC_SECONDS)
    assert first["outcome"] == "Failed"
    # Who of the two marks the pod first depends on the pod's tolerations.
    assert first["reason"] in ("DeletionByTaintManager", "DeletionByPodGC")


def test_silent_nodes_that_come_back(long_waits: LongWaits) -> None:
    """Their pods ran on."""
    disrupted = long_waits.silent
    long_waits.outlast_silence()
    disrupted.untouched()
    unreachable = {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}
    node: dict[str, Any] = disrupted.api.request("GET", f"/api/v1/nodes/{disrupted.node}").expect()
    assert any(taint.items() >= unreachable.items() for taint in node["spec"]["taints"])
    disrupted.come_back()
    disrupted.let_pods_succeed()
    for job in MODES:
        status = disrupted.jobs.wait_until_over(job)
        assert (status["phase"], status["attemptCount"], status.get("failedCount", 0)) == ("Succeeded", 1, 0)
        assert status["attempts"][0]["node"] == disrupted.node


def test_nodes_that_are_deleted(long_waits: LongWaits) -> None:
    """The pod garbage collector declares the pods failed, and our finalizer keeps them for the verdict."""
    first = long_waits.deleted.replaced(seconds=_POD_GC_SECONDS)
    assert (first["outcome"], first["reason"]) == ("Failed", "DeletionByPodGC")


def test_one_of_the_nodes_of_arrays_that_is_deleted(long_waits: LongWaits) -> None:
    only_some_tasks_are_replaced(
        long_waits.deleted_below_arrays,
        long_waits.arrays_on_nodes,
        reason="DeletionByPodGC",
        seconds=_POD_GC_SECONDS,
    )
