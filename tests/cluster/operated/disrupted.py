"""Nodes of one's own, and two jobs that run there, one for each `deliveryMode`, so that the same can be done to both."""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from typing import TYPE_CHECKING, Any

from tests.cluster.api import MERGE
from tests.cluster.conftest import new_namespace
from tests.cluster.jobs import Jobs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from podwright.devcluster import EmbeddedCluster
    from tests.cluster.api import Api

MODES = {"least": "AtLeastOnce", "once": "AtMostOnce"}
STAYS = {"never-terminates": "true"}
"""Script of a pod whose node doesn't tell that it ended, whoever deletes it."""
STRATEGIC = "application/strategic-merge-patch+json"
_MANAGED = {"podwright.dev/node-kind": "fake"}
_QUICK_RETRY = {"limit": 1, "initial": "10ms", "max": "10ms"}
_numbers = itertools.count()


class Disrupted:
    """The nodes and the jobs. Both jobs run for ever unless something happens."""

    def __init__(self, cluster: EmbeddedCluster, api: Api, jobs: Jobs, *, nodes: int = 1) -> None:
        self.cluster = cluster
        self.api = api
        self.jobs = jobs
        self._group = f"hazard-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}-{next(_numbers)}"
        self.nodes = [f"{self._group}-{number}" for number in range(nodes)]

    @property
    def node(self) -> str:
        """The last of the nodes: the one that something happens to."""
        return self.nodes[-1]

    def register(self) -> None:
        """Add the nodes to the cluster. Each holds two pods of a job, or any number of pods of an array."""
        known = self.api.request("GET", "/api/v1/nodes/fake-0").expect()
        # The taint keeps other tests' pods away.
        taint = {"key": "hazard", "value": self._group, "effect": "NoSchedule"}
        capacity = {**known["status"]["capacity"], "cpu": "2"}
        status = {**known["status"], "capacity": capacity, "allocatable": capacity}
        for name in self.nodes:
            labels = {**known["metadata"]["labels"], "kubernetes.io/hostname": name, "hazard": self._group}
            new = {"metadata": {"name": name, "labels": labels}, "spec": {"taints": [taint]}, "status": status}
            self.api.request("POST", "/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", **new}).expect()

    def placed(self, *, cpu: str = "1", **spec: Any) -> dict[str, Any]:
        """Return a pod's spec that fits only on these nodes; by default it takes half of one."""
        container = {"name": "main", "image": "busybox:1", "resources": {"requests": {"cpu": cpu}}}
        tolerations = [{"key": "hazard", "operator": "Exists"}]
        return {"nodeSelector": {"hazard": self._group}, "tolerations": tolerations, "containers": [container], **spec}

    def submit(self, *, script: dict[str, str] | None = None) -> None:
        """Submit both jobs."""
        self._submit(script=script, spec=self.placed())

    def submit_arrays(self, *, script: dict[str, str] | None = None) -> None:
        """Submit both as arrays of four tasks, two of them on each of two nodes."""
        spread = {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "DoNotSchedule",
            "matchLabelKeys": ["podwright.dev/job"],
            "labelSelector": {},
        }
        self._submit(script=script, spec=self.placed(cpu="1m", topologySpreadConstraints=[spread]), array={"size": 4})

    def _submit(self, *, script: dict[str, str] | None, spec: dict[str, Any], **rest: Any) -> None:
        annotations = {f"fake.podwright.dev/{k}": v for k, v in {"duration": "forever", **(script or {})}.items()}
        template = {"metadata": {"annotations": annotations}, "spec": spec}
        for name, mode in MODES.items():
            metadata = {"name": name, "namespace": self.jobs.namespace}
            spec = {"template": template, "deliveryMode": mode, "retry": _QUICK_RETRY, **rest}
            job = {"apiVersion": "podwright.dev/v1alpha1", "kind": "BatchJob", "metadata": metadata, "spec": spec}
            self.api.create(job).expect()

    def wait_until_running(self) -> None:
        """Wait until all pods run, and status tells that the jobs do."""
        for name in MODES:
            self.jobs.wait_for(name, lambda status: status.get("phase") == "Running")
            until = time.monotonic() + 30
            while any(pod["status"]["phase"] != "Running" for pod in self.jobs.pods(name)):
                assert time.monotonic() < until, self.jobs.pods(name)
                time.sleep(0.05)

    def pod(self, job: str) -> dict[str, Any]:
        """Return the only pod of a job."""
        (pod,) = self.jobs.pods(job)
        return pod

    def each_pod(self, act: Callable[[str], Any]) -> None:
        """Do something to the paths of all pods on the node that something happens to."""
        for job in MODES:
            for pod in self.jobs.pods(job):
                if pod["spec"].get("nodeName") == self.node:
                    act(f"/api/v1/namespaces/{self.jobs.namespace}/pods/{pod['metadata']['name']}")

    def delete_pods(self) -> None:
        """Delete them as a user does."""
        self.each_pod(lambda path: self.api.request("DELETE", path).expect())

    def evict_pods(self) -> None:
        """Evict them as a drain does."""

        def evict(path: str) -> None:
            body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": path.rpartition("/")[2]}}
            self.api.request("POST", f"{path}/eviction", body).expect()

        self.each_pod(evict)

    def silence(self) -> None:
        """Stop the node's heartbeats and what it tells of its pods."""
        path = f"/api/v1/nodes/{self.node}"
        ready = {"status": {"conditions": [{"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown"}]}}
        unmanaged = {"metadata": {"labels": dict.fromkeys(_MANAGED, "none")}}
        self.api.request("PATCH", path, unmanaged, content_type=STRATEGIC).expect()
        self.api.request("PATCH", f"{path}/status", ready, content_type=STRATEGIC).expect()

    def come_back(self) -> None:
        """Let the node say again how it and its pods are, and wait until it is ready."""
        path = f"/api/v1/nodes/{self.node}"
        self.api.request("PATCH", path, {"metadata": {"labels": _MANAGED}}, content_type=STRATEGIC).expect()
        until = time.monotonic() + 30
        while not self._is_ready():
            assert time.monotonic() < until, f"{self.node} isn't ready"
            time.sleep(0.05)

    def _is_ready(self) -> bool:
        node = self.api.request("GET", f"/api/v1/nodes/{self.node}").expect()
        return any((each["type"], each["status"]) == ("Ready", "True") for each in node["status"]["conditions"])

    def let_pods_succeed(self) -> None:
        """Let the containers of all pods end well."""
        done = {"metadata": {"annotations": {"fake.podwright.dev/duration": "0s"}}}
        for job in MODES:
            for pod in self.jobs.pods(job):
                path = f"/api/v1/namespaces/{self.jobs.namespace}/pods/{pod['metadata']['name']}"
                self.api.request("PATCH", path, done, content_type=MERGE).expect()

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

    def untouched(self) -> None:
        """Make sure that nothing has followed, since the pods may still run."""
        for job in MODES:
            status = self.jobs.status(job)
            assert "finishTime" not in status
            assert [attempt.get("outcome") for attempt in status["attempts"]] == [None]
            assert self.pod(job)["metadata"]["finalizers"]


@contextlib.contextmanager
def disrupted_jobs(cluster: EmbeddedCluster, api: Api, *, nodes: int = 1) -> Iterator[Disrupted]:
    """Make the nodes and a namespace for the block."""
    with new_namespace(api) as namespace:
        made = Disrupted(cluster, api, Jobs(api, namespace), nodes=nodes)
        made.register()
        yield made
        for node in made.nodes:
            api.request("DELETE", f"/api/v1/nodes/{node}")
