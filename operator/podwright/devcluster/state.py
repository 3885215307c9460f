"""What is kept in a cluster's data directory so that any later command can find, continue or remove the cluster.

`cluster.json` is written before the first process starts and is the last thing to go.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from typing import TYPE_CHECKING

import msgspec

from podwright.devcluster.errors import DevClusterError
from podwright.devcluster.files import remove_staged, write_atomically
from podwright.devcluster.invoker import make_directories
from podwright.devcluster.processes import RECORDS_FILE
from podwright.devcluster.spec import ClusterKind, NodeKind

if TYPE_CHECKING:
    from pathlib import Path

STATE_FILE = "cluster.json"
KUBECONFIG_FILE = "kubeconfig"
_OURS = (
    "etcd",
    "certificates",
    "configuration",
    "kubectl-cache",
    "logs",
    "nodes",
    RECORDS_FILE,
    KUBECONFIG_FILE,
    STATE_FILE,
)
"""All that a cluster writes into its data directory, in the order of removal."""
_REMOVAL_TURNS = 20
_REMOVAL_PAUSE = 0.1


class ClusterState(msgspec.Struct, frozen=True, kw_only=True):
    """The facts about a cluster that don't change while it exists."""

    cluster_id: str
    kind: ClusterKind
    nodes: NodeKind | None
    fake_nodes: int
    owned: bool
    server: str
    kubernetes_version: str
    programs: dict[str, str]
    """Paths of the programs that it was started with, by name."""


def read_state(data_directory: Path) -> ClusterState | None:
    """Return the cluster of `data_directory`, or None if there is none. Raises DevClusterError if its state is damaged."""
    path = data_directory / STATE_FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=ClusterState)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise DevClusterError(
            f"{path} can't be understood: {error}.",
            remedy="It was written by another version or damaged. End its processes by hand and remove the directory.",
        ) from error


def write_state(data_directory: Path, state: ClusterState) -> None:
    """Record `state`."""
    write_atomically(data_directory / STATE_FILE, msgspec.json.encode(state), mode=0o600)


def prepare_data_directory(data_directory: Path) -> None:
    """Make the directory, readable for its owner alone. Refuses one in which something else lies."""
    try:
        make_directories(data_directory, mode=0o700)
        strangers = sorted(entry.name for entry in data_directory.iterdir() if entry.name not in _OURS)
    except OSError as error:
        raise DevClusterError(
            f"The data directory {data_directory} can't be used: {error.strerror}.", remedy="Name another one."
        ) from error
    if strangers:
        raise DevClusterError(
            f"The data directory {data_directory} holds other things, such as {strangers[0]}.",
            remedy="Name an empty directory or one that doesn't exist yet.",
        )


def remove_data(data_directory: Path) -> None:
    """Remove all that a cluster wrote, and the directory itself if nothing else is in it."""
    # A process that is just ending may still write; what appears after we looked is removed by the next turn.
    for _ in range(_REMOVAL_TURNS):
        for name in _OURS:
            _remove(data_directory / name)
        with contextlib.suppress(OSError):
            data_directory.rmdir()
        if not data_directory.exists() or {entry.name for entry in _entries(data_directory)} - set(_OURS):
            return
        time.sleep(_REMOVAL_PAUSE)


def _entries(directory: Path) -> list[Path]:
    try:
        return list(directory.iterdir())
    except FileNotFoundError:
        return []


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
        remove_staged(path)
