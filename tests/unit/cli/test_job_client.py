"""Names as users write them, and what else decides which job is meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from podwright.cli.errors import CommandError
from podwright.cli.jobs.wait import wait
from podwright.cli.options import Place, Selection
from tests.unit.cli.program import run
from tests.unit.cli.simulated import SimulatedCluster

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[SimulatedCluster]:
    with SimulatedCluster(tmp_path).running() as started:
        yield started


@pytest.mark.parametrize(
    "written", ["a.b-1", "bj/a.b-1", "batchjobs/a.b-1", "batchjob.podwright.dev/a.b-1", "BatchJob/a.b-1"]
)
def test_a_name_may_have_its_kind_before(cluster: SimulatedCluster, written: str) -> None:
    cluster.finished_job("a.b-1")
    assert cluster.client().read(written)["metadata"]["name"] == "a.b-1"


@pytest.mark.parametrize("written", ["", ".", "..", "a/b", "pod/a", "bj/", "bj/.."])
def test_what_is_no_name(cluster: SimulatedCluster, written: str) -> None:
    cluster.finished_job("a")
    with pytest.raises(CommandError, match="is not a valid job name"):
        cluster.client().read(written)


def test_names_after_dashes_are_names(cluster: SimulatedCluster) -> None:
    for name in ("a", "b"):
        cluster.finished_job(name)
    answer = run("delete", "a", "--kubeconfig", str(cluster.kubeconfig), "--", "b")
    assert answer.returncode == 0
    assert cluster.names() == []


def test_words_that_the_terminal_cannot_show_are_escaped(
    cluster: SimulatedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.finished_job("a", message="größer")
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    answer = run("why", "a", "--kubeconfig", str(cluster.kubeconfig))
    assert answer.returncode == 0
    assert "gr\\xf6\\xdfer" in answer.stdout


@pytest.mark.parametrize("namespace", ["..", ".", "a/b", "A", "a.b", "-a"])
def test_what_is_no_namespace(cluster: SimulatedCluster, namespace: str) -> None:
    with pytest.raises(CommandError, match="is not a valid namespace name"):
        Place(namespace=namespace, kubeconfig=str(cluster.kubeconfig)).client()


@pytest.mark.parametrize(
    ("filters", "said"),
    [
        pytest.param((), "No jobs found in namespace default.", id="U22 there are none"),
        pytest.param(("--selector", "team=typo"), "No jobs in namespace default match.", id="U22 none has the label"),
        pytest.param(
            ("--field-selector", "metadata.name=typo"),
            "No jobs in namespace default match.",
            id="U22 none has the field",
        ),
    ],
)
@pytest.mark.parametrize("output", [(), ("--output", "name")], ids=["table", "names"])
def test_u22_that_no_job_matches_is_not_that_there_is_none(
    cluster: SimulatedCluster, filters: tuple[str, ...], said: str, output: tuple[str, ...]
) -> None:
    if filters:
        cluster.finished_job("a")
    answer = run("list", *filters, *output, "--kubeconfig", str(cluster.kubeconfig))
    assert (answer.returncode, answer.stdout, answer.stderr.strip()) == (0, "", said)


def test_to_wait_for_none_is_an_error(cluster: SimulatedCluster) -> None:
    with pytest.raises(CommandError, match="No jobs in namespace default match"):
        wait(selection=Selection(selector="team=typo", kubeconfig=str(cluster.kubeconfig)))
