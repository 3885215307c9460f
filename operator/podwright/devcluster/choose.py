"""Decides what cluster to use, and says why: named kubeconfig, then kind, then the embedded control plane.

Pure but for the probes that it is given, so every branch can be tested. The user's current context is never used
unless it is named. Called by `up`; the command line prints `Choice.explanation`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from podwright.devcluster import kind
from podwright.devcluster.errors import DevClusterError
from podwright.devcluster.spec import ClusterKind, NodeKind

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SIMULATED = "Pods are SIMULATED: they are scheduled and get a status, but no container runs and nothing is computed."


@dataclass(frozen=True, kw_only=True)
class Probes:
    """What is asked about the machine, each only when the answer matters."""

    engine: Callable[[], str | None] = kind.answering_engine
    """The container engine that answers, if any."""
    kind_program: Callable[[], str | None] = kind.program
    why_not_real: Callable[[], str | None]
    """Why real nodes can't run here and what to do about it, as a whole sentence; None if they can."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What was chosen."""

    kind: ClusterKind
    nodes: NodeKind | None
    """Kind of the nodes; None if the cluster brings its own."""
    kubeconfig: Path | None = None
    explanation: tuple[str, ...] = ()
    """For the user, whole sentences: why this one, and what it can't do."""


def choose(
    *,
    probes: Probes,
    kubeconfig: Path | None = None,
    cluster: ClusterKind | None = None,
    nodes: NodeKind | None = None,
) -> Choice:
    """Return the cluster to use. `cluster` and `nodes` are what the user insists on, None where anything will do.

    Raises DevClusterError if what the user insists on can't be had. Real nodes are preferred where possible; where
    nobody insisted, fake ones take their place and the explanation says so.
    """
    if kubeconfig is not None or cluster is ClusterKind.NAMED:
        return _named(kubeconfig, cluster=cluster, nodes=nodes)
    if cluster is not ClusterKind.EMBEDDED and nodes is None:
        reason = _kind_obstacle(probes)
        if reason is None:
            return Choice(kind=ClusterKind.KIND, nodes=None, explanation=("A container engine answers: using kind.",))
        if cluster is ClusterKind.KIND:
            raise DevClusterError(f"kind can't be used: {reason}", remedy="Use the embedded cluster instead.")
        return _embedded(probes, nodes=nodes, explanation=(f"Using the embedded control plane: {reason}",))
    if cluster is ClusterKind.KIND:
        raise DevClusterError(
            "A kind cluster brings its own nodes; their kind can't be chosen.", remedy="Name only one of the two."
        )
    return _embedded(probes, nodes=nodes, explanation=("Using the embedded control plane.",))


def _named(kubeconfig: Path | None, *, cluster: ClusterKind | None, nodes: NodeKind | None) -> Choice:
    if kubeconfig is None:
        raise DevClusterError(
            "A named cluster needs its kubeconfig.", remedy="Name it; the current context isn't used."
        )
    if cluster not in {None, ClusterKind.NAMED} or nodes is not None:
        raise DevClusterError(
            f"The kubeconfig {kubeconfig} names a cluster that is there already; its kind and nodes can't be chosen.",
            remedy="Name either a kubeconfig, or what cluster to start.",
        )
    return Choice(
        kind=ClusterKind.NAMED,
        nodes=None,
        kubeconfig=kubeconfig,
        explanation=(f"Using the cluster that {kubeconfig} names.",),
    )


def _kind_obstacle(probes: Probes) -> str | None:
    engine = probes.engine()
    if engine is None:
        return "no container engine answers."
    if probes.kind_program() is None:
        return f"{engine} answers, but the program kind isn't on PATH."
    return None


def _embedded(probes: Probes, *, nodes: NodeKind | None, explanation: tuple[str, ...]) -> Choice:
    if nodes is NodeKind.FAKE:
        return Choice(kind=ClusterKind.EMBEDDED, nodes=NodeKind.FAKE, explanation=(*explanation, SIMULATED))
    obstacle = probes.why_not_real()
    if obstacle is None:
        return Choice(
            kind=ClusterKind.EMBEDDED,
            nodes=NodeKind.REAL,
            explanation=(*explanation, "Pods run as real containers on this machine."),
        )
    if nodes is NodeKind.REAL:
        raise DevClusterError(
            f"Real nodes can't run on this machine. {obstacle}",
            remedy="Or use fake nodes, on which pods are simulated.",
        )
    return Choice(
        kind=ClusterKind.EMBEDDED,
        nodes=NodeKind.FAKE,
        explanation=(*explanation, SIMULATED, f"Real containers can't run here. {obstacle}"),
    )
