"""Fixtures: the shared cluster with Podwright's manifests installed, a client, and a namespace for each test."""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from podwright.core.constants import names
from tests.cluster.api import Api
from tests.cluster.jobs import Jobs
from tests.cluster.shared import exclusive, install, shared_cluster

if TYPE_CHECKING:
    from collections.abc import Iterator

    from podwright.devcluster import EmbeddedCluster

REPOSITORY = Path(__file__).parents[2]
_numbers = itertools.count()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs a cluster."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.cluster)


@pytest.fixture(scope="session")
def cluster_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that all workers of this run share."""
    directory = tmp_path_factory.getbasetemp()
    return (directory.parent if os.environ.get("PYTEST_XDIST_WORKER") else directory) / "cluster"


@pytest.fixture(scope="session")
def cluster(cluster_directory: Path) -> Iterator[EmbeddedCluster]:
    """The cluster that all tests here share. Control plane and fake nodes; no operator runs in it by itself."""
    with shared_cluster(cluster_directory, prepare=lambda new: install(new, REPOSITORY / "manifests")) as found:
        yield found


@contextlib.contextmanager
def sole_leadership(cluster_directory: Path, api: Api) -> Iterator[str]:
    """Keep other tests from leading shard 0 during the block; give the name of its Lease, which doesn't exist at first."""
    name = names.lease_name(0)
    with exclusive(cluster_directory / f"{name}.lock"):
        yield name
        api.delete("Lease", "podwright-system", name)


@pytest.fixture
def shard(cluster_directory: Path, api: Api) -> Iterator[str]:
    """The Lease of shard 0, for one test at a time: its name. It doesn't exist at first and is gone afterwards."""
    with sole_leadership(cluster_directory, api) as name:
        yield name


@pytest.fixture
def jobs(api: Api, namespace: str) -> Jobs:
    """The jobs of the test's namespace."""
    return Jobs(api, namespace)


@pytest.fixture(scope="session")
def api(cluster: EmbeddedCluster) -> Iterator[Api]:
    """A client with the administrator's rights."""
    client = Api.of(cluster)
    with contextlib.closing(client.connection):
        yield client


@contextlib.contextmanager
def new_namespace(api: Api) -> Iterator[str]:
    """Make a namespace for the block."""
    name = f"test-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}-{next(_numbers)}"
    api.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}}).expect()
    deadline = time.monotonic() + 30
    # Pods are refused until the controller manager has made it.
    while not api.request("GET", f"/api/v1/namespaces/{name}/serviceaccounts/default").ok:
        assert time.monotonic() < deadline, "no default service account"
        time.sleep(0.01)
    yield name
    api.request("DELETE", f"/api/v1/namespaces/{name}")


@pytest.fixture
def namespace(api: Api) -> Iterator[str]:
    """A namespace of the test's own."""
    with new_namespace(api) as name:
        yield name


@pytest.fixture(scope="module")
def shared_namespace(api: Api) -> Iterator[str]:
    """A namespace for all tests of a module, for those that leave nothing behind."""
    with new_namespace(api) as name:
        yield name
