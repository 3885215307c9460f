"""The operator as a process on a real API server, with exactly its shipped rights: both ways to start it, and leadership."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.operators import OperatorProcess, operator_kubeconfig, started_operator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from podwright.devcluster import EmbeddedCluster
    from tests.cluster.api import Api
    from tests.cluster.jobs import Jobs
    from tests.cluster.operated.conftest import Start

KOPF = (sys.executable, "-m", "kopf", "run", "--standalone", "--all-namespaces", "-m")


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


def test_a_life_of_an_operator(either: OperatorProcess, api: Api, jobs: Jobs, shard: str) -> None:
    either.wait_until_leading()
    jobs.submit("succeeds")
    jobs.submit("retried", script={"exit-codes": "1,0"}, retry={"limit": 1, "initial": "10ms", "max": "10ms"})
    jobs.submit("fails", script={"exit-code": "3"}, retry={"limit": 0})
    assert jobs.wait_until_over("succeeds")["phase"] == "Succeeded"
    assert [a["exitCode"] for a in jobs.wait_until_over("retried")["attempts"]] == [1, 0]
    assert jobs.wait_until_over("fails")["phase"] == "Failed"
    assert either.fetch("/livez") == (200, "ok")
    assert either.fetch("/readyz") == (200, "ok")
    code, metrics = either.fetch("/metrics")
    assert code == 200
    assert 'podwright_jobs_finished_total{phase="Succeeded"} 2.0' in metrics
    assert either.stop() == 0
    lease = api.get("Lease", "podwright-system", shard).expect()
    assert not lease["spec"].get("holderIdentity"), "the Lease was not given back"


@pytest.mark.parametrize(
    ("plural", "body"),
    [
        pytest.param(
            "resourcequotas", {"kind": "ResourceQuota", "spec": {"hard": {"limits.cpu": "100"}}}, id="S7 quota"
        ),
        pytest.param(
            "limitranges",
            {
                "kind": "LimitRange",
                "spec": {
                    "limits": [
                        {
                            "type": "Pod",
                            "min": {"cpu": "10m"},
                            "max": {"cpu": "8", "memory": "8Gi"},
                            "maxLimitRequestRatio": {"memory": "2"},
                        }
                    ]
                },
            },
            id="S7 limit range",
        ),
    ],
)
def test_what_demands_resources_keeps_no_operator_from_leading(
    start: Start, api: Api, plural: str, body: dict[str, Any]
) -> None:
    """The pods of its dry runs name none at first; the API server asks LimitRanges before its policies, and quotas after them."""
    path = f"/api/v1/namespaces/podwright-system/{plural}"
    api.request("POST", path, {"apiVersion": "v1", "metadata": {"name": "limits"}, **body}).expect()
    try:
        while plural == "resourcequotas" and "hard" not in api.request("GET", f"{path}/limits").expect().get(
            "status", {}
        ):
            time.sleep(0.05)
        with start("limited") as operator:
            operator.wait_until_leading()
    finally:
        api.request("DELETE", f"{path}/limits").expect()


def test_only_one_of_two_acts_and_the_other_takes_over_after_a_kill(start: Start, jobs: Jobs) -> None:
    """I1 and the takeover time after SIGKILL at default settings: 15 s."""
    with start("first") as first, start("second") as second:
        while not (first.has_led() or second.has_led()):
            time.sleep(0.05)
        leader, standby = (first, second) if first.has_led() else (second, first)
        jobs.submit("before")
        jobs.wait_until_over("before")
        assert not standby.has_led()
        jobs.submit("running", script={"duration": "5s"})
        leader.kill()
        killed = time.monotonic()
        jobs.submit("after")
        status = jobs.wait_until_over("after")
        taken = time.monotonic() - killed
        assert status["attemptCount"] == 1
        assert standby.has_led()
        assert taken < 15.0, f"takeover took {taken:.1f} s"
        assert jobs.wait_until_over("running")["attemptCount"] == 1


def test_a_leader_that_leaves_is_followed_within_three_seconds(start: Start, jobs: Jobs) -> None:
    with start("first") as first:
        first.wait_until_leading()
        with start("second") as second:
            second.wait_for("probes and metrics")
            time.sleep(2.0)  # its caches are filled and it stands by
            first.process.send_signal(signal.SIGTERM)
            left = time.monotonic()
            jobs.submit("after")
            jobs.wait_until_over("after")
            assert time.monotonic() - left < 3.0
            assert first.process.wait(timeout=10) == 0


def test_an_operator_that_loses_its_lease_ends(start: Start, api: Api, shard: str) -> None:
    with start("only") as operator:
        operator.wait_until_leading()
        api.patch("Lease", "podwright-system", shard, {"spec": {"holderIdentity": "somebody else"}}).expect()
        assert operator.process.wait(timeout=15) == 1
        assert "lost the Lease" in operator.output


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
