"""Fixtures: one cluster for all pages, with Podwright on it as the demo puts it there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from podwright.cli.demo.install import install
from podwright.cli.demo.operator_process import OperatorProcess
from podwright.devcluster import ClusterSpec, EmbeddedCluster, NodeKind
from podwright.devcluster.real_node import why_not_real

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedCluster]:
    """A cluster with the best nodes that this machine can have, and an operator."""
    data = tmp_path_factory.mktemp("docs") / "cluster"
    nodes = NodeKind.REAL if why_not_real() is None else NodeKind.FAKE
    with EmbeddedCluster.start(ClusterSpec(data_directory=data, owned=True, nodes=nodes, fsync=False)) as started:
        install(started, namespace="default")
        OperatorProcess(started, data_directory=data).start()
        yield started
