"""What somebody who may edit a namespace can do to jobs by changing the marks of pods: nothing, in their own namespace or another.

The attacker has the ClusterRole `edit` in one namespace; the victims are jobs in every phase, there and elsewhere. Every request
goes to the real API server with the shipped policies, and whatever is let through must change no victim.
"""

from __future__ import annotations

import functools
import itertools
import time
from typing import TYPE_CHECKING, Any

import pytest

from podwright.core.constants import names
from tests.cluster.api import MERGE, Api
from tests.cluster.conftest import new_namespace
from tests.cluster.jobs import Jobs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.cluster.operated.conftest import Start
    from tests.support.operators import OperatorProcess

ATTACKER = "mallory"
FOREVER = {"duration": "forever"}


@pytest.fixture
def attacker(api: Api, namespace: str) -> Api:
    """Somebody with the ClusterRole `edit` in the test's namespace and no right elsewhere."""
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": ATTACKER, "namespace": namespace},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"},
        "subjects": [{"kind": "User", "name": ATTACKER}],
    }
    path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings"
    api.request("POST", path, binding).expect()
    acting = api.acting_as(ATTACKER)
    until(lambda: acting.list("Pod", namespace).ok)
    return acting


@pytest.fixture
def other_namespace(api: Api) -> Iterator[str]:
    """The namespace of a tenant who has nothing to do with the attacker."""
    with new_namespace(api) as name:
        yield name


def until(condition: Callable[[], bool], *, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def controller(uid: str, name: str, **changes: Any) -> dict[str, Any]:
    """Build the reference by which a BatchJob controls a pod."""
    reference = {"apiVersion": names.API_VERSION, "kind": names.JOB_KIND, "name": name, "uid": uid, "controller": True}
    return {**reference, **changes}


def submit_victims(jobs: Jobs, *, upstream: str) -> dict[str, str]:
    """Submit a job for every phase; return what each must still be at the end."""
    jobs.submit(upstream, script=FOREVER)
    jobs.submit("later", startAt="2099-01-01T00:00:00Z")
    jobs.submit("depends", dependsOn=[{"name": upstream}])
    jobs.submit("once", script=FOREVER, deliveryMode="AtMostOnce")
    jobs.submit("array", script=FOREVER, array={"size": 3})
    jobs.submit("retrying", script={"exit-code": "1"}, retry={"limit": 3, "initial": "1h", "max": "1h"})
    jobs.submit("done")
    want = {
        upstream: "Running",
        "later": "Pending",
        "depends": "Pending",
        "once": "Running",
        "array": "Running",
        "retrying": "Retrying",
        "done": "Succeeded",
    }
    for name, phase in want.items():
        jobs.wait_for(name, functools.partial(is_in, phase))
    return want


def is_in(phase: str, status: dict[str, Any]) -> bool:
    return status.get("phase") == phase


def facts(jobs: Jobs, name: str) -> tuple[Any, ...]:
    """Return what of a job a forgery would change: its status but for the times of its news, and which pods live."""
    status = jobs.status(name)
    kept = {key: value for key, value in status.items() if key not in ("conditions", "observedGeneration")}
    live = sorted(
        pod["metadata"]["uid"]
        for pod in jobs.pods(name)
        if pod["status"]["phase"] in ("Pending", "Running") and "deletionTimestamp" not in pod["metadata"]
    )
    return kept, live


def forged_metadata(victim: dict[str, Any], own: dict[str, Any]) -> list[dict[str, Any]]:
    """Return changes of a pod's metadata that point to the victim: each mark alone, and all of them together."""
    uid, name = victim["metadata"]["uid"], victim["metadata"]["name"]
    own_reference = controller(own["metadata"]["uid"], own["metadata"]["name"], controller=False)
    marks: list[dict[str, Any]] = [
        {"labels": {names.LABEL_JOB_UID: uid}},
        {"labels": {names.LABEL_JOB: name}},
        {"labels": {names.LABEL_TASK_INDEX: "0", names.LABEL_ATTEMPT: "0"}},
        {"labels": {names.LABEL_SHARD: "7"}},
        {"ownerReferences": [controller(uid, name)]},
        {"ownerReferences": [own_reference, controller(uid, name)]},
        {"ownerReferences": [controller(uid, name, controller=False)]},
        {"ownerReferences": None},
        {"annotations": {names.ANNOTATION_EPOCH: "99"}},
        {"finalizers": None},
    ]
    together = {
        "labels": {names.LABEL_JOB_UID: uid, names.LABEL_JOB: name, names.LABEL_ATTEMPT: "0"},
        "ownerReferences": [controller(uid, name)],
        "annotations": {names.ANNOTATION_EPOCH: "99"},
        "finalizers": None,
    }
    return [*marks, together]


def test_s1_l1_marks_of_an_ended_pod_changed_alone_and_together_change_no_victim(
    api: Api, attacker: Api, operator: OperatorProcess, jobs: Jobs, namespace: str, other_namespace: str
) -> None:
    elsewhere = Jobs(api, other_namespace)
    jobs.submit("attack", script={"exit-code": "0"}, retention={"podSeconds": 3600})
    jobs.wait_until_over("attack")
    (pod,) = jobs.pods("attack")
    until(lambda: "finalizers" not in api.get("Pod", namespace, pod["metadata"]["name"]).expect()["metadata"])
    own = api.get("BatchJob", namespace, "attack").expect()
    victims = [(jobs, submit_victims(jobs, upstream="near")), (elsewhere, submit_victims(elsewhere, upstream="far"))]
    before = {(on.namespace, name): facts(on, name) for on, want in victims for name in want}
    path = f"/api/v1/namespaces/{namespace}/pods/{pod['metadata']['name']}"
    let_through: list[dict[str, Any]] = []
    for on, want in victims:
        for name in want:
            victim = api.get("BatchJob", on.namespace, name).expect()
            for change in forged_metadata(victim, own):
                answer = attacker.request("PATCH", path, {"metadata": change}, content_type=MERGE)
                if answer.ok:
                    let_through.append(change)
    allowed = [{"annotations": {names.ANNOTATION_EPOCH: "99"}}, {"finalizers": None}]
    assert [change for change in let_through if change not in allowed] == []
    time.sleep(2.0)
    after = {(on.namespace, name): facts(on, name) for on, want in victims for name in want}
    assert after == before


def test_s1_pods_that_an_attacker_creates_under_a_victims_names_are_nobodys(
    api: Api, attacker: Api, operator: OperatorProcess, jobs: Jobs, namespace: str
) -> None:
    """Names and uids of jobs are no secret, so a namesake of the next attempt's pod can be tried."""
    jobs.submit("victim", startAt="2099-01-01T00:00:00Z", retry={"limit": 1, "initial": "10ms", "max": "10ms"})
    victim = (
        jobs.wait_for("victim", lambda status: status.get("phase") == "Pending")
        and api.get("BatchJob", namespace, "victim").expect()
    )
    uid = victim["metadata"]["uid"]
    name = names.pod_name(job_name="victim", job_uid=uid, task_index=0, attempt=0)
    labels = {names.LABEL_JOB_UID: uid, names.LABEL_JOB: "victim", names.LABEL_ATTEMPT: "0"}
    parts: dict[str, Any] = {
        "labels": labels,
        "ownerReferences": [controller(uid, "victim")],
        "finalizers": [names.FINALIZER],
    }
    spec = {"containers": [{"name": "main", "image": "busybox:1"}]}
    for count in range(1, len(parts) + 1):
        for chosen in itertools.combinations(parts, count):
            metadata = {"name": name, "namespace": namespace, **{key: parts[key] for key in chosen}}
            answer = attacker.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
            assert "podwright:" in answer.message, chosen
    jobs.edit("victim", startAt=None)
    status = jobs.wait_until_over("victim")
    assert (status["phase"], status["attemptCount"]) == ("Succeeded", 1)


def without_policy(api: Api, name: str) -> None:
    """Remove a policy's binding, as before an upgrade that brings the policy."""
    path = f"/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/{name}"
    api.request("DELETE", path).expect()


@pytest.fixture
def unprotected(api: Api) -> Iterator[None]:
    """A cluster in which pods' marks are not protected, as one was before an upgrade."""
    path = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"
    binding = api.request("GET", f"{path}/podwright-managed-pods").expect()
    without_policy(api, "podwright-managed-pods")
    yield
    metadata = {key: binding["metadata"][key] for key in ("name", "labels")}
    api.request("POST", path, {**binding, "metadata": metadata}).expect()


def end_pod(api: Api, namespace: str, name: str) -> None:
    """Let a pod end well, as its node."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    ended = {"exitCode": 0, "reason": "Completed", "startedAt": now, "finishedAt": now}
    statuses: list[dict[str, Any]] = [
        {"name": "main", "image": "busybox:1", "imageID": "", "ready": False, "restartCount": 0}
    ]
    statuses[0]["state"] = {"terminated": ended}
    status = {"phase": "Succeeded", "containerStatuses": statuses}
    api.patch("Pod", namespace, name, {"status": status}, subresource="status").expect()


def running_pods(jobs: Jobs, name: str) -> list[str]:
    live = ("Pending", "Running")
    return [pod["metadata"]["name"] for pod in jobs.pods(name) if pod["status"]["phase"] in live]


def test_l6_k5_an_owner_reference_taken_off_by_hand_starts_no_second_attempt_after_a_restart(
    api: Api, start: Start, jobs: Jobs, namespace: str, unprotected: None
) -> None:
    with start("first") as first:
        first.wait_until_leading()
        jobs.submit("bereft", script=FOREVER)
        jobs.wait_for("bereft", lambda status: status.get("phase") == "Running")
        (name,) = running_pods(jobs, "bereft")
        bare = {"metadata": {"ownerReferences": None}}
        until(lambda: api.patch("Pod", namespace, name, bare).ok, seconds=10)
    with start("second") as second:
        second.wait_until_leading()
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline:
            assert running_pods(jobs, "bereft") == [name]
            time.sleep(0.1)
        end_pod(api, namespace, name)
        status = jobs.wait_until_over("bereft")
        assert (status["phase"], status["attemptCount"]) == ("Succeeded", 1)
        until(lambda: "finalizers" not in api.get("Pod", namespace, name).expect()["metadata"])


def test_k1_b14_pods_orphaned_while_no_operator_led_are_let_go_of(
    api: Api, start: Start, jobs: Jobs, namespace: str
) -> None:
    """Kubernetes' garbage collector takes the owner references off, which the policy must let it do."""
    with start("first") as first:
        first.wait_until_leading()
        jobs.submit("orphan", script=FOREVER)
        jobs.wait_for("orphan", lambda status: status.get("phase") == "Running")
        (name,) = running_pods(jobs, "orphan")
    path = f"/apis/{names.API_VERSION}/namespaces/{namespace}/batchjobs/orphan"
    api.request("DELETE", path, query={"propagationPolicy": "Orphan"}).expect()
    until(lambda: not api.get("BatchJob", namespace, "orphan").ok)
    until(lambda: "ownerReferences" not in api.get("Pod", namespace, name).expect()["metadata"])
    with start("second") as second:
        second.wait_until_leading()
        until(lambda: "finalizers" not in api.get("Pod", namespace, name).expect()["metadata"])
        assert api.get("Pod", namespace, name).expect()["status"]["phase"] == "Running"
        end_pod(api, namespace, name)
    api.delete("Pod", namespace, name).expect()
    until(lambda: not api.get("Pod", namespace, name).ok)


@pytest.fixture
def stripping(api: Api, namespace: str) -> Iterator[None]:
    """A mutating policy that takes the label of the job's uid off each pod of the namespace."""
    path = "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicies"
    label = names.LABEL_JOB_UID.replace("/", "~1")
    metadata = {"name": f"strip-{namespace}"}
    policy = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingAdmissionPolicy",
        "metadata": metadata,
        "spec": {
            "failurePolicy": "Fail",
            "reinvocationPolicy": "Never",
            "matchConstraints": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "resourceRules": [
                    {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
                ],
            },
            "matchConditions": [
                {"name": "labelled", "expression": f"'{names.LABEL_JOB_UID}' in object.metadata.?labels.orValue({{}})"}
            ],
            "mutations": [
                {
                    "patchType": "JSONPatch",
                    "jsonPatch": {"expression": f'[JSONPatch{{op: "remove", path: "/metadata/labels/{label}"}}]'},
                }
            ],
        },
    }
    binding = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingAdmissionPolicyBinding",
        "metadata": metadata,
        "spec": {"policyName": metadata["name"]},
    }
    api.request("POST", path, policy).expect()
    api.request("POST", path.removesuffix("ies") + "ybindings", binding).expect()
    time.sleep(2.0)  # until the API server has taken it up
    yield
    api.request("DELETE", path.removesuffix("ies") + f"ybindings/{metadata['name']}")
    api.request("DELETE", f"{path}/{metadata['name']}")


def test_b4_s3_a_label_that_a_mutating_policy_takes_off_is_put_back(
    api: Api, operator: OperatorProcess, jobs: Jobs, namespace: str, stripping: None
) -> None:
    jobs.submit("stripped", script={"duration": "2s"})
    status = jobs.wait_until_over("stripped")
    assert (status["phase"], status["attemptCount"]) == ("Succeeded", 1)
    (pod,) = api.list("Pod", namespace).expect()["items"]
    assert names.LABEL_JOB_UID in pod["metadata"]["labels"]
    assert "lost podwright.dev/job-uid" in operator.log.read_text()
