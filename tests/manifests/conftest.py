"""Fixtures: the manifests as objects, and the programs that render them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from podwright.devcluster.build import ensure_programs
from podwright.devcluster.reporting import SilentReporter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

REPOSITORY = Path(__file__).parents[2]
CHART = REPOSITORY / "charts" / "podwright"
Objects = dict[tuple[str, str], dict[str, Any]]
# Says who installed an object, and so is the one thing in which the two ways may differ.
_HELM_LABELS = ("app.kubernetes.io/managed-by", "helm.sh/chart")
MUTATING_POLICIES = "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy"


@pytest.fixture(scope="session")
def programs() -> Mapping[str, Path]:
    """kubectl and helm, built if they aren't yet."""
    return ensure_programs(("kubectl", "helm"), reporter=SilentReporter())


def objects_of(text: str) -> Objects:
    """The objects by kind and name, without what only Helm says."""
    found: Objects = {}
    for document in filter(None, yaml.safe_load_all(text)):
        labels = document["metadata"].get("labels", {})
        for label in _HELM_LABELS:
            labels.pop(label, None)
        key = (document["kind"], document["metadata"]["name"])
        assert key not in found, f"{key} is there twice"
        found[key] = document
    return found


@pytest.fixture(scope="session")
def kustomized(programs: Mapping[str, Path]) -> Objects:
    """What `kubectl apply -k manifests` applies."""
    command = [str(programs["kubectl"]), "kustomize", str(REPOSITORY / "manifests")]
    return objects_of(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.fixture(scope="session")
def render(programs: Mapping[str, Path]) -> Callable[..., Objects]:
    """Render the chart with values, each `key=value`; raises CalledProcessError if Helm refuses them."""

    def helm_template(*values: str, namespace: str = "podwright-system", served: str = MUTATING_POLICIES) -> Objects:
        # Without a cluster Helm can't know for which Kubernetes it renders.
        command = [str(programs["helm"]), "template", "podwright", str(CHART), "--kube-version=1.32.0"]
        command += [f"--api-versions={served}", f"--namespace={namespace}", *(f"--set={value}" for value in values)]
        return objects_of(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    return helm_template
