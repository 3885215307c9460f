"""Who may do what, as data: whoever widens a right must change this file too, and will be asked why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.manifests.conftest import Objects

Right = tuple[str, str, tuple[str, ...], str]

OPERATOR = {
    # group, resource, names (none: all), verb
    *(("podwright.dev", "batchjobs", (), verb) for verb in ("get", "list", "watch", "delete")),
    ("podwright.dev", "batchjobs/status", (), "patch"),
    *(("", "pods", (), verb) for verb in ("get", "list", "watch", "create", "patch", "delete")),
    ("", "events", (), "create"),
}
OPERATOR_IN_ITS_NAMESPACE = {
    # The Leases of idempotency keys are named by hashes.
    *(("coordination.k8s.io", "leases", (), verb) for verb in ("get", "list", "create", "update", "delete")),
    # Dry runs that prove the fence, where the role for pods is bound in other namespaces only.
    ("", "pods", (), "create"),
}
VIEW = {("podwright.dev", "batchjobs", (), verb) for verb in ("get", "list", "watch")}
SUBMIT = VIEW | {
    ("podwright.dev", "batchjobs", (), verb) for verb in ("create", "update", "patch", "delete", "deletecollection")
}
_AGGREGATE = "rbac.authorization.k8s.io/aggregate-to-"


def rights(role: dict[str, Any]) -> set[Right]:
    assert "aggregationRule" not in role
    return {
        (group, resource, tuple(rule.get("resourceNames", ())), verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_nobody_has_more_rights_than_these(kustomized: Objects) -> None:
    granted = {key: rights(role) for key, role in kustomized.items() if key[0] in {"Role", "ClusterRole"}}
    assert granted == {
        ("ClusterRole", "podwright-operator"): OPERATOR,
        ("Role", "podwright-leases"): OPERATOR_IN_ITS_NAMESPACE,
        ("ClusterRole", "podwright-view"): VIEW,
        ("ClusterRole", "podwright-submit"): SUBMIT,
    }
    assert kustomized["Role", "podwright-leases"]["metadata"]["namespace"] == "podwright-system"


def test_nothing_is_granted_by_wildcard(kustomized: Objects) -> None:
    everything = [right for key, role in kustomized.items() if key[0].endswith("Role") for right in rights(role)]
    assert everything
    assert [right for right in everything if "*" in (right[0], right[1], right[3])] == []


def test_only_the_operator_is_bound(kustomized: Objects) -> None:
    subject = {"kind": "ServiceAccount", "name": "podwright-operator", "namespace": "podwright-system"}
    bindings = {key: found for key, found in kustomized.items() if key[0].endswith("Binding") and "roleRef" in found}
    assert {key: (found["subjects"], found["roleRef"]["name"]) for key, found in bindings.items()} == {
        ("ClusterRoleBinding", "podwright-operator"): ([subject], "podwright-operator"),
        ("RoleBinding", "podwright-leases"): ([subject], "podwright-leases"),
    }


def test_users_get_their_rights_through_the_clusters_own_roles(kustomized: Objects) -> None:
    def aggregated(name: str) -> set[str]:
        labels = kustomized["ClusterRole", name]["metadata"]["labels"]
        return {
            label.removeprefix(_AGGREGATE) for label, value in labels.items() if label.startswith(_AGGREGATE) and value
        }

    assert aggregated("podwright-view") == {"view", "edit", "admin"}
    assert aggregated("podwright-submit") == {"edit", "admin"}
    assert aggregated("podwright-operator") == set()
