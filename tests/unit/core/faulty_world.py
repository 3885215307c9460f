"""The world in which decisions on single jobs and arrays are tested: all that can happen, in any order, on a virtual clock.

A tiny API server for one job: names are unique, status writes are compared and swapped, finalizers hold pods, and it may refuse
to create pods. The operator sees pods through a cache that lags behind the kubelet and the user (never behind its own writes, as the
store guarantees), is killed between or after writes, and forgets all it held in memory. What the job is, how its pods end and what
must hold for it is said by the machines that inherit from this; the invariants are those of the fault battery.
"""

import itertools
from collections import Counter
from typing import Any

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from podwright.core.attempt.ending import end_is_recorded, recorded_ending
from podwright.core.commands import Command, Confirm, CreateChild, Decision, Delete, Release, WriteStatus
from podwright.core.constants.names import parse_pod_name
from podwright.core.model.attempt import Outcome, Refusal, RefusalKind
from podwright.core.model.job import JobStatus, JobView
from podwright.core.model.phase import require_transition
from podwright.core.model.pod import PodPhase, PodView
from podwright.core.run.deadline import attempt_deadline, start_deadline
from podwright.core.run.stop import recorded_stop
from podwright.core.spec import CancelMode, DeliveryMode
from tests.support.builders import CREATED, make_job, running

CODES = st.sampled_from([0, 0, 1, 75, 137])
REFUSALS = st.sampled_from([*[RefusalKind.RETRYABLE] * 5, RefusalKind.COLLISION, RefusalKind.PERMANENT])


class FaultyWorld(RuleBasedStateMachine):
    """The job, its pods, the clock, and an operator that may die at any write.

    `starts` counts by unit (0 of a single job) and attempt. `intended` are the units that the operator remembers to have recorded as
    started under AtMostOnce, and not to have asked for. `refusals` are how the next creations are refused, `refusal` is what the
    operator remembers of the last. `foreign` are the names that somebody else's pods have.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = CREATED
        self.versions = itertools.count(10)
        self.uids = itertools.count()
        self.job: JobView = make_job()
        self.pods: dict[str, PodView] = {}
        self.cache: dict[str, PodView] = {}
        self.starts: Counter[tuple[int, int]] = Counter()
        self.refusals: list[RefusalKind] = []
        self.refusal: Refusal | None = None
        self.foreign: set[str] = set()
        self.was_killed = False
        self.intended: set[int] = set()

    # What each machine says for itself.

    def decide(self) -> Decision:
        """Ask for the decision on the job and the cache."""
        raise NotImplementedError

    def pod_of(self, unit: int, attempt: int, *, uid: str, **changes: Any) -> PodView:
        """Build a pod."""
        raise NotImplementedError

    def end(self, pod: PodView, *, code: int, draw: Any) -> None:
        """Let a pod end with an exit code."""
        raise NotImplementedError

    def end_in_the_end(self, pod: PodView, *, code: int) -> None:
        """Let a pod end after all faults have stopped."""
        raise NotImplementedError

    def started(self, status: JobStatus) -> set[int]:
        """Return the units whose pods may have been asked for by this status, under AtMostOnce."""
        raise NotImplementedError

    @property
    def packed(self) -> bool:
        """Return whether a pod may run several tasks, so that a unit may start more than once."""
        return False

    # What a machine may add to.

    def asked_for(self, command: CreateChild) -> None:
        """Record that a pod is asked for."""
        assert not self.job.problem, "a pod is asked for although the spec can't be carried out"
        self.intended.discard(command.spec.task_index)

    def was_refused(self, command: CreateChild) -> None:
        """Record the answer that it was not created."""
        self.intended.add(command.spec.task_index)

    def was_written(self, before: JobStatus, after: JobStatus) -> None:
        """Record a status."""
        was, now = self.started(before), self.started(after)
        self.intended = (self.intended - (was - now)) | (now - was)
        for pod in self.cache.values():
            self._ends_as_recorded(pod, before, after)

    def _ends_as_recorded(self, pod: PodView, before: JobStatus, after: JobStatus) -> None:
        """The recorded reason of an attempt that is being ended is the verdict's, whatever happens meanwhile."""
        ending = recorded_ending(status=before, pod=pod)
        if ending is None or end_is_recorded(job=self.job, pod=pod):
            return
        ended = (one for one in after.attempts if one.pod_uid == pod.uid and one.number == pod.attempt)
        attempt = next(ended, None)
        # It may end by itself before it is deleted.
        for_it = pod.deletion_requested is not None or pod.phase in (PodPhase.PENDING, PodPhase.RUNNING)
        if for_it and attempt is not None and attempt.outcome is not Outcome.SUCCEEDED:
            assert attempt.reason == ending.reason, (attempt, ending)

    def forget(self) -> None:
        """Lose what only the operator's memory held."""
        self.intended = set()

    # The cluster.

    @rule(code=CODES, data=st.data())
    @precondition(lambda self: any(not pod.finished for pod in self.pods.values()))
    def kubelet(self, code: int, data: st.DataObject) -> None:
        """A kubelet takes some pod one step further: to a start, or to an end."""
        pod = data.draw(st.sampled_from([pod for pod in self.pods.values() if not pod.finished]))
        if pod.phase is PodPhase.PENDING and pod.deletion_requested is None:
            self.start(pod)
        else:
            self.end(pod, code=143 if pod.deletion_requested is not None else code, draw=data.draw)

    @rule(data=st.data())
    @precondition(lambda self: bool(self.pods))
    def somebody_deletes_a_pod(self, data: st.DataObject) -> None:
        """A user, an eviction or a drain deletes a pod; its finalizer holds it."""
        self.delete(data.draw(st.sampled_from(list(self.pods.values()))), grace=30)

    @rule(kind=REFUSALS, times=st.integers(1, 3))
    def creations_will_be_refused(self, kind: RefusalKind, times: int) -> None:
        """A quota is used up for a while, a policy forbids the pod, or somebody takes the next pod's name."""
        self.refusals = [kind] * (times if kind is RefusalKind.RETRYABLE else 1)

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
        if self.job.status.is_over:
            self.cache = {name: pod for name, pod in self.cache.items() if not pod.gone}

    @rule(data=st.data())
    @precondition(lambda self: any(pod.phase is PodPhase.PENDING for pod in self.pods.values()))
    def image_cannot_be_pulled(self, data: st.DataObject) -> None:
        """A pod is bound to a node that can't start it, and the operator hears of it at once. Later it may start, or not."""
        pod = data.draw(st.sampled_from([pod for pod in self.pods.values() if pod.phase is PodPhase.PENDING]))
        if not pod.finished:
            self.store(msgspec.structs.replace(pod, node="node-1", waiting_reason="ErrImagePull"))
            self.operator_is_quick()

    @rule(data=st.data())
    @precondition(lambda self: any(pod.node == "" and not pod.finished for pod in self.pods.values()))
    def scheduler(self, data: st.DataObject) -> None:
        """A pod gets a node, on which it waits for its image."""
        waiting = [pod for pod in self.pods.values() if pod.node == "" and not pod.finished]
        self.store(msgspec.structs.replace(data.draw(st.sampled_from(waiting)), node="node-1"))

    # The user.

    @rule(often=st.integers(0, 9))
    def something_is_found_to_be_wrong_with_the_spec(self, often: int) -> None:
        """An annotation is edited, or another job is seen: now and then the spec can't be carried out any more."""
        if often == 0:
            self.edit(problem="the spec can't be carried out")

    @rule(seconds=st.sampled_from([None, 5.0, 100.0]))
    def user_moves_the_start_time(self, seconds: float | None) -> None:
        """The user edits spec.startAt."""
        self.edit(start_at=None if seconds is None else self.now + seconds)

    @rule(suspend=st.booleans())
    def user_suspends_or_resumes(self, suspend: bool) -> None:
        """The user sets spec.suspend."""
        self.edit(suspend=suspend)

    @rule(mode=st.sampled_from(CancelMode), often=st.integers(0, 9))
    def user_cancels(self, mode: CancelMode, often: int) -> None:
        """The user sets spec.cancel, now and then; it cannot be unset."""
        if often == 0:
            self.edit(cancel=mode)

    # The operator.

    @rule(survives=st.integers(0, 6))
    def operator_looks(self, survives: int) -> None:
        """The operator decides, and carries out as many of the commands as it lives for."""
        decision = self.decide()
        assert decision.requeue_at is None or decision.requeue_at > self.now, "I12: a hot loop"
        for command in decision.commands[:survives]:
            self.carry_out(command)

    @rule()
    def operator_is_quick(self) -> None:
        """Nothing lags and nobody dies for a while: without this few lives get as far as a second attempt."""
        for _ in range(4):
            self.watch_delivers()
            self.operator_looks(survives=6)

    @rule()
    def operator_is_killed(self) -> None:
        """A new process lists everything anew; what the former one held in memory is lost."""
        self.was_killed = True
        self.cache = dict(self.pods)
        self.refusal = None
        self.forget()

    # What must hold for all.

    @invariant()
    def at_most_one_pod_of_a_unit_may_run(self) -> None:
        """I2; and no more at once than the user allows."""
        live = [pod.task_index for pod in self.pods.values() if not pod.finished]
        assert len(live) == len(set(live))
        assert len(live) <= (1 if self.job.array is None else self.job.array.parallelism)

    @invariant()
    def at_most_once_starts_nothing_twice(self) -> None:
        """Under AtMostOnce no second pod is ever started, whatever the first one was called and became of."""
        if self.job.delivery is DeliveryMode.AT_MOST_ONCE and not self.packed:
            started = Counter(unit for unit, _ in self.starts)
            assert all(count == 1 for count in started.values()), self.starts

    @invariant()
    def every_attempt_starts_at_most_once(self) -> None:
        """I1."""
        assert all(count == 1 for count in self.starts.values()), self.starts

    @invariant()
    def what_was_refused_is_not_lost(self) -> None:
        """Only a new process may take an attempt without a pod for one that ran."""
        lost = [one for one in self.job.status.attempts if one.outcome is Outcome.LOST and not one.pod_uid]
        assert self.was_killed or not lost, lost

    def teardown(self) -> None:
        """Let the faults stop: the job must end, let go of its pods, and then be left alone (I3, I7, I12)."""
        self.edit(suspend=False)
        self.refusals = []
        for _ in range(400):
            self.watch_delivers()
            decision = self.decide()
            for command in decision.commands:
                self.carry_out(command)
            idle = not decision.commands and all(pod.finished for pod in self.pods.values())
            for pod in list(self.pods.values()):
                self._finish(pod)
            if idle and decision.requeue_at is None:
                break
            if idle and decision.requeue_at is not None:
                self.now = max(self.now, decision.requeue_at)
        else:
            raise AssertionError("the operator never comes to rest")
        phase = self.job.status.phase
        assert phase is not None, "the job never got a status"
        assert phase.terminal, f"the job hangs in {phase}"
        assert not any(pod.held for pod in self.pods.values())
        self.watch_delivers()
        assert self.decide().commands == ()
        self.every_attempt_starts_at_most_once()

    def _finish(self, pod: PodView) -> None:
        if pod.finished:
            return
        if pod.phase is PodPhase.PENDING and pod.deletion_requested is None:
            self.start(pod)
            pod = self.pods[pod.name]
        self.end_in_the_end(pod, code=137 if pod.phase is PodPhase.PENDING else 0)

    # The tiny API server.

    def carry_out(self, command: Command) -> None:
        """Answer a request of the operator."""
        match command:
            case CreateChild():
                self._create(command)
            case WriteStatus():
                if command.resource_version == self.job.resource_version:
                    self._write(command)
            case Delete():
                for pod in self._very_pod(command):
                    assert pod.finished or self._may_be_ended(pod), "a pod is ended for no recorded reason"
                    self.delete(pod, grace=command.grace or 30)
            case Release():
                for pod in self._very_pod(command):
                    over = self.job.status.is_over
                    assert over or end_is_recorded(job=self.job, pod=pod), (
                        "a pod is let go of that is not accounted for"
                    )
                    self._release(pod)
            case Confirm():
                unit, attempt = parse_pod_name(command.name) or (-1, -1)
                known = (one.pod_uid for one in self.job.status.attempts if one.pod_name == command.name)
                gone = self.pod_of(unit, attempt, uid=next(known, ""), gone=True, held=False, node="unknown")
                self.cache[command.name] = self.pods.get(command.name, gone)
            case _:
                raise AssertionError(f"{command} is not expected")

    def _create(self, command: CreateChild) -> None:
        name = command.name
        self.asked_for(command)
        kind = self.refusals.pop() if self.refusals and name not in self.pods else None
        if kind is RefusalKind.COLLISION:
            self.foreign.add(name)
        if kind is None and name in self.foreign:
            kind = RefusalKind.COLLISION
        if kind is not None:
            self._note_refusal(command, kind)
            self.was_refused(command)
            return
        if name not in self.pods:
            uid = f"pod-{next(self.uids)}"
            self.store(self.pod_of(command.spec.task_index, command.spec.attempt, uid=uid, created=self.now))
        self.cache[name] = self.pods[name]  # created, or adopted after a 409
        if self.refusal is not None and self.refusal.kind is not RefusalKind.PERMANENT:
            self.refusal = None

    def _note_refusal(self, command: CreateChild, kind: RefusalKind) -> None:
        self.refusal = Refusal(
            task_index=command.spec.task_index,
            attempt=command.spec.attempt,
            kind=kind,
            reason=f"{kind}Refusal",
            message="refused",
            at=self.now,
            count=1 if self.refusal is None else self.refusal.count + 1,
        )

    def _very_pod(self, command: Delete | Release) -> list[PodView]:
        return [pod for pod in self.pods.values() if (pod.name, pod.uid) == (command.name, command.target.uid)]

    def _may_be_ended(self, pod: PodView) -> bool:
        job = self.job
        if job.status.is_over or recorded_stop(job) is not None or end_is_recorded(job=job, pod=pod):
            return True
        clocks = (attempt_deadline(job=job, pod=pod), start_deadline(job=job, pod=self.cache[pod.name]))
        if any(clock is not None and self.now >= clock for clock in clocks):
            return True
        return recorded_ending(status=job.status, pod=pod) is not None

    def _write(self, command: WriteStatus) -> None:
        before, after = self.job.status, command.status
        require_transition(current=before.phase, target=after.phase)
        assert not before.is_over, "I4: a terminal status was written again"
        assert after.attempt_count >= before.attempt_count
        self.was_written(before, after)
        self.job = msgspec.structs.replace(self.job, status=after, resource_version=next(self.versions))

    def start(self, pod: PodView) -> None:
        """Let a pod start on a node."""
        self.starts[pod.task_index, pod.attempt] += 1
        self.store(msgspec.structs.replace(running(pod, at=self.now), waiting_reason=""))

    def store(self, pod: PodView) -> None:
        """Record what has become of a pod."""
        self.pods[pod.name] = msgspec.structs.replace(pod, resource_version=next(self.versions))

    def delete(self, pod: PodView, *, grace: float) -> None:
        """Mark a pod as to be deleted."""
        if pod.deletion_requested is None:
            self.store(msgspec.structs.replace(pod, deletion_requested=self.now, deletion_grace=grace))
        self._collect(pod.name)

    def _release(self, pod: PodView) -> None:
        self.store(msgspec.structs.replace(pod, held=False))
        if pod.name in self.cache:
            self.cache[pod.name] = msgspec.structs.replace(self.cache[pod.name], held=False)
        self._collect(pod.name)

    def _collect(self, name: str) -> None:
        pod = self.pods[name]
        if pod.deletion_requested is not None and not pod.held and pod.finished:
            del self.pods[name]

    def edit(self, **changes: object) -> None:
        """Let the user change the spec of a job that is not over."""
        if not self.job.status.is_over:
            self.job = msgspec.structs.replace(self.job, resource_version=next(self.versions), **changes)
