"""The manifests agree with the code's names and with each other, and the operator's pod is hardened."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from podwright import __version__
from podwright.api.batchjob import BatchJobSpec
from podwright.api.generate import KINDS
from podwright.core.constants import names

if TYPE_CHECKING:
    from tests.manifests.conftest import Objects

EXAMPLES = sorted((Path(__file__).parents[2] / "manifests" / "examples").glob("*.yaml"))
USER = "system:serviceaccount:podwright-system:podwright-operator"


def policy(objects: Objects, name: str) -> dict[str, Any]:
    return dict(objects["ValidatingAdmissionPolicy", name]["spec"])


def test_every_kind_is_installed(kustomized: Objects) -> None:
    definitions = {name for kind, name in kustomized if kind == "CustomResourceDefinition"}
    assert definitions == {kind.crd_name for kind in KINDS}


def test_everything_carries_the_recommended_labels(kustomized: Objects) -> None:
    for key, found in kustomized.items():
        labels = found["metadata"]["labels"]
        assert labels["app.kubernetes.io/name"] == "podwright", key
        assert labels["app.kubernetes.io/part-of"] == "podwright", key
        assert labels["app.kubernetes.io/version"] == __version__, key


def test_the_fence_speaks_of_what_the_operator_writes(kustomized: Objects) -> None:
    fence = str(policy(kustomized, "podwright-fence"))
    assert USER in fence
    assert f"'{names.ANNOTATION_EPOCH}'" in fence.replace('"', "'")
    binding = kustomized["ValidatingAdmissionPolicyBinding", "podwright-fence-0"]["spec"]
    assert binding["paramRef"] == {
        "name": names.lease_name(0),
        "namespace": "podwright-system",
        "parameterNotFoundAction": "Deny",
    }
    assert binding["matchResources"]["objectSelector"] == {"matchLabels": {names.LABEL_SHARD: "0"}}


def test_every_shard_that_is_let_through_has_a_binding(kustomized: Objects) -> None:
    escape = kustomized["ValidatingAdmissionPolicyBinding", "podwright-shard-label"]["spec"]["matchResources"]
    (expression,) = escape["objectSelector"]["matchExpressions"]
    assert expression["key"] == names.LABEL_SHARD
    shards = {name.removeprefix("podwright-fence-") for _, name in kustomized if name.startswith("podwright-fence-")}
    assert set(expression["values"]) == shards


def test_all_labels_that_the_operator_trusts_are_guarded(kustomized: Objects) -> None:
    guarded = str(policy(kustomized, "podwright-managed-pods"))
    for name in (names.LABEL_JOB, names.LABEL_JOB_UID, names.LABEL_ATTEMPT, names.LABEL_SHARD, names.FINALIZER):
        assert name in guarded


def test_policies_deny_and_fail_closed(kustomized: Objects) -> None:
    policies = [found["spec"] for (kind, _), found in kustomized.items() if kind == "ValidatingAdmissionPolicy"]
    bindings = [found["spec"] for (kind, _), found in kustomized.items() if kind == "ValidatingAdmissionPolicyBinding"]
    assert len(policies) == 6
    assert {found["policyName"] for found in bindings} == {
        name for kind, name in kustomized if kind == "ValidatingAdmissionPolicy"
    }
    assert all(found["failurePolicy"] == "Fail" for found in policies)
    assert all(found["validationActions"] == ["Deny"] for found in bindings)
    reasons = {validation["reason"] for found in policies for validation in found["validations"]}
    assert reasons == {"Forbidden", "Invalid"}


def test_the_operators_pod_is_hardened(kustomized: Objects) -> None:
    """What Pod Security doesn't demand; that it meets `restricted` is tried on a real API server."""
    pod = kustomized["Deployment", "podwright-operator"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["resources"]["requests"].keys() == {"cpu", "memory"}
    assert "memory" in container["resources"]["limits"]
    assert pod["securityContext"]["runAsUser"] >= 10_000
    assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container["command"] == ["podwright", "operator", "run"]
    assert kustomized["ServiceAccount", "podwright-operator"]["automountServiceAccountToken"] is False


def test_an_operator_always_stays(kustomized: Objects) -> None:
    deployment = kustomized["Deployment", "podwright-operator"]["spec"]
    budget = kustomized["PodDisruptionBudget", "podwright-operator"]["spec"]
    assert deployment["replicas"] > budget["minAvailable"] >= 1
    assert budget["selector"] == deployment["selector"]
    assert deployment["selector"]["matchLabels"].items() <= deployment["template"]["metadata"]["labels"].items()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_one_commented_job_each(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    (job,) = yaml.safe_load_all(text)
    assert (job["apiVersion"], job["kind"], job["metadata"]) == (names.API_VERSION, "BatchJob", {"name": path.stem})
    spec = BatchJobSpec.model_validate(job["spec"])
    assert spec.model_dump(exclude_unset=True) == job["spec"]
    assert text.startswith("# A ")
    assert f"kubectl apply -f {path.name}" in text
    assert [annotation for annotation in job["spec"]["template"]["metadata"]["annotations"] if "fake." in annotation]


def test_there_is_an_example_for_each_way_a_job_can_go() -> None:
    assert [path.stem for path in EXAMPLES] == ["cancelled", "retried", "success", "timeout"]
