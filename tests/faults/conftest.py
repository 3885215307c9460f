"""Fixtures: worlds over the simulator and over a real API server. All tests here share one event loop and one nursery."""

import contextlib
import fcntl
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from podwright.devcluster import EmbeddedCluster
from tests.cluster.shared import install, shared_cluster
from tests.faults.operators import Nursery, nursery
from tests.faults.world import World, real, simulated

MANIFESTS = Path(__file__).parents[2] / "manifests"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run everything here on the loop of the session, since the nursery lives there."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            if pytest_asyncio.is_async_test(item):
                item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
            if "real_world" in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.cluster)


@pytest_asyncio.fixture(scope="session", loop_scope="session", name="nursery")
async def nursery_fixture(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Nursery]:
    """Where operators come from."""
    async with nursery(tmp_path_factory.mktemp("operators")) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def world(nursery: Nursery, tmp_path: Path) -> AsyncIterator[World]:
    """A world over a simulator of its own."""
    async with simulated(nursery, tmp_path) as made:
        yield made


@pytest.fixture(scope="session")
def fault_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedCluster]:
    """A cluster in which operators may be started and parts may be killed; not the one that other tests use."""
    directory = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        directory = directory.parent
    with shared_cluster(directory / "faults", prepare=lambda new: install(new, MANIFESTS)) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def real_world(fault_cluster: EmbeddedCluster, nursery: Nursery, tmp_path: Path) -> AsyncIterator[World]:
    """A world over the real API server."""
    async with _alone(fault_cluster, nursery, tmp_path) as made:
        yield made


@pytest_asyncio.fixture(
    loop_scope="session", params=["simulated", pytest.param("real", marks=pytest.mark.cluster)], name="any_world"
)
async def any_world_fixture(request: pytest.FixtureRequest, nursery: Nursery, tmp_path: Path) -> AsyncIterator[World]:
    """First the one, then the other."""
    if request.param == "simulated":
        async with simulated(nursery, tmp_path) as made:
            yield made
    else:
        async with _alone(request.getfixturevalue("fault_cluster"), nursery, tmp_path) as made:
            yield made


@contextlib.asynccontextmanager
async def _alone(cluster: EmbeddedCluster, nursery: Nursery, directory: Path) -> AsyncIterator[World]:
    """Make a world over the cluster for one test at a time: operators see all namespaces."""
    # Beside the cluster's own directory, in which another worker may start it anew.
    with cluster.data_directory.with_name("faults.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        async with real(cluster, nursery, directory) as made:
            yield made
