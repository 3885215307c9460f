"""The chart installs the same as the manifests, and its values do what they say."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.manifests.conftest import CHART

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.manifests.conftest import Objects

CRD = ("CustomResourceDefinition", "batchjobs.podwright.dev")
DEPLOYMENT = ("Deployment", "podwright-operator")


def test_chart_and_manifests_install_the_same(kustomized: Objects, render: Callable[..., Objects]) -> None:
    chart = render("createNamespace=true", "crds.keep=false")
    assert chart.keys() == kustomized.keys()
    for key, manifest in kustomized.items():
        assert chart[key] == manifest, key


def test_helm_finds_no_fault(programs: Mapping[str, Path]) -> None:
    command = [str(programs["helm"]), "lint", "--strict", "--kube-version=1.32.0", str(CHART)]
    subprocess.run(command, check=True, capture_output=True)


def test_custom_resources_survive_an_uninstallation(render: Callable[..., Objects]) -> None:
    assert render()[CRD]["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert CRD not in render("crds.enabled=false")


def test_shards_are_fenced_one_by_one(render: Callable[..., Objects]) -> None:
    objects = render("shards=3")
    for shard in ("0", "1", "2"):
        binding = objects["ValidatingAdmissionPolicyBinding", f"podwright-fence-{shard}"]["spec"]
        assert binding["paramRef"]["name"] == f"podwright-shard-{shard}"
        assert binding["matchResources"]["objectSelector"]["matchLabels"] == {"podwright.dev/shard": shard}
    escape = objects["ValidatingAdmissionPolicyBinding", "podwright-shard-label"]["spec"]["matchResources"]
    assert escape["objectSelector"]["matchExpressions"][0]["values"] == ["0", "1", "2"]
    (container,) = objects[DEPLOYMENT]["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["--shards=3"]


def test_accounting(render: Callable[..., Objects]) -> None:
    (container,) = render("accounting=Bulk")[DEPLOYMENT]["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["--accounting=Bulk"]


def test_another_namespace_is_used_everywhere(render: Callable[..., Objects]) -> None:
    for objects in (render(namespace="jobs"), render("namespaceOverride=jobs", namespace="other")):
        assert "podwright-system" not in str(objects)
        assert "system:serviceaccount:jobs:podwright-operator" in str(
            objects["ValidatingAdmissionPolicy", "podwright-fence"]
        )
        (container,) = objects[DEPLOYMENT]["spec"]["template"]["spec"]["containers"]
        assert container["args"] == ["--namespace=jobs"]


def test_a_cluster_without_mutating_policies_gets_none(render: Callable[..., Objects]) -> None:
    left_out = render().keys() - render(served="v1").keys()
    assert {kind for kind, _ in left_out} == {"MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"}


def test_image(render: Callable[..., Objects]) -> None:
    def image(*values: str) -> str:
        (container,) = render(*values)[DEPLOYMENT]["spec"]["template"]["spec"]["containers"]
        return str(container["image"])

    digest = "sha256:" + "0" * 64
    assert image() == "podwright.dev/operator:0.1.0"
    assert image("image.repository=mine/operator", "image.tag=v7") == "mine/operator:v7"
    assert image("image.tag=v7", f"image.digest={digest}") == f"podwright.dev/operator@{digest}"


def test_switches(render: Callable[..., Objects]) -> None:
    objects = render("rbac.aggregate=false", "podDisruptionBudget.enabled=false", "replicaCount=1")
    assert not [name for name in objects["ClusterRole", "podwright-view"]["metadata"]["labels"] if "aggregate" in name]
    assert ("PodDisruptionBudget", "podwright-operator") not in objects
    assert objects[DEPLOYMENT]["spec"]["replicas"] == 1
    assert ("Namespace", "podwright-system") not in objects


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("shards=0", "shards"),
        ("accounting=Sloppy", "accounting"),
        ("replicas=3", "replicas"),
        ("image.pullPolicy=Sometimes", "pullPolicy"),
        ("image.digest=latest", "digest"),
        ("crds.enabled=maybe", "crds"),
    ],
)
def test_senseless_values_are_refused(render: Callable[..., Objects], value: str, words: str) -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        render(value)
    assert words in refused.value.stderr
