"""The operator as a process on a real API server, with exactly its shipped rights: both ways to start it, and leadership."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.manifests import make_job
from tests.operators import OperatorProcess, operator_kubeconfig, started_operator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from podwright.devcluster import EmbeddedCluster
    from tests.cluster.api import Api

    Start = Callable[[str], AbstractContextManager[OperatorProcess]]

KOPF = (sys.executable, "-m", "kopf", "run", "--standalone", "--all-namespaces", "-m")


@pytest.fixture
def start(cluster: EmbeddedCluster, shard: str, tmp_path: Path) -> Start:
    """Start operators by name; nobody else leads meanwhile."""
    kubeconfig = operator_kubeconfig(cluster, tmp_path / "kubeconfig")
    return lambda name: started_operator(kubeconfig, tmp_path / f"{name}.log")


@pytest.fixture
def submit(api: Api, namespace: str) -> Callable[..., None]:
    """Submit a job whose pods play a script."""

    def submit(name: str, *, script: dict[str, str] | None = None, **spec: Any) -> None:
        job = make_job(namespace=namespace, name=name, **spec)
        metadata = job["spec"]["template"].setdefault("metadata", {})
        metadata["annotations"] = {f"fake.podwright.dev/{key}": value for key, value in (script or {}).items()}
        api.create(job).expect()

    return submit


def status_of(api: Api, namespace: str, name: str) -> dict[str, Any]:
    """Give the status of a job."""
    path = f"/apis/podwright.dev/v1alpha1/namespaces/{namespace}/batchjobs/{name}"
    status: dict[str, Any] = api.request("GET", path).expect()["status"]
    return status


def wait_until_over(api: Api, namespace: str, name: str, *, seconds: float = 30.0) -> dict[str, Any]:
    """Wait for the end of a job and give its status."""
    until = time.monotonic() + seconds
    while "finishTime" not in (status := status_of(api, namespace, name)):
        assert time.monotonic() < until, status
        time.sleep(0.05)
    return status


@pytest.fixture(params=["podwright operator run", "kopf run"])
def either(
    request: pytest.FixtureRequest, cluster: EmbeddedCluster, shard: str, tmp_path: Path
) -> Iterator[OperatorProcess]:
    """An operator, started in each of the two ways."""
    kubeconfig = operator_kubeconfig(cluster, tmp_path / "kubeconfig")
    log = tmp_path / "operator.log"
    if request.param == "kopf run":
        settings = {"PODWRIGHT_HTTP_PORT": "0", "PODWRIGHT_HTTP_HOST": "127.0.0.1"}
        command = (*KOPF, "podwright.adapters.kopf_operator")
        with started_operator(kubeconfig, log, command=command, environment=settings) as operator:
            yield operator
    else:
        with started_operator(kubeconfig, log) as operator:
            yield operator


def test_a_life_of_an_operator(
    either: OperatorProcess, api: Api, namespace: str, submit: Callable[..., None], shard: str
) -> None:
    either.wait_until_leading()
    submit("succeeds")
    submit("retried", script={"exit-codes": "1,0"}, retry={"limit": 1, "initial": "10ms", "max": "10ms"})
    submit("fails", script={"exit-code": "3"}, retry={"limit": 0})
    assert wait_until_over(api, namespace, "succeeds")["phase"] == "Succeeded"
    assert [a["exitCode"] for a in wait_until_over(api, namespace, "retried")["attempts"]] == [1, 0]
    assert wait_until_over(api, namespace, "fails")["phase"] == "Failed"
    assert either.fetch("/livez") == (200, "ok")
    assert either.fetch("/readyz") == (200, "ok")
    code, metrics = either.fetch("/metrics")
    assert code == 200
    assert 'podwright_jobs_finished_total{phase="Succeeded"} 2.0' in metrics
    assert either.stop() == 0
    lease = api.request("GET", f"/apis/coordination.k8s.io/v1/namespaces/podwright-system/leases/{shard}").expect()
    assert not lease["spec"].get("holderIdentity"), "the Lease was not given back"


def test_only_one_of_two_acts_and_the_other_takes_over_after_a_kill(
    start: Start, api: Api, namespace: str, submit: Callable[..., None]
) -> None:
    """I1 and the takeover time after SIGKILL at default settings: 15 s."""
    with start("first") as first, start("second") as second:
        while not (first.leads or second.leads):
            time.sleep(0.05)
        leader, standby = (first, second) if first.leads else (second, first)
        submit("before")
        wait_until_over(api, namespace, "before")
        assert not standby.leads
        submit("running", script={"duration": "5s"})
        leader.kill()
        killed = time.monotonic()
        submit("after")
        status = wait_until_over(api, namespace, "after")
        taken = time.monotonic() - killed
        assert status["attemptCount"] == 1
        assert standby.leads
        assert taken < 15.0, f"takeover took {taken:.1f} s"
        assert wait_until_over(api, namespace, "running")["attemptCount"] == 1


def test_a_leader_that_leaves_is_followed_within_three_seconds(
    start: Start, api: Api, namespace: str, submit: Callable[..., None]
) -> None:
    with start("first") as first:
        first.wait_until_leading()
        with start("second") as second:
            second.wait_for("probes and metrics")
            time.sleep(2.0)  # its caches are filled and it stands by
            first.process.send_signal(signal.SIGTERM)
            left = time.monotonic()
            submit("after")
            wait_until_over(api, namespace, "after")
            assert time.monotonic() - left < 3.0
            assert first.process.wait(timeout=10) == 0


def test_an_operator_that_loses_its_lease_ends(start: Start, api: Api, shard: str) -> None:
    with start("only") as operator:
        operator.wait_until_leading()
        api.patch("Lease", "podwright-system", shard, {"spec": {"holderIdentity": "somebody else"}}).expect()
        assert operator.process.wait(timeout=15) == 1
        assert "was lost" in operator.output


def test_an_operator_whose_cluster_has_no_fence_does_not_lead(
    cluster: EmbeddedCluster, shard: str, tmp_path: Path
) -> None:
    """The policies bind the service account; as anybody else an operator is not fenced."""
    with started_operator(cluster.kubeconfig, tmp_path / "operator.log") as operator:
        assert operator.process.wait(timeout=60) == 1
        assert "does not fence out former leaders" in operator.output
        assert "--no-fence" in operator.output


def test_without_a_cluster_it_says_what_is_missing(tmp_path: Path) -> None:
    environment = {key: "" for key in os.environ if key.startswith("KUBE")}
    with started_operator(tmp_path / "none", tmp_path / "operator.log", environment=environment) as operator:
        assert operator.process.wait(timeout=20) == 1
        assert "kubeconfig" in operator.output
        assert "Traceback" not in operator.output
