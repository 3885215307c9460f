"""Arrays on a real control plane, while quota, admission, users and the spec itself change under them (F19 to F22, F27, F28)."""

from __future__ import annotations

import itertools
import json
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest

from podwright.core.job.array.size import fits
from podwright.core.job.array.status import array_status
from podwright.core.job.array.suspicion import FAILURES_KEPT, NODES_KEPT
from podwright.core.model.array import ArrayRecord, FailureOnNode, RetryGroup
from podwright.core.model.phase import Phase
from podwright.core.spec import ArraySpec
from podwright.core.values.index_set import IndexSet
from podwright.kube.codecs.status_encoding import status_fields
from tests.cluster.api import MERGE, OPERATOR
from tests.cluster.operated.test_refusals import pod_creations
from tests.support.builders import make_job as make_view

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cluster.api import Api
    from tests.cluster.jobs import Jobs
    from tests.support.operators import OperatorProcess

pytestmark = [pytest.mark.usefixtures("operator"), pytest.mark.timeout(120)]

LIVE = ("Pending", "Running")
_numbers = itertools.count()


def live(jobs: Jobs, name: str) -> list[str]:
    """Return the tasks whose pods run or may still run, one entry for each pod."""
    pods = [pod for pod in jobs.pods(name) if pod["status"]["phase"] in LIVE and not _never_starts(pod)]
    return [pod["metadata"]["labels"]["podwright.dev/task-index"] for pod in pods]


def _never_starts(pod: dict[str, Any]) -> bool:
    """Return whether a pod is being deleted that has no node: the API server gives it none any more."""
    return "deletionTimestamp" in pod["metadata"] and not pod["spec"].get("nodeName")


def until(condition: Callable[[], object], *, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.05)


def test_a_quota_that_goes_up_and_down_only_delays(operator: OperatorProcess, api: Api, jobs: Jobs) -> None:
    path = f"/api/v1/namespaces/{jobs.namespace}/resourcequotas"

    def allow(pods: int) -> None:
        quota = {"metadata": {"name": "few"}, "spec": {"hard": {"pods": str(pods)}}}
        if not api.request("POST", path, quota).ok:
            api.request("PATCH", f"{path}/few", quota, content_type=MERGE).expect()
        until(lambda: api.request("GET", f"{path}/few").expect().get("status", {}).get("hard") == {"pods": str(pods)})

    allow(0)
    before = pod_creations(operator)
    jobs.submit("waits", array={"size": 8}, script={"duration": "300ms"})
    status = jobs.wait_for("waits", lambda status: status.get("reason") == "QuotaExceeded")
    assert "exceeded quota: few" in status["message"]
    time.sleep(2.0)
    # All eight are asked for before the first answer comes; then one at a time.
    assert pod_creations(operator) - before <= 8 + 5, "a hot loop"
    allow(2)
    jobs.wait_for("waits", lambda status: status["array"]["succeeded"] >= 2, seconds=60)
    allow(0)
    time.sleep(1.0)
    allow(100)
    status = jobs.wait_until_over("waits", seconds=60)
    assert (status["phase"], status["attemptCount"], status.get("failedCount", 0)) == ("Succeeded", 8, 0)


def policy(namespace: str, expression: str) -> list[tuple[str, dict[str, Any]]]:
    """Build a policy on new pods of a namespace, with its binding."""
    name = f"{namespace}-{next(_numbers)}"
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    here = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [rule], "namespaceSelector": here},
        "validations": [{"expression": expression, "message": "not this one"}],
    }
    path = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolic"
    return [
        (f"{path}ies", {"metadata": {"name": name}, "spec": spec}),
        (
            f"{path}ybindings",
            {"metadata": {"name": name}, "spec": {"policyName": name, "validationActions": ["Deny"]}},
        ),
    ]


def test_a_policy_that_refuses_one_task_ends_the_array_in_its_words(api: Api, jobs: Jobs) -> None:
    made = policy(
        jobs.namespace,
        "object.metadata.name != 'probe' && (!has(object.metadata.labels) || !('podwright.dev/task-index' in object.metadata.labels)"
        " || object.metadata.labels['podwright.dev/task-index'] != '2')",
    )
    for path, body in made:
        api.request("POST", path, body).expect()
    try:
        probe = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "probe", "namespace": jobs.namespace},
            "spec": {"containers": [{"name": "main", "image": "busybox:1"}]},
        }
        until(lambda: "not this one" in api.create(probe, dry_run=True).words)
        jobs.submit("partly", array={"size": 4}, script={"duration": "forever"})
        status = jobs.wait_until_over("partly", seconds=110)  # a denial is asked again for a minute
        assert (status["phase"], status["reason"]) == ("Failed", "PodRejected")
        assert "not this one" in status["message"]
        assert status.get("failedCount", 0) == 0
        assert live(jobs, "partly") == []
    finally:
        for path, body in reversed(made):
            api.request("DELETE", f"{path}/{body['metadata']['name']}").expect()


@pytest.mark.parametrize("listens", [False, True], ids=["down", "silent"])
def test_a_webhook_that_does_not_answer_is_waited_for(
    operator: OperatorProcess, api: Api, jobs: Jobs, listens: bool
) -> None:
    """Connections are refused, or made and then left without a word until the API server gives up."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        _wait_for_webhook(operator, api, jobs, port=silent.getsockname()[1] if listens else 9)


def _wait_for_webhook(operator: OperatorProcess, api: Api, jobs: Jobs, *, port: int) -> None:
    path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    hook = {
        "name": "down.example.org",
        "rules": [rule],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": jobs.namespace}},
        "clientConfig": {"url": f"https://127.0.0.1:{port}/"},
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "timeoutSeconds": 1,
    }
    api.request("POST", path, {"metadata": {"name": jobs.namespace}, "webhooks": [hook]}).expect()
    try:
        probe = {
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "probe", "namespace": jobs.namespace},
            "spec": {"containers": [{"name": "main", "image": "busybox:1"}]},
        }  # fmt: skip
        until(lambda: "failed calling webhook" in api.create(probe, dry_run=True).words)
        jobs.submit("waits", array={"size": 3})
        status = jobs.wait_for("waits", lambda status: "webhook" in status.get("message", ""))
        assert (status["phase"], status["attemptCount"]) == ("Pending", 0)
        before = pod_creations(operator)
        time.sleep(2.0)
        assert pod_creations(operator) - before <= 6, "a hot loop"
    finally:
        api.request("DELETE", f"{path}/{jobs.namespace}").expect()
    status = jobs.wait_until_over("waits", seconds=60)
    assert (status["phase"], status["attemptCount"]) == ("Succeeded", 3)


def test_why_pods_wait_is_told_until_the_start_limit(jobs: Jobs) -> None:
    template = {
        "spec": {"nodeSelector": {"no": "such-node"}, "containers": [{"name": "main", "image": "busybox:1"}]},
    }
    limits: dict[str, Any] = {"timeouts": {"start": "5s"}, "retry": {"limit": 0}}
    jobs.submit("one", template=json.loads(json.dumps(template)), **limits)
    jobs.submit("many", template=template, array={"size": 2}, **limits)
    status = jobs.wait_for("one", lambda status: status.get("reason") == "Unschedulable")
    assert "node" in status["message"]
    status = jobs.wait_until_over("one")
    assert (status["phase"], status["reason"]) == ("Failed", "StartTimeout")
    status = jobs.wait_until_over("many")
    assert (status["phase"], status["attempts"][0]["reason"]) == ("Failed", "StartTimeout")


def test_the_longest_list_of_items_that_is_accepted_runs(jobs: Jobs) -> None:
    """B39, K4: nearly 256 KiB of items."""
    items = [f"{number:05}:{'x' * 16}" for number in range(10_000)]
    jobs.submit("big", array={"items": items, "indexes": "0-4,9995-9999"})
    status = jobs.wait_until_over("big")
    assert (status["phase"], status["progress"]) == ("Succeeded", "10/10")


def test_the_largest_record_is_accepted_and_fits(api: Api, jobs: Jobs) -> None:
    """An array of 100,000 tasks with as many gaps as `core.array.size` lets happen, and ten thousand tasks more that ran."""
    jobs.submit("gaps", array={"size": 100_000}, suspend=True)
    jobs.wait_for("gaps", lambda status: status.get("phase") == "Suspended")
    array = ArraySpec(size=100_000, tasks=IndexSet.up_to(100_000))
    record = ArrayRecord(
        succeeded=IndexSet.of(n for n in range(10_000, 43_000) if n % 4 < 2),
        failed=IndexSet.of(range(62_000, 67_000, 2)),
        retries=tuple(
            RetryGroup(indexes=IndexSet.of([70_000 + 2 * n]), attempts=n + 1, failed=n + 1, due=1e9 + n)
            for n in range(100)
        ),
        given_up=7,
        lost_nodes=tuple(f"node-{n}" for n in range(NODES_KEPT)),
        node_failures=tuple(FailureOnNode(node=f"node-{n}", reason="Error", exit_code=n) for n in range(FAILURES_KEPT)),
    )
    assert fits(array=array, record=record)
    running = IndexSet.of(range(80_000, 84_000, 2))
    view = make_view(array=array)
    status = array_status(
        job=view, array=array, phase=Phase.PENDING, reason="Resumed", message="gaps", record=record, ends=(),
        running=running, now=1e9,
    )  # fmt: skip
    fields = status_fields(status)
    assert len(json.dumps(fields)) < 256 * 1024
    answer = api.acting_as(OPERATOR).patch(
        "BatchJob", jobs.namespace, "gaps", {"status": fields}, subresource="status", dry_run=True
    )
    assert answer.ok, answer.words[:500]
    read = answer.expect()["status"]["array"]
    assert IndexSet.parse(read["succeededIndexes"]) == record.succeeded
    assert IndexSet.parse(read["failedIndexes"]) == record.failed
    for field in ("givenUp", "lostNodes", "nodeFailures"):
        assert read[field] == fields["array"][field]


def test_parallelism_goes_up_and_down(jobs: Jobs) -> None:
    jobs.submit("elastic", array={"size": 30, "parallelism": 2}, script={"duration": "2s"})
    until(lambda: len(live(jobs, "elastic")) == 2)
    jobs.edit("elastic", array={"size": 30, "parallelism": 20})
    until(lambda: len(live(jobs, "elastic")) >= 18)
    jobs.edit("elastic", array={"size": 30, "parallelism": 1})
    until(lambda: len(live(jobs, "elastic")) == 1)  # nothing is stopped for it
    for _ in range(10):
        assert len(live(jobs, "elastic")) <= 1
        time.sleep(0.1)
    jobs.edit("elastic", array={"size": 30, "parallelism": 30})
    status = jobs.wait_until_over("elastic", seconds=60)
    assert (status["phase"], status["attemptCount"], status.get("failedCount", 0)) == ("Succeeded", 30, 0)


def test_suspending_and_resuming_again_and_again(jobs: Jobs) -> None:
    jobs.submit("flaps", array={"size": 5}, script={"duration": "1s"}, retry={"limit": 0, "platformLimit": 0})
    for number in range(9):
        jobs.edit("flaps", suspend=number % 2 == 0)
        tasks = live(jobs, "flaps")
        assert len(tasks) == len(set(tasks))
        time.sleep(0.02 * number * number)
    jobs.edit("flaps", suspend=False)
    status = jobs.wait_until_over("flaps", seconds=60)
    assert (status["phase"], status["progress"], status.get("failedCount", 0)) == ("Succeeded", "5/5", 0)


def test_cancelled_while_it_waits_for_a_retry(jobs: Jobs) -> None:
    jobs.submit("late", array={"size": 2}, script={"exit-code": "1"}, retry={"limit": 3, "initial": "1h", "max": "1h"})
    jobs.wait_for("late", lambda status: status.get("phase") == "Retrying")
    jobs.edit("late", cancel="Graceful")
    status = jobs.wait_until_over("late")
    assert (status["phase"], status["attemptCount"]) == ("Cancelled", 2)


def test_a_namesake_does_not_inherit_the_pods_of_a_deleted_array(api: Api, jobs: Jobs) -> None:
    jobs.submit("again", array={"size": 3}, script={"never-terminates": "true", "duration": "forever"})
    until(lambda: len(live(jobs, "again")) == 3)
    old = {pod["metadata"]["uid"] for pod in jobs.pods("again")}
    api.delete("BatchJob", jobs.namespace, "again").expect()
    until(lambda: not api.get("BatchJob", jobs.namespace, "again").ok)
    jobs.submit("again", array={"size": 3})
    status = jobs.wait_until_over("again")
    assert (status["phase"], status["attemptCount"], status.get("failedCount", 0)) == ("Succeeded", 3, 0)
    assert len({pod["metadata"]["uid"] for pod in jobs.pods("again")} - old) == 3


@pytest.mark.parametrize(
    "sabotage",
    [
        {"labels": {"podwright.dev/job-uid": None}},
        {"labels": {"podwright.dev/task-index": "1", "podwright.dev/attempt": "7", "podwright.dev/job": "other"}},
        {"ownerReferences": None},
        {"finalizers": None},
        {"labels": None, "ownerReferences": None, "finalizers": None},
    ],
    ids=["label", "numbers", "owner", "finalizer", "all"],
)
def test_pods_that_somebody_tampers_with_never_run_twice(api: Api, jobs: Jobs, sabotage: dict[str, Any]) -> None:
    jobs.submit("target", array={"size": 2}, script={"duration": "4s"})
    jobs.wait_for("target", lambda status: status.get("phase") == "Running")
    victims = [pod["metadata"]["name"] for pod in jobs.pods("target")]
    path = f"/api/v1/namespaces/{jobs.namespace}/pods"
    refused = [
        not api.request("PATCH", f"{path}/{name}", {"metadata": sabotage}, content_type=MERGE).ok for name in victims
    ]
    end = time.monotonic() + 2.5
    while time.monotonic() < end:
        pods = api.list("Pod", jobs.namespace).expect()["items"]
        assert sum(pod["status"]["phase"] in LIVE for pod in pods) <= 2, (refused, [p["metadata"] for p in pods])
        time.sleep(0.1)
    status = jobs.wait_until_over("target", seconds=40)
    assert status["phase"] == "Succeeded", status


def test_a_status_that_a_user_writes_is_refused_and_a_look_alike_is_too(api: Api, jobs: Jobs) -> None:
    jobs.submit("mine", array={"size": 2}, script={"duration": "2s"})
    until(lambda: len(jobs.pods("mine")) == 2)
    forged = {"status": {"array": {"succeeded": 2, "failed": 0, "succeededIndexes": "0-1"}}}
    assert "podwright:" in api.patch("BatchJob", jobs.namespace, "mine", forged, subresource="status").message
    original = jobs.pods("mine")[0]["metadata"]
    spoof: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{original['name']}-x",
            "namespace": jobs.namespace,
            "labels": original["labels"],
            "ownerReferences": original["ownerReferences"],
        },
        "spec": {"containers": [{"name": "main", "image": "busybox:1"}]},
    }
    assert "podwright:" in api.create(spoof).message
    unlabelled = {**spoof, "metadata": {**spoof["metadata"], "labels": {}}}
    api.create(unlabelled)
    status = jobs.wait_until_over("mine")
    assert (status["phase"], status["attemptCount"]) == ("Succeeded", 2)
