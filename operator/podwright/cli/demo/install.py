"""Puts Podwright on a development cluster: everything that `manifests/` holds except the operator's own pods.

There is no image of the operator on such a cluster; it runs beside it (see `operator_process`), as the same service
account with the same rights.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

import podwright
from podwright.cli.errors import CommandError
from podwright.devcluster import KubectlError

if TYPE_CHECKING:
    from podwright.devcluster import DevCluster

SYSTEM_NAMESPACE = "podwright-system"
SERVICE_ACCOUNT = "podwright-operator"
_OPERATOR_PODS = frozenset({"Deployment", "PodDisruptionBudget"})
_MUTATING_POLICIES = frozenset({"MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"})  # from Kubernetes 1.36 on
_FORCE_SECONDS = 30.0
_POLL_SECONDS = 0.1


def manifests_directory() -> Path:
    """Return where the manifests lie: inside an installed package, or in the checkout that the package is run from."""
    package = Path(podwright.__file__).parent
    candidates = (package / "_install" / "manifests", package.parents[1] / "manifests")
    for candidate in candidates:
        if (candidate / "kustomization.yaml").is_file():
            return candidate
    raise CommandError(
        f"Podwright's manifests are missing: there is neither {candidates[0]} nor {candidates[1]}.",
        remedy="Install Podwright again, or run it from a complete checkout.",
    )


def install(cluster: DevCluster, *, namespace: str) -> None:
    """Apply the manifests and return once they are in force, for pods in `namespace`, which is made if need be.

    May be repeated. Raises DevClusterError, or CommandError if something doesn't come into force.
    """
    rendered = yaml.safe_load_all(cluster.kubectl("kustomize", str(manifests_directory())))
    served = cluster.kubectl("api-resources", "--api-group=admissionregistration.k8s.io", "--output=name")
    left_out = _OPERATOR_PODS if "mutatingadmissionpolicies" in served else _OPERATOR_PODS | _MUTATING_POLICIES
    wanted = [document for document in rendered if document["kind"] not in left_out]
    wanted.append({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "--filename=-", stdin=yaml.safe_dump_all(wanted))
    kinds = [document["metadata"]["name"] for document in wanted if document["kind"] == "CustomResourceDefinition"]
    cluster.kubectl("wait", "--for=condition=Established", "crd", *kinds, f"--timeout={_FORCE_SECONDS:.0f}s")
    _await_fence(cluster, namespace=namespace)


def _await_fence(cluster: DevCluster, *, namespace: str) -> None:
    """Wait until the fence refuses what it must; the API server doesn't tell otherwise that a policy is in force."""
    unfenced = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": "never-", "namespace": namespace, "labels": {"podwright.dev/shard": "0"}},
        "spec": {"containers": [{"name": "never-started", "image": "podwright.dev/none"}]},
    }
    operator = f"system:serviceaccount:{SYSTEM_NAMESPACE}:{SERVICE_ACCOUNT}"
    deadline = time.monotonic() + _FORCE_SECONDS
    while True:
        try:
            cluster.kubectl(
                "create", "--filename=-", "--dry-run=server", f"--as={operator}", stdin=json.dumps(unfenced)
            )
            answer = "the pod was accepted"
        except KubectlError as error:
            answer = str(error)
        # Without a Lease the refusal names the binding, with one it gives the policy's own message.
        if "podwright-fence" in answer or "podwright fence" in answer:
            return
        if time.monotonic() >= deadline:
            raise CommandError(
                f"The policy podwright-fence isn't in force after {_FORCE_SECONDS:.0f} s: {answer}",
                remedy="Look at it: kubectl describe validatingadmissionpolicy podwright-fence",
            )
        time.sleep(_POLL_SECONDS)
