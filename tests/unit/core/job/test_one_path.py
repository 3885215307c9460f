"""A job of one task and an array of one task are the same job: whatever happens to their pods, they come to the same end."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podwright.core.attempt.rulings import MOST_WORK, Rulings
from podwright.core.attempt.signals import signal_name
from podwright.core.commands import Confirm, CreateChild, Delete, Release, WriteStatus
from podwright.core.job.decide import decide
from podwright.core.job.gates.dependency import Dependencies
from podwright.core.job.snapshot import Snapshot
from podwright.core.model.job import JobView, KeyClaim
from podwright.core.model.phase import Phase
from podwright.core.model.pod import FailedContainer, PodPhase, PodView
from podwright.core.model.units import units_of
from podwright.core.spec import (
    DeliveryMode,
    Dependency,
    FailureAction,
    FailurePolicy,
    FailureRule,
    RetryPolicy,
)
from podwright.core.values.index_set import IndexSet
from tests.support.builders import CREATED, finished, make_job, make_pod, running, with_status
from tests.unit.core.job.array.builders import make_array, unit_pod

ENDS = st.sampled_from(["succeeds", "fails", "exits 75", "is killed", "is evicted", "is lost", "never starts"])


class OnePod:
    """A cluster in which the pods of one job end as they are told to, and an operator that sees everything at once."""

    def __init__(self, job: JobView, ends: list[str]) -> None:
        self.job, self.ends, self.now, self.pods = job, list(ends), CREATED, dict[str, PodView]()
        self.starts = 0

    def play(self) -> JobView:
        """Decide until the job is over, and return it."""
        for _ in range(200):
            decision = decide(self._snapshot())
            for command in decision.commands:
                self._carry_out(command)
            if self.job.status.is_over:
                return self.job
            if not decision.commands and not self._next_event():
                assert decision.requeue_at is not None, "the job hangs"
                self.now = max(self.now, decision.requeue_at)
        raise AssertionError("the job never ends")

    def _snapshot(self) -> Snapshot:
        return Snapshot(
            job=self.job,
            pods=tuple(self.pods.values()),
            now=self.now,
            units=units_of(self.job.status.array),
            intended=frozenset() if self.pods else frozenset({0}),  # intents are its own: nobody dies here
        )

    def _carry_out(self, command: Any) -> None:
        match command:
            case WriteStatus():
                self.job = msgspec.structs.replace(self.job, status=command.status)
                self.now += 1
            case CreateChild():
                attempt = command.spec.attempt
                changes: dict[str, Any] = {"uid": f"uid-{attempt}", "created": self.now}
                built = make_pod if self.job.array is None else lambda job, **rest: unit_pod(job, 0, **rest)
                self.pods = {command.name: built(self.job, attempt=attempt, **changes)}
            case Release():
                self._replace(command.name, held=False)
            case Delete():
                pod = self.pods[command.name]
                dead = finished(pod, at=self.now, exit_code=143) if pod.node else pod
                self.pods[command.name] = msgspec.structs.replace(dead, deletion_requested=self.now)
            case Confirm():
                raise AssertionError("every pod is seen at once")

    def _replace(self, name: str, **changes: Any) -> None:
        self.pods[name] = msgspec.structs.replace(self.pods[name], **changes)

    def _next_event(self) -> bool:
        """Let the only pod that has not ended come to its end."""
        pod = next((pod for pod in self.pods.values() if not pod.finished), None)
        if pod is None:
            return False
        end = self.ends.pop(0) if self.ends else "succeeds"
        self.starts += 1
        node = f"node-{self.starts}"
        live = msgspec.structs.replace(running(pod, at=self.now), node=node)
        self.now += 5
        if end == "never starts":
            self._replace(pod.name, node=node, waiting_reason="ErrImagePull", waiting_message="no such image")
            self.now += 60
            return True
        self.pods[pod.name] = msgspec.structs.replace(
            self._ended(live, end), node=node, resource_version=self.starts + 9
        )
        return True

    def _ended(self, pod: PodView, end: str) -> PodView:
        if end == "succeeds":
            return finished(pod, at=self.now)
        if end == "is lost":
            return msgspec.structs.replace(pod, phase=PodPhase.FAILED, disruption="DeletionByPodGC", ended=self.now)
        code = {"fails": 1, "exits 75": 75, "is killed": 137, "is evicted": 143}[end]
        failed = (FailedContainer("main", code, signal_name(signal=None, exit_code=code), "Error"),)
        disruption = "EvictionByEvictionAPI" if end == "is evicted" else ""
        deleted = self.now - 1 if disruption else None
        return finished(
            pod, at=self.now, exit_code=code, failed=failed, disruption=disruption, deletion_requested=deleted
        )


RULES = st.builds(
    lambda action, matcher: FailureRule(action=action, **matcher),
    st.sampled_from(FailureAction),
    st.sampled_from(
        [
            {"exit_codes": frozenset({75})},
            {"signals": frozenset({"SIGKILL"})},
            {"reasons": frozenset({"DeletionByPodGC"})},
            {"waiting_reasons": frozenset({"ErrImagePull"})},
        ]
    ),
)


@given(
    ends=st.lists(ENDS, max_size=8),
    retry=st.builds(
        RetryPolicy,
        limit=st.integers(0, 2),
        platform_limit=st.integers(0, 2),
        timeout_limit=st.sampled_from([None, 0, 1]),
    ),
    policy=st.builds(
        FailurePolicy,
        rules=st.lists(RULES, max_size=2).map(tuple),
        quarantine_after=st.sampled_from([2, 3]),
        same_failure_nodes=st.sampled_from([None, 2]),
    ),
    delivery=st.sampled_from(DeliveryMode),
    dead_letter=st.booleans(),
)
@settings(max_examples=400, deadline=None)
def test_a_single_job_and_an_array_of_one_come_to_the_same_end(ends: list[str], **spec: Any) -> None:
    retry, policy = spec.pop("retry"), spec.pop("policy")
    job = make_job(retry=retry, failure_policy=policy, start_timeout=30.0, **spec)
    single = OnePod(job, ends).play().status
    array = OnePod(msgspec.structs.replace(job, array=make_array(1)), ends).play().status
    assert array.phase is single.phase, (single.reason, array.reason)
    assert array.attempt_count == single.attempt_count
    for count in ("failed_count", "platform_failed_count", "timeout_count", "out_of_memory_count", "lost_node_count"):
        assert getattr(array, count) == getattr(single, count), count
    told = [(a.number, a.reason, a.outcome, a.budget) for a in single.attempts if a.outcome != "Succeeded"]
    assert [(a.number, a.reason, a.outcome, a.budget) for a in array.attempts] == told
    if single.phase is Phase.DEAD_LETTERED and single.reason in ("Quarantined", "SameFailureOnNodes"):
        assert array.reason == single.reason


# The order of things is one.


def test_d13_an_array_that_is_being_deleted_claims_no_key() -> None:
    job = make_job(array=make_array(3), idempotency_key="k", deleting=True)
    assert decide(Snapshot(job=job, pods=(), now=CREATED)).commands == ()
    other = KeyClaim(holder_uid="other", holder_name="other")
    assert decide(Snapshot(job=job, pods=(), now=CREATED, claim=other)).commands == ()


def test_gates_are_asked_of_arrays_as_of_single_jobs() -> None:
    for array in (None, make_array(1)):
        job = make_job(array=array, dependencies=(Dependency(name="first"),), start_at=CREATED + 50)
        decision = decide(Snapshot(job=job, pods=(), now=CREATED + 9, dependencies=Dependencies()))
        (write,) = decision.commands
        assert isinstance(write, WriteStatus)
        assert (write.status.phase, write.status.reason) == (Phase.PENDING, "Delayed")


# What a tenant writes is matched once.

HEAVY = FailureRule(action=FailureAction.FAIL_TASK, message="(?:[ab]{0,40}){0,20}c")


@pytest.mark.parametrize("restarts", [False, True], ids=["S5 one leader", "L3 another leader for every decision"])
def test_s5_one_decision_matches_no_more_than_its_share_and_nothing_twice(restarts: bool) -> None:
    array = make_array(12, parallelism=12)
    job = make_job(array=array, failure_policy=FailurePolicy(rules=(HEAVY,)), retry=RetryPolicy(limit=0))
    job = with_status(job, phase=Phase.RUNNING)
    text = "ab" * 2048
    pods = [finished(unit_pod(job, unit), at=CREATED, exit_code=1, message=text) for unit in range(12)]
    memory, recorded = Rulings[Any](), IndexSet()
    for now in range(60):
        memory = Rulings[Any]() if restarts else memory
        snapshot = Snapshot(
            job=job,
            pods=tuple(pods),
            now=CREATED + 10 + 2 * now,
            units=units_of(job.status.array),
            recorded_at=CREATED,
            memory=memory,
        )
        decision = decide(snapshot)
        assert memory.work <= MOST_WORK + 4_000_000
        for command in decision.commands:
            if isinstance(command, WriteStatus):
                job = msgspec.structs.replace(job, status=command.status)
        assert job.status.array is None or not recorded - job.status.array.failed
        recorded = IndexSet() if job.status.array is None else job.status.array.failed
        if job.status.is_over:
            break
        assert decision.requeue_at is not None
    assert (job.status.phase, len(recorded)) == (Phase.FAILED, 12)
