"""F10 and F11 on a real control plane: what becomes of a job whose pod is disrupted, in both delivery modes.

Each test runs two jobs on nodes of its own, one for each `deliveryMode`, and does the same to the pods of both.
"""

from __future__ import annotations

import itertools
import os
import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from podwright.devcluster import EmbeddedCluster
    from tests.cluster.api import Api
    from tests.cluster.jobs import Jobs

pytestmark = [pytest.mark.usefixtures("operator"), pytest.mark.timeout(180)]

MODES = {"least": "AtLeastOnce", "once": "AtMostOnce"}
QUICK_RETRY = {"limit": 1, "initial": "10ms", "max": "10ms"}
_POD_GC_SECONDS = 100.0
"""The pod garbage collector looks every 20 s, and waits 40 s before it believes that a node is gone."""
_numbers = itertools.count()


class Disrupted:
    """A node of its own, and two jobs that run there for ever unless something happens."""

    def __init__(self, cluster: EmbeddedCluster, api: Api, jobs: Jobs) -> None:
        self.cluster = cluster
        self.api = api
        self.jobs = jobs
        self.node = f"hazard-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}-{next(_numbers)}"

    def register(self) -> None:
        node = self.api.request("GET", "/api/v1/nodes/fake-0").expect()
        labels = {**node["metadata"]["labels"], "kubernetes.io/hostname": self.node, "hazard": self.node}
        # The taint keeps other tests' pods away.
        taint = {"key": "hazard", "value": self.node, "effect": "NoSchedule"}
        capacity = {**node["status"]["capacity"], "cpu": "2"}
        status = {**node["status"], "capacity": capacity, "allocatable": capacity}
        new = {"metadata": {"name": self.node, "labels": labels}, "spec": {"taints": [taint]}, "status": status}
        self.api.request("POST", "/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", **new}).expect()

    def placed(self, **spec: Any) -> dict[str, Any]:
        """Give a pod's spec that fits only on this node, and takes half of it."""
        container = {"name": "main", "image": "busybox:1", "resources": {"requests": {"cpu": "1"}}}
        tolerations = [{"key": "hazard", "operator": "Exists"}]
        return {"nodeSelector": {"hazard": self.node}, "tolerations": tolerations, "containers": [container], **spec}

    def run(self, *, script: dict[str, str] | None = None, **spec: Any) -> None:
        """Submit both jobs, and wait until status tells that they run."""
        annotations = {f"fake.podwright.dev/{k}": v for k, v in {"duration": "forever", **(script or {})}.items()}
        template = {"metadata": {"annotations": annotations}, "spec": self.placed(**spec)}
        for name, mode in MODES.items():
            self.submit(name, template=template, deliveryMode=mode, retry=QUICK_RETRY)
        for name in MODES:
            self.jobs.wait_for(name, lambda status: status.get("phase") == "Running")

    def submit(self, name: str, **spec: Any) -> None:
        metadata = {"name": name, "namespace": self.jobs.namespace}
        job = {"apiVersion": "podwright.dev/v1alpha1", "kind": "BatchJob", "metadata": metadata, "spec": spec}
        self.api.create(job).expect()

    def pod(self, job: str) -> dict[str, Any]:
        """Give the only pod of a job."""
        (pod,) = self.jobs.pods(job)
        return pod

    def each_pod(self, act: Callable[[str], Any]) -> None:
        for job in MODES:
            act(f"/api/v1/namespaces/{self.jobs.namespace}/pods/{self.pod(job)['metadata']['name']}")

    def replaced(self, *, seconds: float = 30.0) -> dict[str, Any]:
        """Wait until the one job goes on with another attempt and the other is over; give the first attempt of both."""
        least = self.jobs.wait_for("least", lambda status: "outcome" in status["attempts"][0], seconds=seconds)
        once = self.jobs.wait_until_over("once", seconds=seconds)
        assert (once["phase"], once["attemptCount"]) == ("Failed", 1), once
        until = time.monotonic() + 10
        while not any(pod["metadata"]["labels"]["podwright.dev/attempt"] == "1" for pod in self.jobs.pods("least")):
            assert time.monotonic() < until, self.jobs.status("least")
            time.sleep(0.05)
        assert all(pod["metadata"]["labels"]["podwright.dev/attempt"] == "0" for pod in self.jobs.pods("once"))
        known = [(a["outcome"], a["reason"]) for a in (least["attempts"][0], once["attempts"][0])]
        assert known[0] == known[1], known
        first: dict[str, Any] = least["attempts"][0]
        return first

    def waits(self, *, seconds: float = 3.0) -> None:
        """Make sure that nothing follows while the pods may still run."""
        time.sleep(seconds)
        for job in MODES:
            status = self.jobs.status(job)
            assert "finishTime" not in status
            assert [attempt.get("outcome") for attempt in status["attempts"]] == [None]
            assert self.pod(job)["metadata"]["finalizers"]


@pytest.fixture
def disrupted(cluster: EmbeddedCluster, api: Api, jobs: Jobs) -> Iterator[Disrupted]:
    made = Disrupted(cluster, api, jobs)
    made.register()
    yield made
    api.request("DELETE", f"/api/v1/nodes/{made.node}")


def test_pods_deleted_by_hand(disrupted: Disrupted) -> None:
    disrupted.run()
    disrupted.each_pod(lambda path: disrupted.api.request("DELETE", path).expect())
    first = disrupted.replaced()
    assert (first["outcome"], first["reason"], first["exitCode"]) == ("Failed", "DeletedWhileRunning", 143)


def test_pods_deleted_by_force_on_a_node_that_may_still_run_them(disrupted: Disrupted) -> None:
    """Force removes nothing that our finalizer holds, and proves nothing: only the node can tell that they ended."""
    disrupted.run(script={"never-terminates": "true"})
    force = {"gracePeriodSeconds": "0"}
    disrupted.each_pod(lambda path: disrupted.api.request("DELETE", path, query=force).expect())
    disrupted.waits()
    ended = {"status": {"phase": "Failed"}}
    disrupted.each_pod(
        lambda path: disrupted.api.request(
            "PATCH", f"{path}/status", ended, content_type="application/strategic-merge-patch+json"
        ).expect()
    )
    assert disrupted.replaced()["outcome"] == "Failed"


def test_pods_deleted_by_force_and_torn_from_the_finalizer_are_lost(disrupted: Disrupted) -> None:
    """At the risk of whoever does it: nobody knows whether they still run."""
    disrupted.run(script={"never-terminates": "true"})

    def tear(path: str) -> None:
        disrupted.api.request("DELETE", path, query={"gracePeriodSeconds": "0"}).expect()
        disrupted.api.request(
            "PATCH", path, {"metadata": {"finalizers": None}}, content_type="application/merge-patch+json"
        ).expect()

    disrupted.each_pod(tear)
    assert disrupted.replaced()["outcome"] == "Lost"
    assert disrupted.jobs.status("once")["reason"] == "MayHaveRun"


def test_pods_that_are_evicted(disrupted: Disrupted) -> None:
    disrupted.run()

    def evict(path: str) -> None:
        name = path.rpartition("/")[2]
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
        disrupted.api.request("POST", f"{path}/eviction", body).expect()

    disrupted.each_pod(evict)
    assert disrupted.replaced()["reason"] == "EvictionByEvictionAPI"


def test_nodes_that_are_drained(disrupted: Disrupted) -> None:
    disrupted.run()
    disrupted.cluster.kubectl("drain", disrupted.node, "--timeout=60s")
    assert disrupted.replaced()["reason"] == "EvictionByEvictionAPI"


def test_pods_that_are_preempted(disrupted: Disrupted) -> None:
    disrupted.run()
    urgent = f"urgent-{disrupted.node}"
    priority = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": urgent}, "value": 9}
    disrupted.api.request("POST", "/apis/scheduling.k8s.io/v1/priorityclasses", priority).expect()
    container = {"name": "main", "image": "busybox:1", "resources": {"requests": {"cpu": "2"}}}
    spec = disrupted.placed(priorityClassName=urgent, containers=[container])
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "urgent"}, "spec": spec}
    disrupted.api.request("POST", f"/api/v1/namespaces/{disrupted.jobs.namespace}/pods", pod).expect()
    try:
        assert disrupted.replaced()["reason"] == "PreemptionByScheduler"
    finally:
        disrupted.api.request("DELETE", f"/apis/scheduling.k8s.io/v1/priorityclasses/{urgent}")


def test_nodes_that_are_deleted(disrupted: Disrupted) -> None:
    """The pod garbage collector declares the pods failed, and our finalizer keeps them for the verdict."""
    disrupted.run(script={"never-terminates": "true"})
    disrupted.api.request("DELETE", f"/api/v1/nodes/{disrupted.node}").expect()
    first = disrupted.replaced(seconds=_POD_GC_SECONDS)
    assert (first["outcome"], first["reason"]) == ("Failed", "DeletionByPodGC")


def test_nodes_that_are_out_of_service(disrupted: Disrupted) -> None:
    """A node that went silent: its pods are deleted and stay, until somebody says that the machine is surely off."""
    disrupted.run(script={"never-terminates": "true"})
    path = f"/api/v1/nodes/{disrupted.node}"
    merge = "application/strategic-merge-patch+json"
    ready = {"status": {"conditions": [{"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown"}]}}
    # Without the label its heartbeats stop, and nobody says that it is ready.
    unmanaged = {"metadata": {"labels": {"podwright.dev/node-kind": "none"}}}
    disrupted.api.request("PATCH", path, unmanaged, content_type=merge).expect()
    disrupted.api.request("PATCH", f"{path}/status", ready, content_type=merge).expect()
    disrupted.each_pod(lambda pod: disrupted.api.request("DELETE", pod).expect())
    disrupted.waits()
    taint = {"key": "node.kubernetes.io/out-of-service", "value": "nodeshutdown", "effect": "NoExecute"}
    disrupted.api.request("PATCH", path, {"spec": {"taints": [taint]}}, content_type=merge).expect()
    first = disrupted.replaced(seconds=_POD_GC_SECONDS)
    assert first["outcome"] == "Failed"
    # Who of the two marks the pod first depends on the pod's tolerations.
    assert first["reason"] in ("DeletionByTaintManager", "DeletionByPodGC")
