"""S24: an operator that is limited to some namespaces works with rights in these alone, by the API server's audit log."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

from tests.cluster.api import Api
from tests.cluster.jobs import Jobs
from tests.cluster.operated.test_rights import audit_log, audited_cluster, used
from tests.support.operators import SERVICE_ACCOUNT, SYSTEM_NAMESPACE, operator_kubeconfig, started_operator

if TYPE_CHECKING:
    from pathlib import Path

    from podwright.devcluster import EmbeddedCluster

__all__ = ["audit_log", "audited_cluster"]  # fixtures

RBAC = "/apis/rbac.authorization.k8s.io/v1"
WATCHED = ("team-a", "team-b")


def grant(api: Api, namespace: str) -> None:
    """Bind the operator's role in one namespace, as the guide says."""
    binding: dict[str, Any] = {
        "metadata": {"name": "podwright-operator"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "podwright-operator"},
        "subjects": [{"kind": "ServiceAccount", "name": SERVICE_ACCOUNT, "namespace": SYSTEM_NAMESPACE}],
    }
    api.request("POST", f"{RBAC}/namespaces/{namespace}/rolebindings", binding).expect()


def make_namespace(api: Api, name: str) -> None:
    """Make a namespace, and wait until pods may be made in it."""
    api.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}}).expect()
    until = time.monotonic() + 30
    while not api.request("GET", f"/api/v1/namespaces/{name}/serviceaccounts/default").ok:
        assert time.monotonic() < until, "no default service account"
        time.sleep(0.01)


def test_s24_rights_in_the_watched_namespaces_are_enough(
    audited_cluster: EmbeddedCluster, audit_log: Path, tmp_path: Path
) -> None:
    kubeconfig = operator_kubeconfig(audited_cluster, tmp_path / "kubeconfig")
    with contextlib.closing(Api.of(audited_cluster).connection) as connection:
        api = Api(connection)
        api.request("DELETE", f"{RBAC}/clusterrolebindings/podwright-operator").expect()
        for name in (*WATCHED, "other"):
            make_namespace(api, name)
        for name in WATCHED:
            grant(api, name)
        arguments = [f"--watch-namespace={name}" for name in WATCHED]
        with started_operator(kubeconfig, tmp_path / "operator.log", arguments=arguments) as operator:
            operator.wait_until_leading()
            Jobs(api, "other").submit("left-alone")
            for name in WATCHED:
                Jobs(api, name).submit("first", idempotencyKey="order", dedupWindow="0s")
            for name in WATCHED:
                Jobs(api, name).wait_until_over("first")
            Jobs(api, "team-a").submit("retried", script={"exit-codes": "1,0"}, retry={"limit": 1, "initial": "10ms"})
            Jobs(api, "team-a").wait_until_over("retried")
            assert operator.fetch("/readyz") == (200, "ok")
            untouched = api.get("BatchJob", "other", "left-alone").expect()["status"]
            assert untouched["observedGeneration"] == -1, "what the schema's defaults say, and nobody else"
            assert operator.stop() == 0
    _, forbidden = used(audit_log)
    assert not forbidden
