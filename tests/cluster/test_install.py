"""What is installed works on a real API server: rights, Pod Security, the policies' expressions, the examples."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.cluster.api import OPERATOR, Api

if TYPE_CHECKING:
    from podwright.devcluster import EmbeddedCluster

REPOSITORY = Path(__file__).parents[2]
EXAMPLES = sorted((REPOSITORY / "manifests" / "examples").glob("*.yaml"))
SYSTEM = "podwright-system"


def allowed(
    api: Api, verb: str, resource: str, *, user: str = OPERATOR, namespace: str = "default", name: str = ""
) -> bool:
    """Ask the API server itself. `resource` is `resource[/subresource][.group]`."""
    path, _, group = resource.partition(".")
    plural, _, subresource = path.partition("/")
    attributes = {
        "verb": verb,
        "group": group,
        "resource": plural,
        "subresource": subresource,
        "namespace": namespace,
        "name": name,
    }
    review = {"spec": {"user": user, "resourceAttributes": attributes}}
    answer = api.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review).expect()
    return bool(answer["status"]["allowed"])


@pytest.mark.parametrize(
    ("verb", "resource", "expected"),
    [
        ("list", "batchjobs.podwright.dev", True),
        ("delete", "batchjobs.podwright.dev", True),
        ("patch", "batchjobs/status.podwright.dev", True),
        ("patch", "batchjobs.podwright.dev", False),
        ("create", "batchjobs.podwright.dev", False),
        ("update", "batchjobs/finalizers.podwright.dev", False),
        ("create", "pods", True),
        ("patch", "pods", True),
        ("update", "pods", False),
        ("create", "pods/exec", False),
        ("create", "pods/binding", False),
        ("get", "pods/log", False),
        ("patch", "pods/status", False),
        ("get", "secrets", False),
        ("get", "configmaps", False),
        ("create", "serviceaccounts/token", False),
        ("impersonate", "users", False),
        ("update", "validatingadmissionpolicybindings.admissionregistration.k8s.io", False),
    ],
)
def test_the_operators_rights_in_the_users_namespaces(api: Api, verb: str, resource: str, expected: bool) -> None:
    assert allowed(api, verb, resource) is expected


@pytest.mark.parametrize(
    ("verb", "namespace", "name", "expected"),
    [
        ("get", SYSTEM, "podwright-shard-0", True),
        ("update", SYSTEM, "podwright-shard-0", True),
        ("create", SYSTEM, "", True),
        # Leases of idempotency keys are named after the key, and go once it is forgotten.
        ("update", SYSTEM, "podwright-key-0123456789", True),
        ("delete", SYSTEM, "podwright-key-0123456789", True),
        ("list", SYSTEM, "", True),
        ("patch", SYSTEM, "podwright-shard-0", False),
        ("get", "default", "podwright-shard-0", False),
        ("create", "default", "", False),
        ("update", "kube-node-lease", "fake-0", False),
    ],
)
def test_the_operators_rights_on_leases(api: Api, verb: str, namespace: str, name: str, expected: bool) -> None:
    assert allowed(api, verb, "leases.coordination.k8s.io", namespace=namespace, name=name) is expected


@pytest.mark.parametrize(
    ("role", "verbs"),
    [("view", {"get", "list", "watch"}), ("edit", {"get", "list", "create", "patch", "delete"}), ("admin", {"create"})],
)
def test_users_have_rights_by_the_clusters_own_roles(api: Api, namespace: str, role: str, verbs: set[str]) -> None:
    binding = {
        "metadata": {"name": "user"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": f"user-{role}"}],
    }
    path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings"
    api.request("POST", path, binding).expect()

    def may(verb: str, resource: str = "batchjobs.podwright.dev") -> bool:
        return allowed(api, verb, resource, user=f"user-{role}", namespace=namespace)

    deadline = time.monotonic() + 20
    # The controller manager adds our rules to the cluster's roles, some moments after the installation.
    while not all(may(verb) for verb in verbs):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert may("create") is (role != "view")
    for verb in ("update", "patch"):
        assert not may(verb, "batchjobs/status.podwright.dev")


def test_the_operators_pod_meets_pod_security_restricted(api: Api) -> None:
    documents = yaml.safe_load_all((REPOSITORY / "manifests" / "deployment.yaml").read_text(encoding="utf-8"))
    (deployment,) = documents
    pod: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "operator", "namespace": SYSTEM},
        "spec": deployment["spec"]["template"]["spec"],
    }
    api.create(pod, dry_run=True).expect()
    del pod["spec"]["containers"][0]["securityContext"]["capabilities"]
    assert 'violates PodSecurity "restricted:latest"' in api.create(pod, dry_run=True).message


def test_applying_again_changes_nothing(cluster: EmbeddedCluster) -> None:
    assert cluster.kubectl("apply", "--server-side", "--dry-run=server", "--kustomize", str(REPOSITORY / "crds"))
    output = cluster.kubectl("get", "crd", "batchjobs.podwright.dev", "--output=json")
    conditions = {found["type"]: found["status"] for found in json.loads(output)["status"]["conditions"]}
    assert conditions["Established"] == "True"
    assert conditions.get("NonStructuralSchema", "False") == "False"


def test_the_policies_expressions_fit_what_they_look_at(cluster: EmbeddedCluster) -> None:
    """The controller manager checks their types and writes what it finds wrong into their status."""
    files = (REPOSITORY / "manifests" / "admission").glob("*.yaml")
    shipped = sum("kind: ValidatingAdmissionPolicy\n" in path.read_text() for path in files)
    deadline = time.monotonic() + 60
    while True:
        policies = json.loads(cluster.kubectl("get", "validatingadmissionpolicies", "--output=json"))["items"]
        checked = [found for found in policies if "typeChecking" in found.get("status", {})]
        if len(checked) == len(policies) == shipped:
            break
        assert time.monotonic() < deadline, f"{len(checked)} of {shipped} policies were checked"
        time.sleep(0.1)
    assert [found["status"]["typeChecking"] for found in checked if found["status"]["typeChecking"]] == []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_valid(cluster: EmbeddedCluster, namespace: str, path: Path) -> None:
    arguments = ("--dry-run=server", "--validate=strict", f"--namespace={namespace}", f"--filename={path}")
    assert f"batchjob.podwright.dev/{path.stem} created" in cluster.kubectl("apply", *arguments)
