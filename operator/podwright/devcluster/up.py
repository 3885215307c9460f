"""Brings up whatever cluster was chosen. The one door for the command line, the fixtures, the demo and the bench."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from podwright.devcluster import state
from podwright.devcluster.choose import Choice, Probes, choose
from podwright.devcluster.cluster import DevCluster, find_kubectl
from podwright.devcluster.embedded import EmbeddedCluster
from podwright.devcluster.errors import DevClusterError
from podwright.devcluster.kind import KindCluster
from podwright.devcluster.reporting import Reporter, SilentReporter
from podwright.devcluster.spec import ClusterKind, ClusterSpec

if TYPE_CHECKING:
    from pathlib import Path


def up(
    spec: ClusterSpec,
    *,
    kubeconfig: Path | None = None,
    cluster: ClusterKind | None = None,
    reporter: Reporter | None = None,
) -> DevCluster:
    """Return the cluster that the user named, or a new one of the best kind that this machine can have.

    `spec.nodes` is what the user insists on, None for the best. A cluster that is in `spec.data_directory` already is
    used as it is; if some of its processes ended they are started again. Raises DevClusterError.
    """
    reporter = reporter or SilentReporter()
    if spec.data_directory is not None and kubeconfig is None:
        existing = open_cluster(spec.data_directory)
        if existing is not None:
            reporter.note(f"Using the cluster that is in {spec.data_directory} already.")
            if isinstance(existing, EmbeddedCluster):
                existing.resume()
            return existing
    if cluster is None and kubeconfig is None and (spec.fake_node_count > 0 or spec.flags or not spec.fsync):
        # Only the embedded cluster can do these.
        cluster = ClusterKind.EMBEDDED
    choice = choose(probes=default_probes(), kubeconfig=kubeconfig, cluster=cluster, nodes=spec.nodes)
    for sentence in choice.explanation:
        reporter.note(sentence)
    return _make(choice, spec, reporter=reporter)


def open_cluster(data_directory: Path, *, reporter: Reporter | None = None) -> DevCluster | None:
    """Return the cluster in `data_directory`, whether it runs or not; None if there is none."""
    found = state.read_state(data_directory)
    if found is None:
        return None
    if found.kind is ClusterKind.KIND:
        return KindCluster(
            data_directory=data_directory.absolute(),
            name=found.cluster_id,
            kubectl_path=find_kubectl(reporter=reporter or SilentReporter()),
            watchdog=None,
        )
    return EmbeddedCluster.open(data_directory)


def default_probes() -> Probes:
    """Return the probes of the real machine."""
    from podwright.devcluster.real_node import requirements

    return Probes(why_not_real=requirements.why_not_real)


def _make(choice: Choice, spec: ClusterSpec, *, reporter: Reporter) -> DevCluster:
    if choice.kind is ClusterKind.EMBEDDED:
        return EmbeddedCluster.start(dataclasses.replace(spec, nodes=choice.nodes), reporter=reporter)
    if choice.kind is ClusterKind.KIND:
        return KindCluster.start(spec, reporter=reporter)
    if choice.kubeconfig is None:
        raise DevClusterError("A named cluster needs its kubeconfig.")
    kubectl = find_kubectl(reporter=reporter)
    named = DevCluster(kind=ClusterKind.NAMED, kubeconfig=choice.kubeconfig, kubectl_path=kubectl, nodes=None)
    named.require_version()
    return named
