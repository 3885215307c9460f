"""Every command and manifest of the documentation is tried on a real cluster."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from podwright.api.batchjob import BATCH_JOB
from podwright.core.constants import names
from podwright.devcluster.real_node import why_not_real
from tests.docs.pages import LANGUAGES, REPOSITORY, blocks, pages, script

if TYPE_CHECKING:
    from podwright.devcluster import EmbeddedCluster

RUNNABLE = [page for page in pages() if any(block.language == "sh" for block in blocks(page))]
WITH_MANIFESTS = [page for page in pages() if any(block.language == "yaml" for block in blocks(page))]
CONTAINER = {"name": "main", "image": "busybox:1"}


def name_of(page: Path) -> str:
    return str(page.with_suffix("")).replace("/", "-").lower()


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_the_language_of_every_block_says_what_it_is(page: Path) -> None:
    fences = re.findall("^```", (REPOSITORY / page).read_text(), re.MULTILINE)
    found = blocks(page)
    assert len(fences) == 2 * len(found)
    for block in found:
        assert block.language in LANGUAGES, f"{page}:{block.line} is {block.language or 'nothing'}"


@pytest.mark.parametrize("page", [page for page in pages() if page.name != "cli.md"], ids=name_of)
def test_a_command_that_can_be_run_is_not_hidden_as_text(page: Path) -> None:
    """So that no test would run it: whoever applies manifests has all that it takes."""
    for block in blocks(page):
        hidden = block.language == "text" and re.search("^kubectl (apply|kustomize)", block.content, re.MULTILINE)
        assert not hidden, f"{page}:{block.line} is text, so that nothing runs it"


@pytest.mark.real
@pytest.mark.cluster
@pytest.mark.timeout(45 * 60 + 300)
@pytest.mark.skipif(why_not_real() is not None, reason=f"the pages show logs of real containers. {why_not_real()}")
@pytest.mark.parametrize("page", RUNNABLE, ids=name_of)
def test_the_commands_of_the_page_work(cluster: EmbeddedCluster, page: Path, tmp_path: Path) -> None:
    for directory in ("charts", "crds", "manifests"):
        (tmp_path / directory).symlink_to(REPOSITORY / directory)
    namespace = name_of(page)
    kubeconfig = tmp_path / "kubeconfig"
    shutil.copyfile(cluster.kubeconfig, kubeconfig)
    cluster.kubectl("create", "namespace", namespace)
    cluster.kubectl("config", "set-context", "--current", f"--namespace={namespace}", f"--kubeconfig={kubeconfig}")
    environment = os.environ | {
        "KUBECONFIG": str(kubeconfig),
        # kubectl and `podwright`, whichever way the tests were started.
        "PATH": f"{cluster.kubectl_path.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    answer = subprocess.run(
        ["bash", "-c", script(page)],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
        check=False,
    )
    cluster.kubectl("delete", "namespace", namespace, "--wait=false")
    # A page may install all of Podwright; the operator's own pods have no image here.
    cluster.kubectl("delete", "deployment", "--all", "--namespace=podwright-system")
    assert answer.returncode == 0, f"{page}:\n{answer.stdout}"


@pytest.mark.cluster
@pytest.mark.timeout(45 * 60 + 120)
@pytest.mark.parametrize("page", WITH_MANIFESTS, ids=name_of)
def test_the_manifests_of_the_page_are_valid(cluster: EmbeddedCluster, page: Path) -> None:
    for block in blocks(page):
        if block.language == "yaml":
            manifest = complete(yaml.safe_load(block.content))
            if manifest["kind"] == "Kustomization":
                continue  # no object of the cluster; the page's commands use it
            namespace = manifest["metadata"].get("namespace", "default")
            if namespace not in {"default", "podwright-system"}:
                manifest["metadata"]["namespace"] = namespace = "default"  # the reader's own doesn't exist here
            apply = ("create", "--dry-run=server", "--validate=strict", f"--namespace={namespace}", "--filename=-")
            assert "created" in cluster.kubectl(*apply, stdin=yaml.safe_dump(manifest)), f"{page}:{block.line}"


def complete(manifest: dict[str, Any]) -> dict[str, Any]:
    """A part of a job's manifest, with the rest that makes it a job."""
    if "kind" in manifest:
        return manifest
    assert manifest.keys() == {"spec"}, "a part must begin with `spec:`"
    spec = {"template": {"spec": {"containers": [CONTAINER]}}} | manifest["spec"]
    return {
        "apiVersion": names.API_VERSION,
        "kind": BATCH_JOB.kind,
        "metadata": {"name": "part"},
        "spec": spec,
    }


def test_a_command_that_fails_is_told_with_its_line(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "```yaml\n# a.yaml\nkind: X\n```\n\n```sh\ngrep X a.yaml\n```\n\n```sh\nfalse | cat\n```\n\n```sh\necho on\n```\n"
    )
    answer = subprocess.run(["bash", "-c", script(page)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert answer.returncode == 1
    assert answer.stdout == "kind: X\n"
    assert "begins at line 11" in answer.stderr
