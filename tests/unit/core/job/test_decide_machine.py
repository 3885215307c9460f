"""One job under everything that can happen to it in any order, on a virtual clock: `tests.unit.core.faulty_world` has the world.

The invariants are those of the fault battery: I1, I2, I4, I5, I7, I12, and that every job ends.
"""

from collections import Counter
from typing import Any

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from podwright.core.attempt.signals import signal_name
from podwright.core.commands import CreateChild, Decision
from podwright.core.job.at_most_once import recorded_intent
from podwright.core.model.attempt import Budget, Outcome, RefusalKind
from podwright.core.model.job import JobStatus
from podwright.core.model.phase import Phase
from podwright.core.model.pod import FailedContainer, PodPhase, PodView
from podwright.core.spec import DeliveryMode, FailureAction, FailurePolicy, FailureRule, RetryPolicy
from tests.support.builders import decide_on, finished, make_job, make_pod
from tests.unit.core.faulty_world import FaultyWorld

RULES = st.builds(
    lambda action, matcher: FailureRule(action=action, **matcher),
    st.sampled_from(FailureAction),
    st.sampled_from(
        [
            {"exit_codes": frozenset({75})},
            {"waiting_reasons": frozenset({"ErrImagePull"})},
            {"waiting_reasons": frozenset({"ImagePullBackOff"})},
            {"reasons": frozenset({"DeletionByPodGC"})},
            {"signals": frozenset({"SIGKILL"})},
        ]
    ),
)


def _ended(pod: PodView, *, at: float, code: int) -> PodView:
    """Let the pod have ended, as its kubelet tells it."""
    failed = (FailedContainer("main", code, signal_name(signal=None, exit_code=code), "Error"),) if code else ()
    return finished(pod, at=at, exit_code=code, waiting_reason="", failed=failed)


class OneJob(FaultyWorld):
    """A job of one task. `failures` are the uids of pods that failed."""

    def __init__(self) -> None:
        super().__init__()
        self.failures: set[str] = set()
        self.collisions = 0

    @initialize(
        retry=st.builds(
            RetryPolicy,
            limit=st.integers(0, 3),
            platform_limit=st.integers(0, 2),
            timeout_limit=st.sampled_from([None, 0, 1]),
        ),
        rules=st.lists(RULES, max_size=2),
        total=st.sampled_from([None, 30.0, 300.0]),
        attempt=st.sampled_from([None, 20.0]),
        start=st.sampled_from([None, None, 5.0]),
        delivery=st.sampled_from(DeliveryMode),
    )
    def submit(
        self,
        retry: RetryPolicy,
        rules: list[FailureRule],
        total: float | None,
        attempt: float | None,
        start: float | None,
        delivery: DeliveryMode,
    ) -> None:
        """A user creates the job."""
        self.job = make_job(
            retry=retry,
            failure_policy=FailurePolicy(rules=tuple(rules), same_failure_nodes=3, quarantine_after=2),
            total_timeout=total,
            attempt_timeout=attempt,
            start_timeout=start,
            delivery=delivery,
        )

    # The cluster.

    @rule(data=st.data())
    @precondition(lambda self: any(pod.phase is PodPhase.RUNNING for pod in self.pods.values()))
    def node_goes(self, data: st.DataObject) -> None:
        """A node is gone with its pod, which garbage collection calls failed."""
        pod = data.draw(st.sampled_from([pod for pod in self.pods.values() if pod.phase is PodPhase.RUNNING]))
        self.store(msgspec.structs.replace(pod, phase=PodPhase.FAILED, disruption="DeletionByPodGC"))

    @rule()
    @precondition(lambda self: self._recorded_and_running() is not None)
    def somebody_strips_the_finalizer_and_forces_the_deletion(self) -> None:
        """A pod that status calls ongoing vanishes without a trace."""
        pod = self._recorded_and_running()
        assert pod is not None
        del self.pods[pod.name]
        self.failures.add(pod.uid)

    # What must hold.

    @invariant()
    def no_intent_waits_while_the_job_is_suspended(self) -> None:
        """A crash meanwhile would lose the job."""
        assert self.job.status.phase is not Phase.SUSPENDED or recorded_intent(self.job.status) is None

    @invariant()
    def failures_stay_within_the_limits(self) -> None:
        """I5."""
        status, retry = self.job.status, self.job.retry
        charged = {
            Budget.USER: (status.failed_count, retry.limit),
            Budget.PLATFORM: (status.platform_failed_count, retry.platform_limit),
            Budget.TIMEOUT: (status.timeout_count, retry.timeout_limit or 0),
        }
        ended = [attempt for attempt in status.attempts if attempt.outcome in (Outcome.FAILED, Outcome.LOST)]
        podless = sum(not attempt.pod_uid for attempt in ended)  # an intent whose pod nobody has seen
        assert podless <= (self.job.delivery is DeliveryMode.AT_MOST_ONCE) + self.collisions
        assert all(count <= limit + 1 for count, limit in charged.values()), charged
        assert sum(count for count, _ in charged.values()) <= len(self.failures) + podless
        assert retry.timeout_limit is not None or status.timeout_count == 0
        assert {attempt.pod_uid for attempt in ended if attempt.pod_uid} <= self.failures
        if status.attempts and status.attempts[0].number == 0:
            recorded = Counter(attempt.budget for attempt in ended)
            assert {budget: recorded[budget] for budget in charged} == {b: count for b, (count, _) in charged.items()}

    @invariant()
    def the_end_follows_from_the_counts(self) -> None:
        """A dead letter has used up something, and a job that has is over."""
        status, retry = self.job.status, self.job.retry
        limits = {
            "RetriesExhausted": status.failed_count - retry.limit,
            "PlatformRetriesExhausted": status.platform_failed_count - retry.platform_limit,
            "TimeoutRetriesExhausted": status.timeout_count - (retry.timeout_limit or 0),
            "Quarantined": status.lost_node_count - 1,
            "SameFailureOnNodes": 1,
        }
        if status.phase is Phase.DEAD_LETTERED:
            assert limits[status.reason] > 0
        elif status.phase is None or not status.phase.terminal:
            assert all(over <= 0 for reason, over in limits.items() if reason.endswith("Exhausted"))

    # Its part in the world.

    def decide(self) -> Decision:
        return decide_on(
            job=self.job,
            pods=tuple(self.cache.values()),
            refusal=self.refusal,
            now=self.now,
            own_intent=0 in self.intended,
        )

    def pod_of(self, unit: int, attempt: int, *, uid: str, **changes: Any) -> PodView:
        assert unit == 0
        return make_pod(self.job, attempt=attempt, uid=uid, **changes)

    def end(self, pod: PodView, *, code: int, draw: Any) -> None:
        self.store(_ended(pod, at=self.now, code=code))

    def end_in_the_end(self, pod: PodView, *, code: int) -> None:
        self.store(finished(pod, at=self.now, exit_code=code))

    def started(self, status: JobStatus) -> set[int]:
        return set() if recorded_intent(status) is None else {0}

    def was_refused(self, command: CreateChild) -> None:
        super().was_refused(command)
        self.collisions += self.refusal is not None and self.refusal.kind is RefusalKind.COLLISION

    def _recorded_and_running(self) -> PodView | None:
        for attempt in self.job.status.attempts:
            pod = self.pods.get(attempt.pod_name)
            if attempt.outcome is None and pod is not None and not pod.finished:
                return pod
        return None

    def store(self, pod: PodView) -> None:
        if pod.finished and pod.phase is not PodPhase.SUCCEEDED:
            self.failures.add(pod.uid)
        super().store(pod)


OneJob.TestCase.settings = settings(
    max_examples=800, stateful_step_count=50, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
test_one_job = OneJob.TestCase
