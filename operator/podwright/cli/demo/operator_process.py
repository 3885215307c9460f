"""The operator as a process beside a development cluster: with its own service account's rights, never as administrator.

It goes on after the command that started it, so that the user can go on with the cluster. It is recorded among the
cluster's processes: `podwright dev status` shows it, `podwright dev down` ends it.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import podwright
from podwright.cli.demo.install import SERVICE_ACCOUNT, SYSTEM_NAMESPACE
from podwright.devcluster import StartError, ports, state
from podwright.devcluster.processes import ProcessSpec, Supervisor

if TYPE_CHECKING:
    from podwright.devcluster import DevCluster

NAME = "podwright-operator"
_TOKEN_DURATION = "720h"  # noqa: S105 - how long a token is valid
_LEAVE_SECONDS = 5.0
# A former operator that was killed still holds its Lease for ten seconds.
_LEAD_SECONDS = 60.0
_POLL_SECONDS = 0.1


class OperatorProcess:
    """The operator beside the cluster whose data lies in `data_directory`."""

    def __init__(self, cluster: DevCluster, *, data_directory: Path) -> None:
        found = state.read_state(data_directory)
        if found is None:
            raise StartError(f"There is no cluster in {data_directory}.")
        self._cluster = cluster
        self._data = data_directory
        self._supervisor = Supervisor(data_directory=data_directory, cluster_id=found.cluster_id)

    @property
    def log_file(self) -> Path:
        """Where it writes its log."""
        return self._supervisor.log_path(NAME)

    def start(self) -> str:
        """Start it, in place of a former one, and return the address of its metrics once it leads. Raises StartError."""
        self._supervisor.stop([NAME], grace_seconds=_LEAVE_SECONDS)
        configuration = self._data / "configuration"
        configuration.mkdir(exist_ok=True)
        kubeconfig = self._cluster.create_user_kubeconfig(
            service_account=SERVICE_ACCOUNT,
            namespace=SYSTEM_NAMESPACE,
            path=configuration / f"{NAME}.kubeconfig",
            duration=_TOKEN_DURATION,
        )
        with ports.free_ports(1) as (port,):
            self._supervisor.start(_process(kubeconfig=kubeconfig, port=port))
            address = f"http://127.0.0.1:{port}/metrics"
            self._await_leading(address)
        return address

    def _await_leading(self, address: str) -> None:
        deadline = time.monotonic() + _LEAD_SECONDS
        while not _leads(address):
            if time.monotonic() >= deadline:
                raise StartError(
                    f"The operator doesn't lead after {_LEAD_SECONDS:.0f} s. Its log ends:\n"
                    + self._supervisor.log_tail(NAME),
                    remedy=f"The whole log is {self.log_file}.",
                )
            self._supervisor.require_running(NAME)
            time.sleep(_POLL_SECONDS)


def _process(*, kubeconfig: Path, port: int) -> ProcessSpec:
    python = (sys.executable, "-m")
    options = (f"--kubeconfig={kubeconfig}", "--http-host=127.0.0.1", f"--http-port={port}")
    sources = str(Path(podwright.__file__).parents[1])
    return ProcessSpec(
        name=NAME,
        # It ends when it loses its Lease, to be started anew.
        arguments=(*python, "podwright.devcluster.respawn", *python, "podwright", "operator", "run", *options),
        environment={"PYTHONPATH": os.pathsep.join(filter(None, [sources, os.environ.get("PYTHONPATH")]))},
    )


def _leads(address: str) -> bool:
    with (
        contextlib.suppress(OSError),
        # Our own operator on loopback, as just started.
        urllib.request.urlopen(address, timeout=2.0) as answer,  # noqa: S310
    ):
        return b"\npodwright_leading_shards 1.0" in answer.read()
    return False
