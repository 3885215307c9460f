"""One job under everything that can happen to it in any order, on a virtual clock.

The world is a tiny API server for one job: names are unique, status writes are compared and swapped, finalizers hold pods.
The operator sees pods through a cache that lags behind the kubelet and the user (never behind its own writes, as the store
guarantees), is killed between or after writes, and forgets all it held in memory. The invariants are those of the fault
battery: I1, I2, I4, I5, I7, I12, and that every job ends.
"""

import itertools
from collections import Counter

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from podwright.core.commands import (
    Command,
    ConfirmPod,
    CreatePod,
    Decision,
    DeleteJob,
    DeletePod,
    ReleasePod,
    WriteStatus,
)
from podwright.core.job.at_most_once import recorded_intent
from podwright.core.job.decide import decide_job
from podwright.core.job.phase import Phase, require_transition
from podwright.core.job.signals import signal_name
from podwright.core.spec import CancelMode, DeliveryMode, FailureAction, FailurePolicy, FailureRule, RetryPolicy
from podwright.core.view import Attempt, Budget, FailedContainer, JobStatus, JobView, Outcome, PodPhase, PodView
from tests.builders import CREATED, finished, make_job, make_pod, running

CODES = st.sampled_from([0, 0, 1, 75, 137])
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


class OneJob(RuleBasedStateMachine):
    """The job, its pods, the clock, and an operator that may die at any write."""

    def __init__(self) -> None:
        super().__init__()
        self.now = CREATED
        self.versions = itertools.count(10)
        self.uids = itertools.count()
        self.job: JobView = make_job()
        self.pods: dict[str, PodView] = {}
        self.cache: dict[str, PodView] = {}
        self.starts: dict[int, int] = {}
        self.failures: set[str] = set()
        self.own_intent = False

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

    @rule(code=CODES, data=st.data())
    @precondition(lambda self: any(not pod.finished for pod in self.pods.values()))
    def kubelet(self, code: int, data: st.DataObject) -> None:
        """A kubelet takes some pod one step further: to a start, or to an end."""
        pod = data.draw(st.sampled_from([pod for pod in self.pods.values() if not pod.finished]))
        if pod.phase is PodPhase.PENDING and pod.deletion_requested is None:
            self.starts[pod.attempt] = self.starts.get(pod.attempt, 0) + 1
            self._store(msgspec.structs.replace(running(pod, at=self.now), waiting_reason=""))
        else:
            self._store(_ended(pod, at=self.now, code=143 if pod.deletion_requested is not None else code))

    @rule(data=st.data())
    @precondition(lambda self: any(pod.phase is PodPhase.PENDING for pod in self.pods.values()))
    def image_cannot_be_pulled(self, data: st.DataObject) -> None:
        """A pod is bound to a node that can't start it, and the operator hears of it at once. Later it may start, or not."""
        pod = data.draw(st.sampled_from([pod for pod in self.pods.values() if pod.phase is PodPhase.PENDING]))
        if not pod.finished:
            self._store(msgspec.structs.replace(pod, node="node-1", waiting_reason="ErrImagePull"))
            self.operator_is_quick()

    @rule(data=st.data())
    @precondition(lambda self: any(pod.phase is PodPhase.RUNNING for pod in self.pods.values()))
    def node_goes(self, data: st.DataObject) -> None:
        """A node is gone with its pod, which garbage collection calls failed."""
        pod = data.draw(st.sampled_from([pod for pod in self.pods.values() if pod.phase is PodPhase.RUNNING]))
        self._store(msgspec.structs.replace(pod, phase=PodPhase.FAILED, disruption="DeletionByPodGC"))

    @rule(data=st.data())
    @precondition(lambda self: any(pod.node == "" and not pod.finished for pod in self.pods.values()))
    def scheduler(self, data: st.DataObject) -> None:
        """A pod gets a node, on which it waits for its image."""
        waiting = [pod for pod in self.pods.values() if pod.node == "" and not pod.finished]
        self._store(msgspec.structs.replace(data.draw(st.sampled_from(waiting)), node="node-1"))

    @rule(data=st.data())
    @precondition(lambda self: bool(self.pods))
    def somebody_deletes_a_pod(self, data: st.DataObject) -> None:
        """A user, an eviction or a drain deletes a pod; its finalizer holds it."""
        self._delete(data.draw(st.sampled_from(list(self.pods.values()))), grace=30)

    @rule()
    @precondition(lambda self: self._recorded_and_running() is not None)
    def somebody_strips_the_finalizer_and_forces_the_deletion(self) -> None:
        """A pod that status calls ongoing vanishes without a trace."""
        pod = self._recorded_and_running()
        assert pod is not None
        del self.pods[pod.name]
        self.failures.add(pod.uid)

    @rule(seconds=st.sampled_from([0.5, 3.0, 40.0, 400.0]))
    def time_passes(self, seconds: float) -> None:
        """The clock goes on."""
        self.now += seconds

    @rule()
    def watch_delivers(self) -> None:
        """The operator's cache catches up with the cluster."""
        for name, pod in list(self.cache.items()):
            if name not in self.pods and not pod.gone:
                self.cache[name] = msgspec.structs.replace(pod, gone=True)
        self.cache.update(self.pods)
        if self.job.status.phase is not None and self.job.status.phase.terminal:
            self.cache = {name: pod for name, pod in self.cache.items() if not pod.gone}

    # The user.

    @rule(suspend=st.booleans())
    def user_suspends_or_resumes(self, suspend: bool) -> None:
        """The user sets spec.suspend."""
        self._edit(suspend=suspend)

    @rule(mode=st.sampled_from(CancelMode), often=st.integers(0, 9))
    def user_cancels(self, mode: CancelMode, often: int) -> None:
        """The user sets spec.cancel, now and then; it cannot be unset."""
        if often == 0:
            self._edit(cancel=mode)

    # The operator.

    @rule(survives=st.integers(0, 3))
    def operator_looks(self, survives: int) -> None:
        """The operator decides, and carries out as many of the commands as it lives for."""
        decision = self._decide()
        assert decision.requeue_at is None or decision.requeue_at > self.now, "I12: a hot loop"
        for command in decision.commands[:survives]:
            self._carry_out(command)

    @rule()
    def operator_is_quick(self) -> None:
        """Nothing lags and nobody dies for a moment: without this few lives get as far as a second attempt."""
        self.watch_delivers()
        self.operator_looks(survives=3)

    @rule()
    def operator_is_killed(self) -> None:
        """A new process lists everything anew; what the former one held in memory is lost."""
        self.cache = dict(self.pods)
        self.own_intent = False

    # What must hold.

    @invariant()
    def every_attempt_starts_at_most_once(self) -> None:
        """I1."""
        assert all(count == 1 for count in self.starts.values()), self.starts

    @invariant()
    def at_most_one_pod_may_run(self) -> None:
        """I2."""
        assert sum(not pod.finished for pod in self.pods.values()) <= 1

    @invariant()
    def at_most_once_is_at_most_once(self) -> None:
        """Under AtMostOnce no second pod is ever started, whatever the first one was called and became of."""
        if self.job.delivery is DeliveryMode.AT_MOST_ONCE:
            assert sum(self.starts.values()) <= 1, self.starts

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
        assert podless <= (self.job.delivery is DeliveryMode.AT_MOST_ONCE)
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

    def teardown(self) -> None:
        """Let the faults stop: the job must end, let go of its pods, and then be left alone (I3, I7, I12)."""
        self._edit(suspend=False)
        for _ in range(200):
            self.watch_delivers()
            decision = self._decide()
            for command in decision.commands:
                self._carry_out(command)
            idle = not decision.commands and all(pod.finished for pod in self.pods.values())
            for pod in list(self.pods.values()):
                if not pod.finished:
                    starts = pod.phase is PodPhase.PENDING and pod.deletion_requested is None
                    if starts:
                        self.starts[pod.attempt] = self.starts.get(pod.attempt, 0) + 1
                    never_ran = pod.phase is PodPhase.PENDING and not starts
                    self._store(finished(pod, at=self.now, exit_code=137 if never_ran else 0))
            if idle and decision.requeue_at is None:
                break
            if idle and decision.requeue_at is not None:
                self.now = max(self.now, decision.requeue_at)
        phase = self.job.status.phase
        assert phase is not None, "the job never got a status"
        assert phase.terminal, f"the job hangs in {phase}"
        assert not any(pod.held for pod in self.pods.values())
        self.watch_delivers()
        assert self._decide().commands == ()
        self.every_attempt_starts_at_most_once()

    # The tiny API server.

    def _decide(self) -> Decision:
        return decide_job(
            job=self.job, pods=tuple(self.cache.values()), refusal=None, now=self.now, own_intent=self.own_intent
        )

    def _carry_out(self, command: Command) -> None:
        match command:
            case CreatePod():
                self.own_intent = False
                if command.pod_name not in self.pods:
                    pod = make_pod(self.job, attempt=command.attempt, uid=f"pod-{next(self.uids)}", created=self.now)
                    self._store(pod)
                self.cache[command.pod_name] = self.pods[command.pod_name]  # created, or adopted after a 409
            case WriteStatus():
                if command.resource_version == self.job.resource_version:
                    self._write(command)
            case DeletePod():
                for pod in self._very_pod(command.pod_name, command.pod_uid):
                    self._delete(pod, grace=command.grace or 30)
            case ReleasePod():
                for pod in self._very_pod(command.pod_name, command.pod_uid):
                    self._release(pod)
            case ConfirmPod():
                self._confirm(command)
            case DeleteJob():
                raise AssertionError("this job has no time to live")

    def _very_pod(self, name: str, uid: str) -> list[PodView]:
        return [pod for pod in self.pods.values() if pod.name == name and pod.uid == uid]

    def _write(self, command: WriteStatus) -> None:
        before = self.job.status
        require_transition(current=before.phase, target=command.status.phase)  # type: ignore[arg-type]  # never None here
        assert before.phase is None or not before.phase.terminal, "I4: a terminal status was written again"
        if recorded_intent(command.status) is not None and recorded_intent(before) is None:
            self.own_intent = True
        if before.attempts and before.attempts[-1].outcome is None and before.attempts[-1].reason:
            self._ends_as_recorded(before.attempts[-1], command.status)
        self.job = msgspec.structs.replace(self.job, status=command.status, resource_version=next(self.versions))

    def _ends_as_recorded(self, intent: Attempt, status: JobStatus) -> None:
        after = next((attempt for attempt in status.attempts if attempt.number == intent.number), None)
        pod = self.pods.get(intent.pod_name)
        # A stop takes over, and a pod may end by itself before it is deleted; else the recorded reason is the verdict's.
        ended_for_it = status.phase is not Phase.STOPPING and (pod is None or pod.deletion_requested is not None)
        if ended_for_it and after is not None and after.outcome is not Outcome.SUCCEEDED:
            assert after.reason == intent.reason

    def _confirm(self, command: ConfirmPod) -> None:
        if command.pod_name in self.pods:
            self.cache[command.pod_name] = self.pods[command.pod_name]
        else:
            self.cache[command.pod_name] = make_pod(
                self.job,
                attempt=self.job.status.attempts[-1].number,
                uid=command.pod_uid,
                gone=True,
                held=False,
                node="unknown",
            )

    def _recorded_and_running(self) -> PodView | None:
        for attempt in self.job.status.attempts:
            pod = self.pods.get(attempt.pod_name)
            if attempt.outcome is None and pod is not None and not pod.finished:
                return pod
        return None

    def _store(self, pod: PodView) -> None:
        if pod.finished and pod.phase is not PodPhase.SUCCEEDED:
            self.failures.add(pod.uid)
        self.pods[pod.name] = msgspec.structs.replace(pod, resource_version=next(self.versions))

    def _delete(self, pod: PodView, *, grace: float) -> None:
        if pod.deletion_requested is None:
            self._store(msgspec.structs.replace(pod, deletion_requested=self.now, deletion_grace=grace))
        self._collect(pod.name)

    def _release(self, pod: PodView) -> None:
        released = msgspec.structs.replace(pod, held=False)
        self._store(released)
        if pod.name in self.cache:
            self.cache[pod.name] = msgspec.structs.replace(self.cache[pod.name], held=False)
        self._collect(pod.name)

    def _collect(self, name: str) -> None:
        pod = self.pods[name]
        if pod.deletion_requested is not None and not pod.held and pod.finished:
            del self.pods[name]

    def _edit(self, **changes: object) -> None:
        if self.job.status.phase is not None and self.job.status.phase.terminal:
            return
        self.job = msgspec.structs.replace(self.job, resource_version=next(self.versions), **changes)


OneJob.TestCase.settings = settings(
    max_examples=800, stateful_step_count=50, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
test_one_job = OneJob.TestCase
