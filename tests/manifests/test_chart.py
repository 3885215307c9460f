"""The chart installs the same as the manifests, and its values do what they say."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml

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


def test_s18_there_is_one_shard_and_no_value_for_more(render: Callable[..., Objects]) -> None:
    objects = render()
    fences = [name for kind, name in objects if kind.endswith("Binding") and name.startswith("podwright-fence-")]
    assert fences == ["podwright-fence-0"]
    escape = objects["ValidatingAdmissionPolicyBinding", "podwright-shard-label"]["spec"]["matchResources"]
    assert escape["objectSelector"]["matchExpressions"][0]["values"] == ["0"]


def test_s24_watched_namespaces_replace_the_rights_in_all(render: Callable[..., Objects]) -> None:
    everywhere, limited = render(), render("watchNamespaces={team-a}")
    assert limited["Role", "podwright-operator"]["rules"] == everywhere["ClusterRole", "podwright-operator"]["rules"]
    assert limited["RoleBinding", "podwright-operator"]["subjects"] == [
        {"kind": "ServiceAccount", "name": "podwright-operator", "namespace": "podwright-system"}
    ]
    for kind in ("Role", "RoleBinding"):
        assert limited[kind, "podwright-operator"]["metadata"]["namespace"] == "team-a"
    assert not [key for key in limited if key[0].startswith("ClusterRole") and "operator" in key[1]]
    (container,) = limited[DEPLOYMENT]["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["--watch-namespace=team-a"]
    # Everything else is the same.
    assert everywhere.keys() - limited.keys() == {
        ("ClusterRole", "podwright-operator"),
        ("ClusterRoleBinding", "podwright-operator"),
    }


def test_accounting(render: Callable[..., Objects]) -> None:
    (container,) = render("accounting=Bulk")[DEPLOYMENT]["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["--accounting=Bulk"]


def test_events(render: Callable[..., Objects]) -> None:
    (container,) = render("events=Off")[DEPLOYMENT]["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["--events=Off"]


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


@pytest.mark.parametrize(
    ("values", "warned"),
    [
        ((), True),
        (("image.tag=v7",), True),
        (("image.repository=mine/operator",), False),
    ],
    ids=["as published", "only a tag", "an image of one's own"],
)
def test_the_notes_say_that_the_image_is_not_published(
    programs: Mapping[str, Path], tmp_path: Path, values: tuple[str, ...], warned: bool
) -> None:
    # `helm template` leaves the notes out, and `helm install` wants a cluster: so they are rendered as the text of an object.
    chart = tmp_path / "podwright"
    shutil.copytree(CHART, chart)
    (chart / "templates" / "NOTES.txt").rename(chart / "notes.txt")
    (chart / "templates" / "notes.yaml").write_text('notes: {{ tpl (.Files.Get "notes.txt") . | quote }}\n')
    command = [
        str(programs["helm"]),
        "template",
        "mine",
        str(chart),
        "--namespace=ps",
        "--kube-version=1.32.0",
        "--show-only=templates/notes.yaml",
    ]
    command += [f"--set={value}" for value in values]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    notes = yaml.safe_load(text)["notes"]
    assert "is installed in namespace ps.\n\n" in notes
    assert ("podwright.dev/operator is not published" in notes) is warned
    assert ("helm upgrade mine CHART --namespace ps --reuse-values" in notes) is warned


def test_switches(render: Callable[..., Objects]) -> None:
    objects = render("rbac.aggregate=false", "podDisruptionBudget.enabled=false", "replicaCount=1")
    assert not [name for name in objects["ClusterRole", "podwright-view"]["metadata"]["labels"] if "aggregate" in name]
    assert ("PodDisruptionBudget", "podwright-operator") not in objects
    assert objects[DEPLOYMENT]["spec"]["replicas"] == 1
    assert ("Namespace", "podwright-system") not in objects


def test_l7_who_may_reach_the_port_can_be_limited(render: Callable[..., Objects]) -> None:
    policy = ("NetworkPolicy", "podwright-operator")
    assert policy not in render()
    objects = render("networkPolicy.enabled=true", "networkPolicy.from[0].podSelector.matchLabels.app=prometheus")
    spec = objects[policy]["spec"]
    labels = objects[DEPLOYMENT]["spec"]["template"]["metadata"]["labels"]
    assert spec["podSelector"]["matchLabels"].items() <= labels.items()
    assert spec["policyTypes"] == ["Ingress"]
    assert spec["ingress"] == [
        {
            "ports": [{"protocol": "TCP", "port": "http"}],
            "from": [{"podSelector": {"matchLabels": {"app": "prometheus"}}}],
        }
    ]
    assert "from" not in render("networkPolicy.enabled=true")[policy]["spec"]["ingress"][0]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        pytest.param("shards=2", "shards", id="S18 more than one shard"),
        ("watchNamespaces={Team_A}", "watchNamespaces"),
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
