"""Pods that can't be let go of at once, and jobs that can't go: what is said of them, and what goes on meanwhile."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from podwright.core.constants import names
from tests.cluster.api import MERGE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from podwright.devcluster import EmbeddedCluster
    from tests.cluster.api import Api
    from tests.cluster.jobs import Jobs

pytestmark = [pytest.mark.usefixtures("operator"), pytest.mark.timeout(150)]

_POLICIES = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
_BINDINGS = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"


def until(condition: Callable[[], object], *, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.1)


@pytest.fixture
def frozen(api: Api, namespace: str) -> Iterator[Callable[[], None]]:
    """A policy that lets nobody change the pods of task 3 in the namespace; call it to take the policy away."""
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["pods"]}
    here = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [rule], "namespaceSelector": here},
        "matchConditions": [{"name": "task-3", "expression": "object.metadata.name.endsWith('-3-0')"}],
        "validations": [{"expression": "false", "message": "frozen by a test"}],
    }
    binding = {"policyName": namespace, "validationActions": ["Deny"]}
    api.request("POST", _POLICIES, {"metadata": {"name": namespace}, "spec": spec}).expect()
    api.request("POST", _BINDINGS, {"metadata": {"name": namespace}, "spec": binding}).expect()
    probe = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "probe-3-0", "namespace": namespace},
        "spec": {"schedulingGates": [{"name": "a.b/c"}], "containers": [{"name": "main", "image": "busybox:1"}]},
    }
    api.create(probe).expect()
    label = {"metadata": {"labels": {"a": "b"}}}
    until(lambda: "frozen by a test" in api.patch("Pod", namespace, "probe-3-0", label, dry_run=True).words)
    removed = False

    def remove() -> None:
        nonlocal removed
        if not removed:
            removed = True
            api.request("DELETE", f"{_BINDINGS}/{namespace}").expect()
            api.request("DELETE", f"{_POLICIES}/{namespace}").expect()

    yield remove
    remove()


def test_b7_a_pod_that_a_policy_freezes_is_named_and_holds_up_no_other(
    cluster: EmbeddedCluster, api: Api, jobs: Jobs, frozen: Callable[[], None]
) -> None:
    began = time.monotonic()
    jobs.submit("held", script={"duration": "2s"}, array={"size": 20, "parallelism": 5}, ttlSecondsAfterFinished=5)
    status = jobs.wait_for("held", lambda status: status.get("reason") == "PodChangeRefused", seconds=15)
    assert "-3-0 can't be changed or deleted" in status["message"]
    assert "frozen by a test" in status["message"]
    status = jobs.wait_until_over("held", seconds=40)
    assert (status["phase"], status["reason"]) == ("Succeeded", "Completed")
    assert time.monotonic() - began < 25, "8 s without the policy"
    listed = cluster.kubectl("events", "--for=batchjob/held", f"--namespace={jobs.namespace}")
    assert "PodChangeRefused" in listed
    assert "frozen by a test" in listed
    until(lambda: api.get("BatchJob", jobs.namespace, "held").status == 404, seconds=30)
    frozen()
    until(lambda: not jobs.pods("held"), seconds=60)


def test_k11_a_job_that_a_foreign_finalizer_holds_is_let_go_of(api: Api, jobs: Jobs) -> None:
    """As with a native Job: the status stays, nothing is started any more, and the pods are the garbage collector's."""
    jobs.submit("kept", script={"duration": "forever"}, array={"size": 3, "parallelism": 2})
    jobs.wait_for("kept", lambda status: status.get("phase") == "Running")
    path = f"/apis/podwright.dev/v1alpha1/namespaces/{jobs.namespace}/batchjobs/kept"
    api.request("PATCH", path, {"metadata": {"finalizers": ["example.org/hold"]}}, content_type=MERGE).expect()
    before = jobs.status("kept")
    api.request("DELETE", path).expect()
    until(lambda: not any(names.FINALIZER in pod["metadata"].get("finalizers", ()) for pod in jobs.pods("kept")))
    pods = jobs.pods("kept")
    assert [pod["status"]["phase"] for pod in pods] == ["Running", "Running"]
    for pod in pods:
        api.delete("Pod", jobs.namespace, pod["metadata"]["name"]).expect()
    time.sleep(3.0)
    assert jobs.pods("kept") == [], "nothing more of it is started"
    assert jobs.status("kept") == before
    api.request("PATCH", path, {"metadata": {"finalizers": None}}, content_type=MERGE).expect()
    until(lambda: not api.request("GET", path).ok)


def test_k6_a_kubelet_that_is_ending_a_pod_is_asked_again_when_the_cancellation_becomes_immediate(
    api: Api, jobs: Jobs
) -> None:
    """What the kubelet makes of it is its own affair, as for a bare pod: the page about cancelling says so."""
    script = {"duration": "forever", "ignore-sigterm": "true"}
    container = {"name": "main", "image": "busybox:1"}
    template: dict[str, Any] = {"spec": {"terminationGracePeriodSeconds": 600, "containers": [container]}}
    jobs.submit("slow", script=script, template=template)
    jobs.wait_for("slow", lambda status: status.get("phase") == "Running")
    jobs.edit("slow", cancel="Graceful")
    until(lambda: jobs.pods("slow")[0]["metadata"].get("deletionGracePeriodSeconds") == 600)
    jobs.edit("slow", cancel="Immediate")
    until(lambda: jobs.pods("slow")[0]["metadata"]["deletionGracePeriodSeconds"] == 1)
    assert jobs.wait_until_over("slow")["phase"] == "Cancelled"
