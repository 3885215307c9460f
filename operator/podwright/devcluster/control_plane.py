"""The control plane's programs with their arguments: etcd, API server, controller manager, scheduler.

Pure: turns a layout of files and ports into process specs. `embedded` writes the files and starts the processes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from podwright.devcluster.processes import ProcessSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from podwright.devcluster.files import KeyPair

SERVICE_ADDRESS_RANGE = "10.96.0.0/16"
SERVICE_ADDRESS = "10.96.0.1"
"""The first address of the range, which the API server gives to the Service `kubernetes`."""
ISSUER = "https://kubernetes.default.svc.cluster.local"


@dataclass(frozen=True, kw_only=True)
class ControlPlaneLayout:
    """Everything that the arguments name."""

    data_directory: Path
    programs: Mapping[str, Path]
    api_port: int
    etcd_port: int
    etcd_peer_port: int
    authority_file: Path
    etcd_authority_file: Path
    etcd_pair: KeyPair
    serving_pair: KeyPair
    kubelet_client_pair: KeyPair
    service_account_pair: KeyPair
    authority_key: Path
    controller_manager_kubeconfig: Path
    scheduler_configuration: Path
    client_queries_per_second: int
    fsync: bool
    extra_flags: Mapping[str, Sequence[str]]

    @property
    def server(self) -> str:
        """The API server's URL."""
        return f"https://127.0.0.1:{self.api_port}"


def _spec(layout: ControlPlaneLayout, program: str, flags: list[str]) -> ProcessSpec:
    # Go's flags may be repeated and the last one wins, so what the caller adds overrides ours.
    arguments = (str(layout.programs[program]), *flags, *layout.extra_flags.get(program, ()))
    return ProcessSpec(name=program, arguments=arguments)


def etcd(layout: ControlPlaneLayout) -> ProcessSpec:
    """Return a single etcd on loopback that only holders of its own authority's certificates can speak to."""
    client, peer = f"https://127.0.0.1:{layout.etcd_port}", f"https://127.0.0.1:{layout.etcd_peer_port}"
    flags = [
        "--name=podwright",
        f"--data-dir={layout.data_directory / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=podwright={peer}",
        "--log-level=warn",
        f"--quota-backend-bytes={8 * 1024**3}",
        # A cluster of one has nobody to wait for; a short timeout only makes it elect itself sooner.
        "--heartbeat-interval=50",
        "--election-timeout=500",
    ]
    for prefix in ("", "peer-"):
        flags += [
            f"--{prefix}client-cert-auth=true",
            f"--{prefix}trusted-ca-file={layout.etcd_authority_file}",
            f"--{prefix}cert-file={layout.etcd_pair.certificate}",
            f"--{prefix}key-file={layout.etcd_pair.key}",
        ]
    if not layout.fsync:
        flags.append("--unsafe-no-fsync")
    return _spec(layout, "etcd", flags)


def api_server(layout: ControlPlaneLayout) -> ProcessSpec:
    """Return the API server with RBAC, admission as by default, and nothing that a client could not expect elsewhere."""
    flags = [
        f"--etcd-servers=https://127.0.0.1:{layout.etcd_port}",
        f"--etcd-cafile={layout.etcd_authority_file}",
        f"--etcd-certfile={layout.etcd_pair.certificate}",
        f"--etcd-keyfile={layout.etcd_pair.key}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={layout.api_port}",
        # Endpoints may not be loopback addresses; the default reconciler would try, and fail, for ever.
        "--endpoint-reconciler-type=none",
        f"--tls-cert-file={layout.serving_pair.certificate}",
        f"--tls-private-key-file={layout.serving_pair.key}",
        f"--client-ca-file={layout.authority_file}",
        "--anonymous-auth=false",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        f"--service-account-issuer={ISSUER}",
        f"--service-account-key-file={layout.service_account_pair.certificate}",
        f"--service-account-signing-key-file={layout.service_account_pair.key}",
        f"--service-cluster-ip-range={SERVICE_ADDRESS_RANGE}",
        f"--kubelet-client-certificate={layout.kubelet_client_pair.certificate}",
        f"--kubelet-client-key={layout.kubelet_client_pair.key}",
        "--kubelet-preferred-address-types=InternalIP,Hostname",
        "--max-requests-inflight=2000",
        "--max-mutating-requests-inflight=1000",
        "--profiling=false",
    ]
    return _spec(layout, "kube-apiserver", flags)


def controller_manager(layout: ControlPlaneLayout) -> ProcessSpec:
    """Return all default controllers, each under its own service account as on a production cluster."""
    rate = layout.client_queries_per_second
    flags = [
        f"--kubeconfig={layout.controller_manager_kubeconfig}",
        "--use-service-account-credentials=true",
        f"--service-account-private-key-file={layout.service_account_pair.key}",
        f"--root-ca-file={layout.authority_file}",
        f"--cluster-signing-cert-file={layout.authority_file}",
        f"--cluster-signing-key-file={layout.authority_key}",
        "--leader-elect=false",
        "--secure-port=0",
        f"--kube-api-qps={rate}",
        f"--kube-api-burst={2 * rate}",
        "--profiling=false",
    ]
    return _spec(layout, "kube-controller-manager", flags)


def scheduler(layout: ControlPlaneLayout) -> ProcessSpec:
    """Return the default scheduler."""
    return _spec(
        layout,
        "kube-scheduler",
        [f"--config={layout.scheduler_configuration}", "--secure-port=0"],
    )


def scheduler_configuration(*, kubeconfig: Path, client_queries_per_second: int) -> bytes:
    """Return the scheduler's configuration file; its client rate can't be given as a flag."""
    return yaml.safe_dump(
        {
            "apiVersion": "kubescheduler.config.k8s.io/v1",
            "kind": "KubeSchedulerConfiguration",
            "leaderElection": {"leaderElect": False},
            "enableProfiling": False,
            "clientConnection": {
                "kubeconfig": str(kubeconfig),
                "qps": client_queries_per_second,
                "burst": 2 * client_queries_per_second,
            },
        }
    ).encode()
