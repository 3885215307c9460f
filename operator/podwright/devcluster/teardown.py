"""Removes a cluster, known only by its data directory: while it runs, after a crash, or half started.

Idempotent, and safe to run twice at once. Called by `podwright dev down`, by an owner at its end, and by `watchdog`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from podwright.devcluster import kind, state
from podwright.devcluster.processes import end_cluster
from podwright.devcluster.spec import ClusterKind

if TYPE_CHECKING:
    from pathlib import Path


def down(data_directory: Path) -> bool:
    """End everything of the cluster in `data_directory` and remove its files; False if there is none.

    Other files in the directory stay. Raises DevClusterError if something can't be ended; what is left can be
    tried again.
    """
    data_directory = data_directory.absolute()
    cluster = state.read_state(data_directory)
    if cluster is None:
        return False
    if cluster.kind is ClusterKind.KIND:
        kind.delete(cluster.cluster_id)
    else:
        _remove_real_nodes(data_directory)
    # What runs beside a kind cluster is recorded there too.
    end_cluster(data_directory=data_directory, cluster_id=cluster.cluster_id)
    state.remove_data(data_directory)
    return True


def _remove_real_nodes(data_directory: Path) -> None:
    if (data_directory / "nodes").is_dir():
        from podwright.devcluster.real_node import node

        node.remove_all(data_directory)
