"""The embedded cluster: etcd, the API server, its controllers and nodes as processes of this machine.

`EmbeddedCluster.start` brings one up, `EmbeddedCluster.open` finds a running one, `teardown.down` removes one. Order
of a start: programs, watchdog (if owned), state, certificates, etcd and API server, controllers, nodes.
"""

from __future__ import annotations

import contextlib
import secrets
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from typing_extensions import override

from podwright.devcluster import api, components, control_plane, fake_nodes, kubeconfig, ports, state
from podwright.devcluster.build import ensure_programs
from podwright.devcluster.cluster import DevCluster
from podwright.devcluster.errors import DevClusterError, StartError
from podwright.devcluster.files import KeyPair, write_atomically
from podwright.devcluster.processes import Supervisor
from podwright.devcluster.reporting import Reporter, SilentReporter
from podwright.devcluster.spec import ClusterKind, ClusterSpec, NodeKind
from podwright.devcluster.teardown import down
from podwright.devcluster.watchdog import Watchdog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from podwright.devcluster.processes import ProcessRecord

_POLL_SECONDS = 0.02
_ADMINISTRATORS = ("system:masters",)


class EmbeddedCluster(DevCluster):
    """A running embedded cluster. Made by `start` or `open`, never directly."""

    def __init__(self, *, data_directory: Path, cluster: state.ClusterState, watchdog: Watchdog | None) -> None:
        super().__init__(
            kind=ClusterKind.EMBEDDED,
            kubeconfig=data_directory / state.KUBECONFIG_FILE,
            kubectl_path=Path(cluster.programs["kubectl"]),
            nodes=cluster.nodes,
        )
        self.data_directory = data_directory
        self.state = cluster
        self.supervisor = Supervisor(data_directory=data_directory, cluster_id=cluster.cluster_id)
        self._watchdog = watchdog

    @classmethod
    def start(cls, spec: ClusterSpec, *, reporter: Reporter | None = None) -> EmbeddedCluster:
        """Bring up a cluster and return once its API server is ready and pods can be created.

        Raises DevClusterError (BuildError, StartError); whatever was started by then is gone again.
        """
        reporter = reporter or SilentReporter()
        programs = ensure_programs(_wanted_programs(spec), reporter=reporter)
        directory = (spec.data_directory or Path(tempfile.mkdtemp(prefix="podwright-"))).absolute()
        state.prepare_data_directory(directory)
        if state.read_state(directory) is not None:
            raise StartError(
                f"There is a cluster in {directory} already.",
                remedy="Use it, or remove it with `podwright dev down`.",
            )
        watchdog = Watchdog.start(directory) if spec.owned else None
        try:
            cluster = _Starter(spec, directory=directory, programs=programs, reporter=reporter).run()
            return cls(data_directory=directory, cluster=cluster, watchdog=watchdog)
        except BaseException:
            down(directory)
            state.remove_data(directory)
            if watchdog is not None:
                watchdog.release()
            raise

    @classmethod
    def open(cls, data_directory: Path) -> EmbeddedCluster | None:
        """Return the cluster of `data_directory`, running or not; None if there is none."""
        data_directory = data_directory.absolute()
        cluster = state.read_state(data_directory)
        if cluster is None or cluster.kind is not ClusterKind.EMBEDDED:
            return None
        return cls(data_directory=data_directory, cluster=cluster, watchdog=None)

    @property
    def ca_file(self) -> Path:
        """The authority that signed the API server's certificate and the clients'."""
        return self.data_directory / "certificates" / "kubernetes" / "ca.crt"

    @property
    def etcd_endpoint(self) -> tuple[str, Path, KeyPair]:
        """The URL of etcd, its authority, and the certificate that it accepts: for tests that look below the API."""
        arguments = self.supervisor.records["etcd"].spec.arguments
        prefix = "--listen-client-urls="
        url = next(argument.removeprefix(prefix) for argument in arguments if argument.startswith(prefix))
        directory = self.data_directory / "certificates" / "etcd"
        pair = KeyPair(directory / "etcd.crt", directory / "etcd.key")
        return url, directory / "ca.crt", pair

    @property
    def processes(self) -> Mapping[str, ProcessRecord]:
        """Its processes by name, such as `kube-apiserver`; `.pid` and `.is_running` tell the rest."""
        return self.supervisor.records

    def status(self) -> Mapping[str, bool]:
        """Return whether each process runs, by name."""
        return {name: record.is_running for name, record in self.supervisor.records.items()}

    def restart(self, name: str, *, wait: bool = True) -> ProcessRecord:
        """Start process `name` again, killing it first if it runs; with `wait` until the API server is ready."""
        record = self.supervisor.restart(name)
        if wait:
            self.wait_ready()
        return record

    def resume(self) -> None:
        """Start again whatever has ended, for example after a reboot, with the same data; wait until it is ready."""
        for name, running in self.status().items():
            if not running:
                self.supervisor.restart(name)
        self.wait_ready()

    def wait_ready(self, *, timeout: float = 60.0) -> None:
        """Wait until the API server is ready. Raises StartError if it ends or `timeout` seconds pass."""
        with contextlib.closing(_admin_api(self.data_directory, self.server)) as admin:
            _await(admin.is_ready, "the API server to be ready", timeout=timeout, supervisor=self.supervisor)

    @override
    def load_image(self, archive: Path) -> tuple[str, ...]:
        """Put the images in `archive` on all real nodes and return their names. Raises DevClusterError."""
        if self.nodes is not NodeKind.REAL:
            raise DevClusterError(
                f"The cluster in {self.data_directory} has no real nodes: pods are simulated and need no image.",
                remedy="Start one with real nodes (`--nodes real`) to run containers.",
            )
        from podwright.devcluster.real_node import images, node

        names = images.names_in(archive)
        node.import_image(self.data_directory, archive)
        return names

    @override
    def stop(self) -> None:
        """End the cluster and remove its data."""
        try:
            down(self.data_directory)
        finally:
            if self._watchdog is not None:
                self._watchdog.release()


class _Starter:
    """One start, step by step."""

    def __init__(self, spec: ClusterSpec, *, directory: Path, programs: Mapping[str, Path], reporter: Reporter) -> None:
        self._spec = spec
        self._directory = directory
        self._programs = programs
        self._reporter = reporter
        self._deadline = time.monotonic() + spec.start_timeout
        self._cluster_id = secrets.token_hex(8)
        self._supervisor = Supervisor(data_directory=directory, cluster_id=self._cluster_id)

    def run(self) -> state.ClusterState:
        real = self._spec.nodes is NodeKind.REAL
        with self._step("starting the control plane", position=1, total=2 if real else 1):
            cluster = self._run_control_plane()
        if real:
            from podwright.devcluster.real_node import node

            with self._step("starting the node", position=2, total=2):
                node.start(data_directory=self._directory, supervisor=self._supervisor, programs=self._programs)
        return cluster

    @contextlib.contextmanager
    def _step(self, step: str, *, position: int, total: int) -> Iterator[None]:
        began = time.monotonic()
        self._reporter.step_started(step, position=position, total=total)
        yield
        self._reporter.step_finished(step, elapsed=time.monotonic() - began)

    def _run_control_plane(self) -> state.ClusterState:
        with ports.free_ports(3) as (api_port, etcd_port, etcd_peer_port):
            cluster = self._record(server=f"https://127.0.0.1:{api_port}")
            layout = self._write_files(api_port=api_port, etcd_port=etcd_port, etcd_peer_port=etcd_peer_port)
            self._start_control_plane(layout)
        return cluster

    def _record(self, *, server: str) -> state.ClusterState:
        cluster = state.ClusterState(
            cluster_id=self._cluster_id,
            kind=ClusterKind.EMBEDDED,
            nodes=self._spec.nodes,
            fake_nodes=self._spec.fake_nodes,
            owned=self._spec.owned,
            server=server,
            kubernetes_version=components.module_of("kube-apiserver").version,
            programs={name: str(path) for name, path in self._programs.items()},
        )
        state.write_state(self._directory, cluster)
        return cluster

    def _write_files(self, *, api_port: int, etcd_port: int, etcd_peer_port: int) -> control_plane.ControlPlaneLayout:
        # Not at the top: whoever only looks for a cluster or removes one needs no certificates.
        from podwright.devcluster import certificates

        directory = self._directory / "certificates"
        configuration = self._directory / "configuration"
        configuration.mkdir(exist_ok=True)
        authority = certificates.CertificateAuthority.create(directory / "kubernetes", name="podwright-kubernetes")
        etcd_authority = certificates.CertificateAuthority.create(directory / "etcd", name="podwright-etcd")
        endpoint = kubeconfig.Endpoint(f"https://127.0.0.1:{api_port}", authority.certificate_file.read_bytes())

        def client(name: str, user: str, groups: tuple[str, ...] = ()) -> Path:
            pair = authority.issue_client(name, user=user, groups=groups)
            path = self._directory / state.KUBECONFIG_FILE if name == "admin" else configuration / f"{name}.kubeconfig"
            return kubeconfig.write_for_certificate(path, endpoint=endpoint, user=name, pair=pair)

        client("admin", "podwright:administrator", _ADMINISTRATORS)
        client("kwok", "podwright:kwok", _ADMINISTRATORS)
        scheduler_kubeconfig = client("kube-scheduler", "system:kube-scheduler")
        rate = self._spec.client_queries_per_second
        write_atomically(
            configuration / "kube-scheduler.yaml",
            control_plane.scheduler_configuration(kubeconfig=scheduler_kubeconfig, client_queries_per_second=rate),
        )
        write_atomically(configuration / "kwok.yaml", fake_nodes.kwok_configuration())
        return control_plane.ControlPlaneLayout(
            data_directory=self._directory,
            programs=self._programs,
            api_port=api_port,
            etcd_port=etcd_port,
            etcd_peer_port=etcd_peer_port,
            authority_file=authority.certificate_file,
            authority_key=authority.directory / "ca.key",
            etcd_authority_file=etcd_authority.certificate_file,
            etcd_pair=etcd_authority.issue_serving("etcd", names=("localhost",), addresses=("127.0.0.1",)),
            serving_pair=authority.issue_serving(
                "kube-apiserver",
                names=(
                    "localhost",
                    "kubernetes",
                    "kubernetes.default",
                    "kubernetes.default.svc",
                    "kubernetes.default.svc.cluster.local",
                ),
                addresses=("127.0.0.1", control_plane.SERVICE_ADDRESS),
            ),
            kubelet_client_pair=authority.issue_client(
                "kubelet-client", user="kube-apiserver-kubelet-client", groups=_ADMINISTRATORS
            ),
            service_account_pair=certificates.write_service_account_key(directory),
            controller_manager_kubeconfig=client("kube-controller-manager", "system:kube-controller-manager"),
            scheduler_configuration=configuration / "kube-scheduler.yaml",
            client_queries_per_second=rate,
            fsync=self._spec.fsync,
            extra_flags=self._spec.flags,
        )

    def _start_control_plane(self, layout: control_plane.ControlPlaneLayout) -> None:
        start = self._supervisor.start
        start(control_plane.etcd(layout))
        start(control_plane.api_server(layout))
        with contextlib.closing(_admin_api(self._directory, layout.server)) as admin:
            self._await(admin.is_ready, "the API server to be ready")
            start(control_plane.controller_manager(layout))
            start(control_plane.scheduler(layout))
            if self._spec.fake_nodes > 0:
                self._start_fake_nodes(admin)
            # Pods are refused until the controller manager has made it.
            self._await(lambda: _has_service_account(admin), "the default service account")

    def _start_fake_nodes(self, admin: api.AdminApi) -> None:
        configuration = self._directory / "configuration"
        fake_nodes.register(
            admin,
            count=self._spec.fake_nodes,
            capacity=self._spec.fake_node_capacity,
            kubelet_version=components.module_of("kubelet").version,
        )
        self._supervisor.start(
            fake_nodes.kwok(
                program=self._programs["kwok"],
                kubeconfig=configuration / "kwok.kubeconfig",
                configuration=configuration / "kwok.yaml",
            )
        )

    def _await(self, condition: Callable[[], bool], what: str) -> None:
        _await(condition, what, timeout=self._deadline - time.monotonic(), supervisor=self._supervisor)


def _wanted_programs(spec: ClusterSpec) -> tuple[str, ...]:
    wanted: tuple[str, ...] = components.CONTROL_PLANE
    if spec.fake_nodes > 0:
        wanted += components.FAKE_NODES
    if spec.nodes is NodeKind.REAL:
        wanted += components.REAL_NODES
    return wanted


def _admin_api(data_directory: Path, server: str) -> api.AdminApi:
    directory = data_directory / "certificates" / "kubernetes"
    pair = KeyPair(directory / "admin.crt", directory / "admin.key")
    return api.AdminApi(server=server, authority=directory / "ca.crt", pair=pair)


def _has_service_account(admin: api.AdminApi) -> bool:
    answer = admin.request("GET", "/api/v1/namespaces/default/serviceaccounts/default")
    return answer is not None and answer.status == 200


def _await(condition: Callable[[], bool], what: str, *, timeout: float, supervisor: Supervisor) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        for name in supervisor.records:
            supervisor.require_running(name)
        if time.monotonic() >= deadline:
            raise StartError(
                f"Waited {timeout:.0f} s for {what} in vain. The log of kube-apiserver ends:\n"
                + supervisor.log_tail("kube-apiserver"),
                remedy=f"The logs of all processes are in {supervisor.data_directory / 'logs'}.",
            )
        time.sleep(_POLL_SECONDS)
