"""A Kubernetes cluster for development, the demo, the tests and the bench.

What cluster it is gets decided in this order (`choose`): the one whose kubeconfig the user names; kind, when a
container engine answers; else the embedded control plane, which is built once from pinned Go modules and runs as plain
processes on loopback. The user's current context is never used unasked.

Usage::

    from podwright.devcluster import ClusterSpec, NodeKind, down, up

    # For a person: the best that this machine can do; lives until `down`.
    cluster = up(ClusterSpec(data_directory=path), reporter=reporter)
    cluster.kubectl("apply", "--filename", "crds/")
    down(path)

    # For a test or the bench: embedded, ten fake nodes, gone at the end of the block or of this process.
    spec = ClusterSpec(owned=True, fake_node_count=10, fsync=False)
    with EmbeddedCluster.start(spec) as cluster:
        cluster.create_user_kubeconfig(service_account="podwright-operator", namespace="podwright-system", path=path)
        os.kill(cluster.processes["kube-apiserver"].pid, signal.SIGKILL)
        cluster.restart("kube-apiserver")

- `up`: choose and start, or go on with the cluster that the data directory holds. `EmbeddedCluster.start`: no choice.
- `open_cluster`: the cluster of a data directory, for `status` and the like. `down`: remove it, also after a crash.
- `ClusterSpec` says what to start, `fake_nodes` how to script pods, `Reporter` how progress is shown.
- Every failure is a `DevClusterError`, whose text is for the user.

Imports nothing of the operator. `certificates` needs the `dev` extra of the package.
"""

from podwright.devcluster.cluster import DevCluster, KubectlError
from podwright.devcluster.embedded import EmbeddedCluster
from podwright.devcluster.errors import BuildError, DevClusterError, StartError
from podwright.devcluster.fake_nodes import FakeNodeCapacity
from podwright.devcluster.reporting import LineReporter, Reporter, SilentReporter
from podwright.devcluster.spec import ClusterKind, ClusterSpec, NodeKind
from podwright.devcluster.teardown import down
from podwright.devcluster.up import open_cluster, up

__all__ = [
    "BuildError",
    "ClusterKind",
    "ClusterSpec",
    "DevCluster",
    "DevClusterError",
    "EmbeddedCluster",
    "FakeNodeCapacity",
    "KubectlError",
    "LineReporter",
    "NodeKind",
    "Reporter",
    "SilentReporter",
    "StartError",
    "down",
    "open_cluster",
    "up",
]
