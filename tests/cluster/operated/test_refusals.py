"""Pods that the API server refuses, for every reason it has: never a hot loop, and the reason where the user looks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.api import MERGE

if TYPE_CHECKING:
    from tests.cluster.api import Api
    from tests.cluster.jobs import Jobs
    from tests.support.operators import OperatorProcess

pytestmark = pytest.mark.usefixtures("operator")


def pod_creations(operator: OperatorProcess) -> float:
    """Count the pods that the operator has asked for so far, whatever the answer was."""
    lines = operator.fetch("/metrics")[1].splitlines()
    return sum(float(line.split()[-1]) for line in lines if 'podwright_api_writes_total{command="CreatePod"' in line)


def enforce(api: Api, namespace: str, level: str) -> None:
    """Set the Pod Security level of a namespace."""
    labels = {"pod-security.kubernetes.io/enforce": level}
    api.request(
        "PATCH", f"/api/v1/namespaces/{namespace}", {"metadata": {"labels": labels}}, content_type=MERGE
    ).expect()


def test_a_full_quota_is_waited_for(operator: OperatorProcess, api: Api, jobs: Jobs) -> None:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "few", "namespace": jobs.namespace},
        "spec": {"hard": {"pods": "0"}},
    }
    path = f"/api/v1/namespaces/{jobs.namespace}/resourcequotas"
    api.request("POST", path, quota).expect()
    while "hard" not in api.request("GET", f"{path}/few").expect().get("status", {}):
        time.sleep(0.05)
    before = pod_creations(operator)
    jobs.submit("waits")
    status = jobs.wait_for("waits", lambda status: status.get("reason") == "QuotaExceeded")
    assert "exceeded quota: few" in status["message"]
    assert (status["phase"], status["attemptCount"]) == ("Pending", 0)
    time.sleep(2.0)
    assert pod_creations(operator) - before <= 5, "a hot loop"
    api.request("DELETE", f"{path}/few").expect()
    assert jobs.wait_until_over("waits", seconds=40)["phase"] == "Succeeded"


def test_a_limit_range_fills_in_what_is_missing_and_refuses_what_is_too_much(api: Api, jobs: Jobs) -> None:
    """F19: the pod differs from the one that was asked for, which is no concern of ours."""
    limit = {"type": "Container", "default": {"memory": "64Mi"}, "max": {"memory": "128Mi"}}
    body = {"metadata": {"name": "small"}, "spec": {"limits": [limit]}}
    api.request("POST", f"/api/v1/namespaces/{jobs.namespace}/limitranges", body).expect()
    metadata = {"name": "probe", "namespace": jobs.namespace}
    container: dict[str, Any] = {"name": "main", "image": "busybox:1"}
    probe = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container]}}
    while not api.create(probe, dry_run=True).expect()["spec"]["containers"][0]["resources"]:
        time.sleep(0.05)
    jobs.submit("silent")
    assert jobs.wait_until_over("silent")["phase"] == "Succeeded"
    (pod,) = jobs.pods("silent")
    assert pod["spec"]["containers"][0]["resources"]["limits"] == {"memory": "64Mi"}
    greedy = {**container, "resources": {"limits": {"memory": "1Gi"}}}
    jobs.submit("greedy", template={"spec": {"containers": [greedy]}})
    status = jobs.wait_until_over("greedy")
    assert (status["phase"], status["reason"], status["attemptCount"]) == ("Failed", "PodRejected", 0)
    assert "maximum memory usage per Container is 128Mi" in status["message"]


def test_what_can_never_be_created_fails_in_the_servers_words(api: Api, jobs: Jobs) -> None:
    def submit(name: str, **pod: Any) -> None:
        spec = {"containers": [{"name": "main", "image": "busybox:1"}], **pod}
        jobs.submit(name, template={"spec": spec})

    enforce(api, jobs.namespace, "restricted")
    jobs.submit("forbidden")
    status = jobs.wait_for("forbidden", lambda status: status.get("reason") == "PodRejected")
    assert status["phase"] == "Pending", "S8 B21: a denial is asked again for a minute"
    status = jobs.wait_until_over("forbidden", seconds=100)
    assert (status["phase"], status["reason"]) == ("Failed", "PodRejected")
    assert 'violates PodSecurity "restricted:latest"' in status["message"]
    enforce(api, jobs.namespace, "privileged")
    submit("misspelt", nodeSelectr={"a": "b"})
    assert 'unknown field "spec.nodeSelectr"' in jobs.wait_until_over("misspelt")["message"]
    submit("impossible", hostNetwork=True, hostUsers=False)
    assert "hostNetwork" in jobs.wait_until_over("impossible")["message"]
    jobs.submit("healthy")
    assert jobs.wait_until_over("healthy")["phase"] == "Succeeded"


def test_a_service_account_may_come_later(api: Api, jobs: Jobs) -> None:
    template = {
        "spec": {"serviceAccountName": "later", "containers": [{"name": "main", "image": "busybox:1"}]},
    }
    jobs.submit("waits", template=template)
    status = jobs.wait_for("waits", lambda status: status.get("reason") == "ServiceAccountMissing")
    assert 'serviceaccount "later" not found' in status["message"]
    account = {"metadata": {"name": "later"}}
    api.request("POST", f"/api/v1/namespaces/{jobs.namespace}/serviceaccounts", account).expect()
    assert jobs.wait_until_over("waits")["phase"] == "Succeeded"


@pytest.mark.parametrize(
    ("field", "path", "body", "reason"),
    [
        pytest.param(
            "priorityClassName",
            "/apis/scheduling.k8s.io/v1/priorityclasses",
            {"value": 1000},
            "PriorityClassMissing",
            id="S8 B21 PriorityClass",
        ),
        pytest.param(
            "runtimeClassName",
            "/apis/node.k8s.io/v1/runtimeclasses",
            {"handler": "runc"},
            "RuntimeClassMissing",
            id="S8 B21 RuntimeClass",
        ),
    ],
)
def test_a_class_may_come_later(api: Api, jobs: Jobs, field: str, path: str, body: dict[str, Any], reason: str) -> None:
    name = f"{jobs.namespace}-later"
    jobs.submit("waits", template={"spec": {field: name, "containers": [{"name": "main", "image": "busybox:1"}]}})
    status = jobs.wait_for("waits", lambda status: status.get("reason") == reason)
    assert (status["phase"], name in status["message"]) == ("Pending", True)
    api.request("POST", path, {"metadata": {"name": name}, **body}).expect()
    try:
        assert jobs.wait_until_over("waits", seconds=40)["phase"] == "Succeeded"
    finally:
        api.request("DELETE", f"{path}/{name}").expect()


@pytest.mark.parametrize(
    "resources", [{}, {"limits": {"cpu": "2"}}], ids=["B26 must specify", "B26 above the whole quota"]
)
def test_a_pod_that_no_quota_admits_has_a_reason_of_its_own(api: Api, jobs: Jobs, resources: dict[str, Any]) -> None:
    quota = {"metadata": {"name": "cpu"}, "spec": {"hard": {"limits.cpu": "1"}}}
    path = f"/api/v1/namespaces/{jobs.namespace}/resourcequotas"
    api.request("POST", path, quota).expect()
    while "hard" not in api.request("GET", f"{path}/cpu").expect().get("status", {}):
        time.sleep(0.05)
    container = {"name": "main", "image": "busybox:1", "resources": resources}
    jobs.submit("never", template={"spec": {"containers": [container]}}, timeouts={"queue": "5s"})
    jobs.wait_for("never", lambda status: status.get("reason") == "QuotaUnsatisfiable")
    assert jobs.wait_until_over("never", seconds=40)["reason"] == "QueueTimeout"


@pytest.mark.parametrize(
    ("allowed", "script", "spec", "phase"),
    [
        pytest.param(4, {"duration": "1s"}, {"array": {"size": 10, "parallelism": 2}}, "Succeeded", id="B5 array"),
        pytest.param(
            3,
            {"exit-code": "1"},
            {"retry": {"limit": 5, "initial": "1s", "max": "1s"}},
            "DeadLettered",
            id="B5 attempts of one task",
        ),
    ],
)
def test_b5_finished_pods_that_a_quota_counts_hold_up_no_others(
    api: Api, jobs: Jobs, allowed: int, script: dict[str, str], spec: dict[str, Any], phase: str
) -> None:
    """`count/pods` counts pods that have ended as well."""
    quota = {"metadata": {"name": "objects"}, "spec": {"hard": {"count/pods": str(allowed)}}}
    path = f"/api/v1/namespaces/{jobs.namespace}/resourcequotas"
    api.request("POST", path, quota).expect()
    while "hard" not in api.request("GET", f"{path}/objects").expect().get("status", {}):
        time.sleep(0.05)
    jobs.submit("counted", script=script, retention={"podSeconds": 0}, **spec)
    status = jobs.wait_until_over("counted", seconds=100)
    assert status["phase"] == phase
    assert status["attemptCount"] == (10 if phase == "Succeeded" else 6)


def test_a_squatter_on_the_name_costs_an_attempt(jobs: Jobs) -> None:
    jobs.submit("squatted", suspend=True, retry={"limit": 1, "initial": "10ms", "max": "10ms"})
    jobs.squat("squatted")
    jobs.edit("squatted", suspend=False)
    status = jobs.wait_until_over("squatted")
    assert [attempt["reason"] for attempt in status["attempts"]] == ["NameCollision", "Completed"]
