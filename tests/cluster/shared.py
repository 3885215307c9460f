"""One embedded cluster for a whole test run, shared by its worker processes.

Whichever worker needs it first starts it and owns it; it lives until the last worker that uses it has let go. Should
the owner be killed, the cluster's watchdog takes it down.
"""

from __future__ import annotations

import contextlib
import fcntl
import time
from typing import TYPE_CHECKING

import yaml

from podwright.core.constants import names
from podwright.devcluster import ClusterSpec, EmbeddedCluster
from tests.cluster.api import OPERATOR, Api
from tests.cluster.manifests import make_job, make_pod

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FAKE_NODES = 2


@contextlib.contextmanager
def shared_cluster(directory: Path, *, prepare: Callable[[EmbeddedCluster], None]) -> Iterator[EmbeddedCluster]:
    """Use the cluster of `directory` together with other processes; `prepare` is called once, before all use."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "start.lock").open("w") as start, (directory / "users.lock").open("w") as users:
        fcntl.flock(start, fcntl.LOCK_EX)
        fcntl.flock(users, fcntl.LOCK_SH)
        cluster = EmbeddedCluster.open(directory / "data")
        owner = cluster is None
        if cluster is None:
            spec = ClusterSpec(data_directory=directory / "data", owned=True, fake_node_count=FAKE_NODES, fsync=False)
            cluster = EmbeddedCluster.start(spec)
        try:
            if owner:
                prepare(cluster)
            fcntl.flock(start, fcntl.LOCK_UN)
            yield cluster
        finally:
            fcntl.flock(users, fcntl.LOCK_UN)
            if owner:
                # Who comes from now on waits here, finds no cluster and starts one of its own.
                fcntl.flock(start, fcntl.LOCK_EX)
                fcntl.flock(users, fcntl.LOCK_EX)
                cluster.stop()


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Keep other processes that ask for the same path out of the block."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def install(cluster: EmbeddedCluster, manifests: Path) -> None:
    """Apply the manifests but the Deployment: operators are started by the tests that want one."""
    rendered = yaml.safe_load_all(cluster.kubectl("kustomize", str(manifests)))
    wanted = [document for document in rendered if document["kind"] not in {"Deployment", "PodDisruptionBudget"}]
    cluster.kubectl("apply", "--server-side", "--filename=-", stdin=yaml.safe_dump_all(wanted))
    cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
    # kubectl keeps what it learned of the kinds before ours were there.
    cluster.kubectl("api-resources", "--cached=false", "--api-group=podwright.dev")
    with contextlib.closing(Api.of(cluster).connection) as connection:
        _await_policies(Api(connection))


def _await_policies(api: Api) -> None:
    """Wait until every policy is in force, which the API server doesn't tell: try what each must refuse."""
    spoof = make_pod(namespace="default", labels={names.LABEL_JOB_UID: "x"})
    unlabelled = make_pod(namespace="default")
    shard_0 = make_pod(namespace="default", labels={names.LABEL_SHARD: "0"})
    probe = make_job(namespace="default", name="probe")
    other_template = {"spec": {"template": {"metadata": {"labels": {"a": "b"}}}}}
    deadline = time.monotonic() + 30
    api.create(probe).expect()
    while not (
        "podwright:" in api.create(spoof, dry_run=True).words
        and "podwright fence" in api.acting_as(OPERATOR).create(unlabelled, dry_run=True).words
        and "podwright-fence" in api.acting_as(OPERATOR).create(shard_0, dry_run=True).words
        and "podwright:" in api.patch("BatchJob", "default", "probe", {"status": {}}, subresource="status").words
        and "podwright:" in api.patch("BatchJob", "default", "probe", other_template, dry_run=True).words
    ):
        assert time.monotonic() < deadline, "the admission policies didn't come into force"
        time.sleep(0.05)
    api.delete("BatchJob", "default", "probe").expect()
