"""A cluster in a container engine, made by the program `kind`.

Used when an engine answers and kind is on PATH. (The version that pytest-kind would download by itself brings a
Kubernetes from before the API features that Podwright needs, so nothing is left to its defaults.)
"""

from __future__ import annotations

import secrets
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from typing_extensions import override

from podwright.devcluster import state
from podwright.devcluster.cluster import DevCluster, find_kubectl
from podwright.devcluster.errors import DevClusterError, StartError
from podwright.devcluster.invoker import hand_over
from podwright.devcluster.real_node.images import names_in
from podwright.devcluster.spec import ClusterKind, NodeKind
from podwright.devcluster.watchdog import Watchdog

if TYPE_CHECKING:
    from podwright.devcluster.reporting import Reporter
    from podwright.devcluster.spec import ClusterSpec

_ENGINES = ("docker", "podman", "nerdctl")
_ENGINE_SECONDS = 10.0
_CREATE_SECONDS = 600.0


def answering_engine() -> str | None:
    """Return the container engine that answers, by the name of its client. A client whose engine is silent doesn't count."""
    for engine in _ENGINES:
        if shutil.which(engine) is None:
            continue
        try:
            answer = subprocess.run([engine, "info"], capture_output=True, timeout=_ENGINE_SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired):
            continue
        # Some versions of docker's client report a missing engine and yet end with 0.
        if answer.returncode == 0 and b"Cannot connect" not in answer.stdout + answer.stderr:
            return engine
    return None


def program() -> str | None:
    """Return the path of kind, or None if it isn't installed."""
    return shutil.which("kind")


class KindCluster(DevCluster):
    """A cluster that kind runs. Its nodes are containers, and pods on them are real."""

    def __init__(self, *, data_directory: Path, name: str, kubectl_path: Path, watchdog: Watchdog | None) -> None:
        super().__init__(
            kind=ClusterKind.KIND,
            kubeconfig=data_directory / state.KUBECONFIG_FILE,
            kubectl_path=kubectl_path,
            nodes=NodeKind.REAL,
        )
        self.data_directory = data_directory
        self._name = name
        self._watchdog = watchdog

    @classmethod
    def start(cls, spec: ClusterSpec, *, reporter: Reporter) -> KindCluster:
        """Create a cluster and return once its control plane is ready. Raises DevClusterError."""
        kubectl = find_kubectl(reporter=reporter)
        directory = (spec.data_directory or Path(tempfile.mkdtemp(prefix="podwright-"))).absolute()
        state.prepare_data_directory(directory)
        watchdog = Watchdog.start(directory) if spec.owned else None
        name = f"podwright-{secrets.token_hex(4)}"
        _record(directory, name=name, owned=spec.owned)
        step, began = f"creating the kind cluster {name}", time.monotonic()
        reporter.step_started(step, position=1, total=1)
        try:
            create(name, kubeconfig=directory / state.KUBECONFIG_FILE)
            hand_over(directory / state.KUBECONFIG_FILE)
            cluster = cls(data_directory=directory, name=name, kubectl_path=kubectl, watchdog=watchdog)
            cluster.require_version()
        except BaseException:
            _remove(directory, name=name, watchdog=watchdog)
            raise
        reporter.step_finished(step, elapsed=time.monotonic() - began)
        return cluster

    @override
    def load_image(self, archive: Path) -> tuple[str, ...]:
        """Put the images in `archive` on all nodes and return their names. Raises DevClusterError."""
        names = names_in(archive)
        load(self._name, archive)
        return names

    @override
    def stop(self) -> None:
        """Delete the cluster and its files."""
        _remove(self.data_directory, name=self._name, watchdog=self._watchdog)


def _record(directory: Path, *, name: str, owned: bool) -> None:
    record = state.ClusterState(
        cluster_id=name,
        kind=ClusterKind.KIND,
        nodes=NodeKind.REAL,
        fake_nodes=0,
        owned=owned,
        server="",
        kubernetes_version="",
        programs={},
    )
    state.write_state(directory, record)


def _remove(directory: Path, *, name: str, watchdog: Watchdog | None) -> None:
    try:
        delete(name)
        state.remove_data(directory)
    finally:
        if watchdog is not None:
            watchdog.release()


def create(name: str, *, kubeconfig: Path) -> None:
    """Create the cluster `name` and write its kubeconfig. Raises StartError with what kind said."""
    answer = _run(["create", "cluster", "--name", name, "--kubeconfig", str(kubeconfig), "--wait", "120s"])
    if answer.returncode != 0:
        raise StartError(f"kind could not create a cluster:\n{answer.stderr.strip()}")


def load(name: str, archive: Path) -> None:
    """Put the image in `archive` on all nodes of the cluster `name`. Raises DevClusterError with what kind said."""
    answer = _run(["load", "image-archive", str(archive), "--name", name])
    if answer.returncode != 0:
        raise DevClusterError(f"kind could not load {archive}:\n{answer.stderr.strip()}")


def delete(name: str) -> None:
    """Delete the cluster `name`; it is fine if there is none. Raises DevClusterError if kind can't."""
    answer = _run(["delete", "cluster", "--name", name])
    if answer.returncode != 0:
        raise DevClusterError(f"kind could not delete its cluster {name}:\n{answer.stderr.strip()}")


def _run(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    kind = program()
    if kind is None:
        raise DevClusterError("The program kind isn't on PATH.", remedy="Install kind, or choose the embedded cluster.")
    try:
        return subprocess.run([kind, *arguments], capture_output=True, text=True, timeout=_CREATE_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise DevClusterError(f"kind {arguments[0]} took longer than {_CREATE_SECONDS:.0f} s.") from error
