from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

import pytest

from podwright.devcluster import ClusterKind, DevClusterError, NodeKind
from podwright.devcluster.choose import SIMULATED, Probes, choose
from podwright.devcluster.kind import answering_engine, program

NO_ROOT = "Real nodes need root: run the command with sudo."


def probes(*, engine: str | None = None, kind: str | None = None, real: str | None = None) -> Probes:
    return Probes(engine=lambda: engine, kind_program=lambda: kind, why_not_real=lambda: real)


def never() -> str | None:
    raise AssertionError("this needed no answer")


@dataclass(frozen=True, kw_only=True)
class Case:
    name: str
    probes: Probes
    want: ClusterKind
    want_nodes: NodeKind | None
    cluster: ClusterKind | None = None
    nodes: NodeKind | None = None
    kubeconfig: Path | None = None
    says: str = ""


CASES = [
    Case(
        name="a named kubeconfig wins, and nothing is probed",
        probes=Probes(engine=never, kind_program=never, why_not_real=never),
        kubeconfig=Path("/some/kubeconfig"),
        want=ClusterKind.NAMED,
        want_nodes=None,
        says="/some/kubeconfig",
    ),
    Case(
        name="kind comes before embedded when an engine answers",
        probes=probes(engine="docker", kind="/bin/kind"),
        want=ClusterKind.KIND,
        want_nodes=None,
        says="engine answers",
    ),
    Case(
        name="an engine without kind leads to embedded, real where possible",
        probes=probes(engine="docker"),
        want=ClusterKind.EMBEDDED,
        want_nodes=NodeKind.REAL,
        says="docker answers, but the program kind isn't on PATH",
    ),
    Case(
        name="no engine leads to embedded, real where possible",
        probes=probes(kind="/bin/kind"),
        want=ClusterKind.EMBEDDED,
        want_nodes=NodeKind.REAL,
        says="no container engine answers",
    ),
    Case(
        name="without engine and real nodes pods are simulated, and that is said with the reason",
        probes=probes(real=NO_ROOT),
        want=ClusterKind.EMBEDDED,
        want_nodes=NodeKind.FAKE,
        says=NO_ROOT,
    ),
    Case(
        name="embedded is asked for although an engine answers",
        probes=probes(engine="docker", kind="/bin/kind"),
        cluster=ClusterKind.EMBEDDED,
        want=ClusterKind.EMBEDDED,
        want_nodes=NodeKind.REAL,
    ),
    Case(
        name="fake nodes are asked for: embedded, and nothing is probed",
        probes=Probes(engine=never, kind_program=never, why_not_real=never),
        nodes=NodeKind.FAKE,
        want=ClusterKind.EMBEDDED,
        want_nodes=NodeKind.FAKE,
        says=SIMULATED,
    ),
    Case(
        name="real nodes are asked for and possible",
        probes=probes(engine="docker", kind="/bin/kind"),
        nodes=NodeKind.REAL,
        want=ClusterKind.EMBEDDED,
        want_nodes=NodeKind.REAL,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_choice(case: Case) -> None:
    choice = choose(probes=case.probes, kubeconfig=case.kubeconfig, cluster=case.cluster, nodes=case.nodes)
    assert (choice.kind, choice.nodes, choice.kubeconfig) == (case.want, case.want_nodes, case.kubeconfig)
    assert case.says in " ".join(choice.explanation)
    assert (SIMULATED in choice.explanation) == (case.want_nodes is NodeKind.FAKE)


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"nodes": NodeKind.REAL}, NO_ROOT),
        ({"cluster": ClusterKind.KIND}, "no container engine answers"),
        ({"cluster": ClusterKind.KIND, "nodes": NodeKind.FAKE}, "own nodes"),
        ({"cluster": ClusterKind.NAMED}, "needs its kubeconfig"),
        ({"kubeconfig": Path("/k"), "nodes": NodeKind.FAKE}, "can't be chosen"),
    ],
    ids=str,
)
def test_wish_that_cannot_be_met_is_refused(wishes: dict[str, object], message: str) -> None:
    with pytest.raises(DevClusterError, match=message):
        choose(probes=probes(real=NO_ROOT), **wishes)  # type: ignore[arg-type]  # a table of keyword arguments


@pytest.mark.parametrize(
    ("script", "want"),
    [
        ("exit 0", "docker"),
        ("echo Cannot connect to the Docker daemon >&2; exit 1", None),
        ("echo 'Server:'; echo 'Cannot connect to the Docker daemon'; exit 0", None),
    ],
    ids=["answers", "is silent", "is silent and yet ends with 0"],
)
def test_client_whose_engine_does_not_answer_counts_as_none(
    script: str, want: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = tmp_path / "docker"
    client.write_text(f"#!/bin/sh\n{script}\n")
    client.chmod(client.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert answering_engine() == want
    assert program() is None


def test_no_client_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert answering_engine() is None
