"""The fixtures of `tests.cluster` once more, for a cluster in which operators run."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import pytest

from tests.cluster.api import Api
from tests.cluster.conftest import REPOSITORY
from tests.cluster.shared import install, shared_cluster
from tests.support.operators import OperatorProcess, operator_kubeconfig, started_operator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from podwright.devcluster import EmbeddedCluster

    Start = Callable[[str], AbstractContextManager[OperatorProcess]]


@pytest.fixture(scope="session")
def cluster_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that all workers of this run share."""
    directory = tmp_path_factory.getbasetemp()
    return (directory.parent if os.environ.get("PYTEST_XDIST_WORKER") else directory) / "operated-cluster"


@pytest.fixture(scope="session")
def cluster(cluster_directory: Path) -> Iterator[EmbeddedCluster]:
    """The cluster that all tests here share; whoever runs an operator in it holds `shard`."""
    with shared_cluster(cluster_directory, prepare=lambda new: install(new, REPOSITORY / "manifests")) as found:
        yield found


@pytest.fixture(scope="session")
def api(cluster: EmbeddedCluster) -> Iterator[Api]:
    """A client with the administrator's rights."""
    client = Api.of(cluster)
    with contextlib.closing(client.connection):
        yield client


@pytest.fixture
def start(cluster: EmbeddedCluster, shard: str, tmp_path: Path) -> Start:
    """Start operators by name, with exactly their shipped rights; nobody else leads meanwhile."""
    kubeconfig = operator_kubeconfig(cluster, tmp_path / "kubeconfig")
    return lambda name: started_operator(kubeconfig, tmp_path / f"{name}.log")


@pytest.fixture
def operator(start: Start) -> Iterator[OperatorProcess]:
    """An operator that leads."""
    with start("operator") as started:
        started.wait_until_leading()
        yield started
