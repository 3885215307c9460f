"""A cluster to work with, whoever made it: its kubeconfig, kubectl for it, and kubeconfigs for service accounts.

`DevCluster` is what the command line, the fixtures, the demo and the bench hold in their hands. `EmbeddedCluster`
(see `embedded`) adds the control over its processes.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from podwright.devcluster import kubeconfig as kubeconfigs
from podwright.devcluster.build import ensure_programs
from podwright.devcluster.errors import DevClusterError

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from podwright.devcluster.reporting import Reporter
    from podwright.devcluster.spec import ClusterKind, NodeKind

LEAST_KUBERNETES = (1, 32)
"""Selectable fields of custom resources are stable since 1.32; everything else that Podwright needs is older."""
_KUBECTL_SECONDS = 120.0


class KubectlError(DevClusterError):
    """kubectl ended with an error; the message is what it said."""


class DevCluster:
    """A running cluster. As a context manager it is stopped at the end of the block."""

    def __init__(self, *, kind: ClusterKind, kubeconfig: Path, kubectl_path: Path, nodes: NodeKind | None) -> None:
        self.kind = kind
        self.kubeconfig = kubeconfig
        """The administrator's kubeconfig; its current context is the cluster."""
        self.kubectl_path = kubectl_path
        self.nodes = nodes
        """What pods run on; None if nobody knows (a named cluster) or there are no nodes."""
        self._endpoint = kubeconfigs.read_endpoint(kubeconfig)

    @property
    def server(self) -> str:
        """The API server's URL."""
        return self._endpoint.server

    @property
    def authority(self) -> bytes:
        """The authority that signed the API server's certificate, as PEM; empty if it is one of the system's."""
        return self._endpoint.authority

    def kubectl(self, *arguments: str, stdin: str | None = None, timeout: float = _KUBECTL_SECONDS) -> str:
        """Run kubectl as administrator and return its output. Raises KubectlError with what it said."""
        command = [str(self.kubectl_path), f"--kubeconfig={self.kubeconfig}", *arguments]
        try:
            answer = subprocess.run(
                command,
                input=stdin,
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
                # What kubectl learned of another cluster at the same port must not be believed of this one.
                env={**os.environ, "KUBECACHEDIR": str(self.kubeconfig.parent / "kubectl-cache")},
            )
        except subprocess.TimeoutExpired as error:
            raise KubectlError(f"kubectl {' '.join(arguments)} took longer than {timeout:.0f} s.") from error
        if answer.returncode != 0:
            raise KubectlError(f"kubectl {' '.join(arguments)} failed:\n{answer.stderr.strip()}")
        return answer.stdout

    def create_user_kubeconfig(
        self, *, service_account: str, namespace: str, path: Path, duration: str = "24h"
    ) -> Path:
        """Write to `path` a kubeconfig that acts as the service account, with its rights and no more.

        The account must exist. The token is issued by TokenRequest and valid for `duration`.
        """
        token = self.kubectl("create", "token", service_account, f"--namespace={namespace}", f"--duration={duration}")
        return kubeconfigs.write_for_token(
            path, endpoint=self._endpoint, user=service_account, token=token.strip(), namespace=namespace
        )

    def kubernetes_version(self) -> str:
        """Return the API server's version, for example `v1.36.3`."""
        return str(json.loads(self.kubectl("version", "--output=json"))["serverVersion"]["gitVersion"])

    def require_version(self) -> None:
        """Raise DevClusterError if the cluster is too old for Podwright."""
        version = self.kubernetes_version()
        numbers = tuple(int(part) for part in version.lstrip("v").split(".")[:2])
        if numbers < LEAST_KUBERNETES:
            raise DevClusterError(
                f"The cluster at {self.server} runs Kubernetes {version}; Podwright needs"
                f" {'.'.join(map(str, LEAST_KUBERNETES))} or newer.",
                remedy="Use a newer cluster, or the embedded one.",
            )

    def load_image(self, archive: Path) -> tuple[str, ...]:
        """Put the images in `archive` on all nodes and return their names. Raises DevClusterError."""
        raise DevClusterError(
            f"Images can't be put on the nodes of the cluster at {self.server}, which isn't ours.",
            remedy=f"Push what is in {archive} to a registry from which they pull.",
        )

    def stop(self) -> None:
        """End the cluster and remove what it left. A named cluster isn't ours to end and stays as it is."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


def find_kubectl(*, reporter: Reporter) -> Path:
    """Return the user's own kubectl if there is one on PATH, else one that is built. Raises BuildError."""
    found = shutil.which("kubectl")
    return Path(found) if found is not None else ensure_programs(["kubectl"], reporter=reporter)["kubectl"]
