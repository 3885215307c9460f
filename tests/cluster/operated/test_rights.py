"""The operator uses every right that it is granted, and asks for none that it lacks: by the API server's audit log."""

from __future__ import annotations

import contextlib
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from podwright.devcluster import ClusterSpec, EmbeddedCluster
from podwright.kube.key_lease import replace_key_lease
from tests.cluster.api import OPERATOR, Api
from tests.cluster.conftest import REPOSITORY
from tests.cluster.jobs import Jobs
from tests.cluster.shared import install
from tests.support.builders import past_key_lease
from tests.support.operators import operator_kubeconfig, started_operator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Right = tuple[str, str, str]

AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived", "ResponseStarted"],
    "rules": [{"level": "Metadata", "users": [OPERATOR]}, {"level": "None"}],
}


OLD_LEASE = "podwright-key-of-long-ago"


def old_key_lease() -> dict[str, Any]:
    """Build the Lease of a key that nobody need remember any more."""
    lease = past_key_lease(OLD_LEASE)
    body: dict[str, Any] = json.loads(replace_key_lease(lease, namespace="podwright-system").body or b"")
    return body


@pytest.fixture
def audit_log(tmp_path: Path) -> Path:
    return tmp_path / "audit.log"


@pytest.fixture
def audited_cluster(tmp_path: Path, audit_log: Path) -> Iterator[EmbeddedCluster]:
    """A cluster of its own that writes down what the operator does."""
    policy = tmp_path / "audit.yaml"
    policy.write_text(yaml.safe_dump(AUDIT_POLICY))
    spec = ClusterSpec(
        owned=True,
        fake_node_count=1,
        fsync=False,
        flags={"kube-apiserver": (f"--audit-policy-file={policy}", f"--audit-log-path={audit_log}")},
    )
    with EmbeddedCluster.start(spec) as cluster:
        install(cluster, REPOSITORY / "manifests")
        yield cluster


def granted() -> set[Right]:
    """Read the rights off the shipped roles: verb, API group, resource."""
    rights: set[Right] = set()
    for document in yaml.safe_load_all((REPOSITORY / "manifests/rbac/operator.yaml").read_text()):
        for rule in document.get("rules", []):
            rights |= {
                (verb, group, resource)
                for verb in rule["verbs"]
                for group in rule["apiGroups"]
                for resource in rule["resources"]
            }
    return rights


def used(audit_log: Path) -> tuple[set[Right], set[Right]]:
    """Read what was done and what was refused for want of a right. Discovery, which anybody may do, is left out."""
    done: set[Right] = set()
    forbidden: set[Right] = set()
    for line in audit_log.read_text().splitlines():
        event = json.loads(line)
        if "objectRef" not in event or "resource" not in event["objectRef"]:
            continue
        thing = event["objectRef"]
        resource = thing["resource"] + (f"/{thing['subresource']}" if "subresource" in thing else "")
        right = (event["verb"], thing.get("apiGroup", ""), resource)
        decision = event.get("annotations", {}).get("authorization.k8s.io/decision")
        (done if decision == "allow" else forbidden).add(right)
    return done, forbidden


def test_rights_used_are_the_rights_granted(audited_cluster: EmbeddedCluster, audit_log: Path, tmp_path: Path) -> None:
    kubeconfig = operator_kubeconfig(audited_cluster, tmp_path / "kubeconfig")
    with contextlib.closing(Api.of(audited_cluster).connection) as connection:
        jobs = Jobs(Api(connection), "default")
        jobs.submit("earlier")
        Api(connection).create(old_key_lease()).expect()
        with started_operator(kubeconfig, tmp_path / "operator.log") as operator:
            operator.wait_until_leading()
            jobs.wait_until_over("earlier")
            jobs.submit("retried", script={"exit-codes": "1,0"}, retry={"limit": 1, "initial": "10ms", "max": "10ms"})
            jobs.submit("cancelled", script={"duration": "forever"})
            jobs.submit("squatted", suspend=True, retry={"limit": 1, "initial": "10ms", "max": "10ms"})
            jobs.squat("squatted")
            jobs.wait_for("cancelled", lambda status: status.get("phase") == "Running")
            jobs.edit("cancelled", cancel="Graceful")
            jobs.wait_until_over("cancelled")
            jobs.edit("squatted", suspend=False)
            jobs.wait_until_over("squatted")
            jobs.wait_until_over("retried")
            jobs.submit("first", idempotencyKey="order", dedupWindow="0s")
            jobs.wait_until_over("first")
            jobs.submit("second", idempotencyKey="order")
            jobs.wait_until_over("second")
            jobs.submit("expires", ttlSecondsAfterFinished=0)
            until = time.monotonic() + 30
            while Api(connection).get("BatchJob", "default", "expires").ok:
                assert time.monotonic() < until
                time.sleep(0.1)
            while Api(connection).get("Lease", "podwright-system", OLD_LEASE).ok:
                assert time.monotonic() < until, "the Lease of a key whose time is over was not deleted"
                time.sleep(0.1)
        with started_operator(kubeconfig, tmp_path / "second.log") as second:
            second.wait_until_leading()
    done, forbidden = used(audit_log)
    assert not forbidden
    assert granted() - done == set(), "granted and never used"
    assert done - granted() == set(), "used without being granted"
