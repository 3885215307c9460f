"""When an array is ended as a whole for what its pods do to nodes, or for failing alike on all of them."""

from typing import Any

import msgspec
import pytest

from podwright.core.attempt.verdict import Verdict
from podwright.core.commands import CreateChild, Delete, WriteStatus
from podwright.core.job import decide as job_policy
from podwright.core.job.array.ends import UnitEnd
from podwright.core.job.array.suspicion import suspicion, with_nodes
from podwright.core.model.array import ArrayRecord, FailureOnNode, RetryGroup
from podwright.core.model.attempt import Attempt, Budget, Outcome
from podwright.core.model.job import JobStatus, JobView
from podwright.core.model.phase import Phase
from podwright.core.model.pod import PodView
from podwright.core.spec import DeliveryMode, FailureAction, FailurePolicy, RetryPolicy
from podwright.core.values.index_set import IndexSet
from tests.support.builders import CREATED, finished, running, with_status
from tests.unit.core.job.array.builders import array_job, make_array, snapshot_of, unit_pod

NOW = CREATED + 100
ALIKE = FailurePolicy(same_failure_nodes=2)


def lost(node: str, *, unit: int = 0, **changes: Any) -> UnitEnd:
    """Build the end of an attempt that went with its node."""
    return failed(node, unit=unit, budget=Budget.PLATFORM, reason="DeletionByTaintManager", lost_node=True, **changes)


def failed(
    node: str,
    *,
    unit: int = 0,
    code: int | None = None,
    budget: Budget | None = Budget.USER,
    reason: str = "Error",
    reported: bool = False,
    **verdict: Any,
) -> UnitEnd:
    """Build the end of an attempt that failed on a node."""
    attempt = Attempt(
        index=unit,
        number=0,
        pod_name="p",
        node=node,
        outcome=Outcome.FAILED,
        budget=budget,
        exit_code=code,
        reason=reason,
    )
    return UnitEnd(unit=unit, verdict=Verdict(attempt=attempt, **verdict), reported=reported)


def on(*nodes: str, code: int | None = 1, reason: str = "Error") -> tuple[FailureOnNode, ...]:
    return tuple(FailureOnNode(node=node, reason=reason, exit_code=code) for node in nodes)


@pytest.mark.parametrize(
    ("ends", "nodes"),
    [
        ([lost("a"), lost("b", unit=1)], "a b"),
        ([lost("a"), lost("a", unit=1), lost("a", unit=2)], "a"),
        ([lost("")], ""),
        ([failed("a", code=137)], ""),
        ([failed("a", budget=Budget.PLATFORM, reason="PreemptionByScheduler")], ""),
        ([lost("a", action=FailureAction.IGNORE)], ""),
        ([lost(f"n{number}") for number in range(12)], " ".join(f"n{number}" for number in range(2, 12))),
    ],
)
def test_each_lost_node_is_remembered_once(ends: list[UnitEnd], nodes: str) -> None:
    record = with_nodes(job=array_job(make_array()), record=ArrayRecord(), ends=ends)
    assert " ".join(record.lost_nodes) == nodes
    again = with_nodes(job=array_job(make_array()), record=record, ends=ends)
    assert set(again.lost_nodes) == set(record.lost_nodes) or len(ends) > 10


@pytest.mark.parametrize(
    ("end", "kept"),
    [
        (failed("a", code=1), on("a")),
        (failed("a", reason="AttemptTimeout", budget=Budget.TIMEOUT), on("a", reason="AttemptTimeout", code=None)),
        (failed("a", reason="x" * 1000), on("a", reason="x" * 128, code=None)),
        (failed("", code=1), ()),
        (failed("a", code=1, reported=True), ()),  # its tasks failed, each in its own way
        (failed("a", code=1, budget=None, action=FailureAction.RETRY_FREE), ()),
        (failed("a", code=1, action=FailureAction.FAIL_TASK), ()),  # a rule says that it is the task
        (lost("a"), ()),
    ],
)
def test_which_failures_are_remembered(end: UnitEnd, kept: tuple[FailureOnNode, ...]) -> None:
    for policy, want in ((ALIKE, kept), (FailurePolicy(), ())):
        job = array_job(make_array(), failure_policy=policy)
        record = with_nodes(job=job, record=ArrayRecord(), ends=[end, end])
        assert record.node_failures == want


def test_nothing_is_remembered_of_an_array_that_does_well() -> None:
    before = ArrayRecord(succeeded=IndexSet.up_to(10), lost_nodes=("a",), node_failures=on("a"))
    record = with_nodes(job=array_job(make_array(99), failure_policy=ALIKE), record=before, ends=[lost("b")])
    assert record == ArrayRecord(succeeded=IndexSet.up_to(10))


@pytest.mark.parametrize(
    ("record", "policy", "reason"),
    [
        (ArrayRecord(lost_nodes=("a", "b")), {}, None),
        (ArrayRecord(lost_nodes=("a", "b", "c")), {}, "Quarantined"),
        (ArrayRecord(lost_nodes=("a",)), {"quarantine_after": 1}, "Quarantined"),
        # More good news than bad: nodes are lost, as they are.
        (ArrayRecord(lost_nodes=("a", "b", "c"), succeeded=IndexSet.up_to(2)), {}, "Quarantined"),
        (ArrayRecord(lost_nodes=("a", "b", "c"), succeeded=IndexSet.up_to(3)), {}, None),
        # Whatever the others do: this one was lost again and again.
        (
            ArrayRecord(
                succeeded=IndexSet.up_to(50), retries=(RetryGroup(indexes=IndexSet.of([77]), attempts=3, lost_nodes=3),)
            ),
            {},
            "Quarantined",
        ),
        (ArrayRecord(retries=(RetryGroup(indexes=IndexSet.of([77]), attempts=9, lost_nodes=2),)), {}, None),
        (ArrayRecord(node_failures=on("a", "b")), {}, None),
        (ArrayRecord(node_failures=on("a", "b")), {"same_failure_nodes": 2}, "SameFailureOnNodes"),
        (ArrayRecord(node_failures=(*on("a"), *on("b", code=2))), {"same_failure_nodes": 2}, None),
        (ArrayRecord(node_failures=(*on("a"), *on("b", reason="OOMKilled"))), {"same_failure_nodes": 2}, None),
        (ArrayRecord(node_failures=on("a", "b"), succeeded=IndexSet.up_to(2)), {"same_failure_nodes": 2}, None),
    ],
)
def test_what_ends_the_array(record: ArrayRecord, policy: dict[str, Any], reason: str | None) -> None:
    job = array_job(make_array(100), failure_policy=FailurePolicy(**policy))
    found = suspicion(job=job, record=record)
    assert (None if found is None else str(found.stop)) == reason


# The whole of it: what is decided is on record before any pod is ended for it, and stays.


def gone_with(node: str, job: JobView, unit: int) -> PodView:
    """Build a pod that was lost with its node."""
    pod = finished(running(unit_pod(job, unit), at=NOW - 50), at=NOW, exit_code=137)
    return msgspec.structs.replace(pod, node=node, disruption="DeletionByPodGC", exit_code=None)


def looked(job: JobView, *pods: PodView, now: float = NOW) -> tuple[JobStatus | None, list[str], int]:
    """Return the status that is written, the pods that are ended, and how many are created."""
    commands = job_policy.decide(snapshot_of(job, *pods, now=now)).commands
    statuses = [command.status for command in commands if isinstance(command, WriteStatus)]
    ended = [command.name for command in commands if isinstance(command, Delete)]
    return (statuses[0] if statuses else None), ended, sum(isinstance(one, CreateChild) for one in commands)


@pytest.mark.parametrize(
    ("changes", "phase"),
    [
        ({}, Phase.DEAD_LETTERED),
        ({"dead_letter": False}, Phase.FAILED),
        ({"delivery": DeliveryMode.AT_MOST_ONCE}, Phase.FAILED),
    ],
)
def test_pods_of_three_tasks_that_took_their_nodes_down_are_the_last(changes: dict[str, Any], phase: Phase) -> None:
    job = array_job(make_array(6), **changes)
    pods = [gone_with(node, job, unit) for unit, node in enumerate("abc")]
    living = running(unit_pod(job, 3), at=NOW - 50)
    status, ended, created = looked(job, *pods, living)
    assert (ended, created) == ([], 0), "before it is on record"
    assert status is not None
    assert status.array is not None
    assert (status.phase, status.reason, status.array.lost_nodes) == (Phase.STOPPING, "Quarantined", ("a", "b", "c"))
    assert status.message == (
        "pods were lost with 3 nodes (a, b, c), and no task has succeeded: the job may be what ends them"
    )
    stopping = msgspec.structs.replace(job, status=status)
    assert looked(stopping, living)[1:] == ([living.name], 0)
    # Even if what still ran succeeded after all.
    record = msgspec.structs.replace(status.array, succeeded=IndexSet.parse("3-5"))
    last, _, created = looked(with_status(stopping, array=record))
    assert created == 0
    assert last is not None
    assert (last.phase, last.reason, last.message) == (phase, "Quarantined", status.message)


def test_a_success_of_the_whole_wins() -> None:
    job = with_status(array_job(make_array(3)), phase=Phase.STOPPING, reason="Quarantined", message="m")
    status, _, _ = looked(with_status(job, array=ArrayRecord(succeeded=IndexSet.up_to(3), lost_nodes=tuple("abc"))))
    assert status is not None
    assert status.phase is Phase.SUCCEEDED


def test_a_task_that_fails_in_the_same_way_on_nodes_is_given_up_and_the_others_go_on() -> None:
    job = array_job(make_array(6), failure_policy=ALIKE, retry=RetryPolicy(limit=9))
    history = RetryGroup(indexes=IndexSet.of([4]), attempts=1, failed=1)
    known = Attempt(
        index=4,
        number=0,
        pod_name="p",
        node="a",
        outcome=Outcome.FAILED,
        budget=Budget.USER,
        exit_code=3,
        reason="Error",
    )
    record = ArrayRecord(succeeded=IndexSet.up_to(4), retries=(history,), node_failures=on("a", code=3))
    job = with_status(job, phase=Phase.RUNNING, array=record, attempts=(known,))
    for node, over in (("b", "4"), ("a", "")):
        pod = finished(unit_pod(job, 4, attempt=1), at=NOW, exit_code=3)
        status, _, _ = looked(job, msgspec.structs.replace(pod, node=node))
        assert status is not None
        assert status.array is not None
        assert status.phase in (Phase.RUNNING, Phase.RETRYING)
        assert str(status.array.failed) == over
