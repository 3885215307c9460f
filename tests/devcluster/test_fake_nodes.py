from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from podwright.devcluster import EmbeddedCluster

    Json = dict[str, Any]
    Eventually = Callable[[Callable[[], bool], str], None]

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(60)]

FINALIZER = "test.podwright.dev/keep"


class Pods:
    """Creates, reads and changes pods of one namespace through kubectl."""

    def __init__(self, cluster: EmbeddedCluster, namespace: str) -> None:
        self.cluster = cluster
        self.namespace = namespace

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        return self.cluster.kubectl(*arguments, f"--namespace={self.namespace}", stdin=stdin)

    def create(
        self, name: str, *, finalizers: list[str] | None = None, spec: Json | None = None, **script: str
    ) -> None:
        annotations = {f"fake.podwright.dev/{key.replace('_', '-')}": value for key, value in script.items()}
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "annotations": annotations, "finalizers": finalizers or []},
            "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "none"}], **(spec or {})},
        }
        self.kubectl("create", "--filename=-", stdin=json.dumps(pod))

    def get(self, name: str) -> Json | None:
        answer = self.kubectl("get", "pod", name, "--output=json", "--ignore-not-found")
        return json.loads(answer) if answer else None

    def phase(self, name: str) -> str | None:
        pod = self.get(name)
        return pod["status"]["phase"] if pod else None

    def ended(self, name: str) -> Json:
        pod = self.get(name)
        assert pod is not None
        terminated: Json = pod["status"]["containerStatuses"][0]["state"]["terminated"]
        return terminated


@pytest.fixture
def pods(shared_cluster: EmbeddedCluster, eventually: Eventually) -> Iterator[Pods]:
    namespace = f"test-{uuid.uuid4().hex[:8]}"
    shared_cluster.kubectl("create", "namespace", namespace)
    found = Pods(shared_cluster, namespace)
    # Made by the controller manager a moment after the namespace; pods are refused until then.
    eventually(lambda: bool(found.kubectl("get", "serviceaccount", "default", "--ignore-not-found")), "service account")
    yield found
    shared_cluster.kubectl("delete", "namespace", namespace, "--wait=false")


def test_pod_without_a_script_succeeds_with_the_status_of_a_kubelet(pods: Pods, eventually: Eventually) -> None:
    pods.create("plain")
    eventually(lambda: pods.phase("plain") == "Succeeded", "the pod to succeed")
    pod = pods.get("plain")
    assert pod is not None
    status = pod["status"]
    assert pods.ended("plain") | {"exitCode": 0, "reason": "Completed"} == pods.ended("plain")
    assert status["startTime"]
    assert status["podIP"].startswith("10.244.")
    container = status["containerStatuses"][0]
    assert (container["ready"], container["started"], container["restartCount"]) == (False, False, 0)
    assert container["state"]["terminated"]["containerID"] == container["containerID"]
    conditions = {condition["type"]: condition["status"] for condition in status["conditions"]}
    assert conditions == {
        "PodScheduled": "True",
        "Initialized": "True",
        "Ready": "False",
        "ContainersReady": "False",
        "PodReadyToStartContainers": "False",
    }


def test_script_decides_exit_code_reason_and_termination_message(pods: Pods, eventually: Eventually) -> None:
    message = 'line "one"\nline two: {{ . }}'
    pods.create("three", exit_code="3", termination_message=message)
    pods.create("killed", signal="9", reason="OOMKilled")
    eventually(lambda: pods.phase("three") == pods.phase("killed") == "Failed", "both pods to fail")
    three, killed = pods.ended("three"), pods.ended("killed")
    assert (three["exitCode"], three["reason"], three["message"]) == (3, "Error", message)
    assert (killed["exitCode"], killed["reason"], killed["signal"]) == (137, "OOMKilled", 9)


def test_duration_counts_from_the_start_however_often_the_pod_is_changed(pods: Pods, eventually: Eventually) -> None:
    pods.create("slow", duration="3s")
    eventually(lambda: pods.phase("slow") == "Running", "the pod to run")
    for number in range(20):
        pods.kubectl("annotate", "pod", "slow", f"changed={number}", "--overwrite")
        if pods.phase("slow") == "Succeeded":
            break
    eventually(lambda: pods.phase("slow") == "Succeeded", "the pod to end while it is being changed")


def test_pending_delays_the_start_and_forever_runs_on(pods: Pods, eventually: Eventually) -> None:
    pods.create("waits", pending="1h")
    pods.create("runs", duration="forever")
    pods.create("service", spec={"restartPolicy": "Always"})
    eventually(lambda: pods.phase("runs") == pods.phase("service") == "Running", "both pods to run")
    assert pods.phase("waits") == "Pending"


def test_script_that_makes_no_sense_fails_the_pod_and_names_the_annotation(pods: Pods, eventually: Eventually) -> None:
    pods.create("soon", duration="soon")
    pods.create("large", exit_code="256")
    eventually(lambda: pods.phase("soon") == pods.phase("large") == "Failed", "both pods to fail")
    soon, large = pods.get("soon"), pods.get("large")
    assert soon is not None
    assert large is not None
    assert soon["status"]["reason"] == large["status"]["reason"] == "InvalidScript"
    assert "fake.podwright.dev/duration" in soon["status"]["message"]
    assert "fake.podwright.dev/exit-code" in large["status"]["message"]


def test_deleted_while_running_ends_by_sigterm_and_keeps_its_finalizer(pods: Pods, eventually: Eventually) -> None:
    pods.create("held", duration="forever", finalizers=[FINALIZER])
    eventually(lambda: pods.phase("held") == "Running", "the pod to run")
    pods.kubectl("delete", "pod", "held", "--wait=false")
    eventually(lambda: pods.phase("held") == "Failed", "the pod to end")
    held = pods.get("held")
    assert held is not None
    assert pods.ended("held")["exitCode"] == 143
    assert held["metadata"]["finalizers"] == [FINALIZER]
    pods.kubectl("patch", "pod", "held", "--patch", '{"metadata": {"finalizers": null}}')
    eventually(lambda: pods.get("held") is None, "the pod to go once its finalizer is gone")


def test_deleted_pods_that_ignore_sigterm_or_never_terminate(pods: Pods, eventually: Eventually) -> None:
    pods.create("stubborn", duration="forever", ignore_sigterm="true", finalizers=[FINALIZER])
    pods.create("lost", duration="forever", never_terminates="true")
    pods.create("unborn", pending="1h", finalizers=[FINALIZER])
    eventually(lambda: pods.phase("stubborn") == pods.phase("lost") == "Running", "both pods to run")
    pods.kubectl("delete", "pod", "stubborn", "lost", "unborn", "--grace-period=1", "--wait=false")
    eventually(lambda: pods.phase("stubborn") == pods.phase("unborn") == "Failed", "both pods to end")
    assert pods.ended("stubborn")["exitCode"] == 137
    assert pods.ended("unborn")["reason"] == "ContainerStatusUnknown"
    assert pods.phase("lost") == "Running"
    pods.kubectl("delete", "pod", "lost", "--grace-period=0", "--force")
    pods.kubectl("patch", "pod", "stubborn", "--patch", '{"metadata": {"finalizers": null}}')
    pods.kubectl("patch", "pod", "unborn", "--patch", '{"metadata": {"finalizers": null}}')
    eventually(lambda: not pods.kubectl("get", "pods", "--output=name"), "all pods to be gone")


def test_nodes_are_ready_and_without_taints(shared_cluster: EmbeddedCluster) -> None:
    nodes = json.loads(shared_cluster.kubectl("get", "nodes", "--output=json"))["items"]
    assert [node["metadata"]["name"] for node in nodes] == ["fake-0", "fake-1"]
    for node in nodes:
        ready = next(item for item in node["status"]["conditions"] if item["type"] == "Ready")
        assert ready["status"] == "True"
        assert "taints" not in node["spec"]
        assert int(node["status"]["allocatable"]["pods"].replace("k", "000")) >= 10_000
