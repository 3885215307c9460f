"""Who pays for a failure."""

from typing import Any

import pytest

from podwright.core.attempt.budget import budget_of, lost_with_node
from podwright.core.model.attempt import Budget
from podwright.core.model.pod import FailedContainer, PodPhase
from podwright.core.spec import RetryPolicy
from tests.support.builders import finished, make_job, make_pod, running

POD = running(make_pod(make_job()), at=100.0)
UNKNOWN = FailedContainer("main", None, "", "ContainerStatusUnknown")
KILLED = FailedContainer("main", 137, "SIGKILL", "Error")
TURNED_AWAY: dict[str, Any] = {"phase": PodPhase.FAILED, "node": "node-1"}


@pytest.mark.parametrize(
    ("reason", "pod", "want"),
    [
        ("Error", {"exit_code": 1}, Budget.USER),
        ("OOMKilled", {"exit_code": 137}, Budget.USER),
        ("NameCollision", {}, Budget.USER),
        ("ErrImagePull", {}, Budget.USER),
        ("AttemptTimeout", {}, Budget.USER),
        ("TerminationByKubelet", {"disruption": "TerminationByKubelet", "exit_code": 137}, Budget.PLATFORM),
        ("PreemptionByScheduler", {"disruption": "PreemptionByScheduler", "exit_code": 143}, Budget.PLATFORM),
        ("Evicted", {"exit_code": 137}, Budget.USER),
        ("DeletedWhileRunning", {"exit_code": 143}, Budget.PLATFORM),
        ("DeletedBeforeStart", {}, Budget.PLATFORM),
        ("PodLost", {}, Budget.PLATFORM),
        ("OutOfcpu", TURNED_AWAY, Budget.PLATFORM),
        ("OutOfcpu", {"exit_code": 1}, Budget.USER),
        ("NodeAffinity", TURNED_AWAY, Budget.PLATFORM),
        *[
            pytest.param(reason, TURNED_AWAY, Budget.PLATFORM, id=f"B12 {reason}")
            for reason in (
                "NodePorts",
                "TopologyAffinityError",
                "TaintToleration",
                "NodeName",
                "SMTAlignmentError",
                "PodOSNotSupported",
                "InvalidNodeInfo",
                "AppArmor",
                "UnexpectedAdmissionError",
            )
        ],
        pytest.param("NodePorts", {**TURNED_AWAY, "exit_code": 1}, Budget.USER, id="B12 a program ran"),
        pytest.param("Evicted", TURNED_AWAY, Budget.USER, id="B12 evicted before it ran may be its own fault"),
        pytest.param(
            "ErrImagePull", {"phase": PodPhase.FAILED}, Budget.USER, id="B12 why it was ended by us is no refusal"
        ),
        pytest.param("Unknown", {"reason": "Unknown"}, Budget.PLATFORM, id="K3 a reboot"),
        pytest.param("Unknown", {"reason": "Unknown", "exit_code": 255}, Budget.USER, id="K3 a program's own 255"),
        ("OutOfMoney", {"exit_code": 1}, Budget.USER),
    ],
)
def test_budget(reason: str, pod: dict[str, Any], want: Budget) -> None:
    seen = make_pod(make_job(), **({**pod, "reason": reason} if pod is TURNED_AWAY else pod))
    assert budget_of(reason=reason, pod=seen, policy=RetryPolicy()) is want


@pytest.mark.parametrize("reason", ["AttemptTimeout", "StartTimeout", "ProgressTimeout"])
def test_timeouts_have_a_budget_if_they_have_a_limit(reason: str) -> None:
    assert budget_of(reason=reason, pod=None, policy=RetryPolicy()) is Budget.USER
    assert budget_of(reason=reason, pod=None, policy=RetryPolicy(timeout_limit=0)) is Budget.TIMEOUT


@pytest.mark.parametrize(
    ("pod", "want"),
    [
        ({"disruption": "DeletionByPodGC"}, True),
        ({"disruption": "DeletionByTaintManager", "exit_code": 137, "failed": (UNKNOWN,)}, True),
        ({"disruption": "DeletionByTaintManager", "exit_code": 137, "failed": (KILLED,)}, False),
        ({"disruption": "EvictionByEvictionAPI"}, False),
        ({"reason": "NodeLost"}, True),
        ({}, False),
    ],
    ids=[
        "collected with its node",
        "its node came back without it",
        "moved off a node that lives",
        "evicted",
        "node lost",
        "just failed",
    ],
)
def test_what_counts_as_lost_with_its_node(pod: dict[str, Any], want: bool) -> None:
    seen = make_pod(make_job(), **{"phase": PodPhase.FAILED, "node": "node-1", **pod})
    assert lost_with_node(seen) is want


def test_a_pod_that_reported_its_end_was_not_lost() -> None:
    assert not lost_with_node(finished(POD, at=110.0, exit_code=1, failed=(KILLED,), reason="NodeLost"))
