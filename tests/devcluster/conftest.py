"""One small embedded cluster for all tests of this package that only need some cluster, per worker process."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from podwright.devcluster import ClusterSpec, EmbeddedCluster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

POLL_SECONDS = 0.05
WAIT_SECONDS = 30.0


@pytest.fixture(scope="session")
def shared_cluster() -> Iterator[EmbeddedCluster]:
    """A control plane with two fake nodes. Tests must not stop its processes, and clean their own objects."""
    with EmbeddedCluster.start(ClusterSpec(owned=True, fake_node_count=2, fsync=False)) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def eventually() -> Callable[[Callable[[], bool], str], None]:
    """Wait, at most half a minute, until a condition holds; fail with the description if it never does."""

    def wait(condition: Callable[[], bool], description: str) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while not condition():
            assert time.monotonic() < deadline, f"waited {WAIT_SECONDS} s in vain: {description}"
            time.sleep(POLL_SECONDS)

    return wait
