"""One array under everything that can happen to it in any order, on a virtual clock.

The world is that of the machine for single jobs, with many tasks: a tiny API server for one job and its pods, an operator that
sees pods late, dies between or after writes and forgets what it held in memory. Tasks may be packed: then pods end with reports that
are whole, cut short, missing or lies.
"""

import itertools
from collections import Counter

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from podwright.core.array.decide import decide_array
from podwright.core.array.units import open_tasks
from podwright.core.commands import Command, ConfirmPod, CreatePod, Decision, DeletePod, ReleasePod, WriteStatus
from podwright.core.index_set import EMPTY, IndexSet
from podwright.core.job.phase import require_transition
from podwright.core.names import parse_pod_name
from podwright.core.spec import CancelMode, DeliveryMode, RetryPolicy
from podwright.core.view import ArrayRecord, JobView, PodPhase, PodView
from tests.builders import CREATED, finished, running
from tests.core.array.builders import array_job, look_at, make_array, unit_pod
from tests.core.array.pack_ends import PackEnd, any_end

CODES = st.sampled_from([0, 0, 1, 137])


class OneArray(RuleBasedStateMachine):
    """The job, its pods, the clock, and an operator that may die at any write."""

    def __init__(self) -> None:
        super().__init__()
        self.now = CREATED
        self.versions = itertools.count(10)
        self.uids = itertools.count()
        self.job: JobView = array_job(make_array(1))
        self.pods: dict[str, PodView] = {}
        self.cache: dict[str, PodView] = {}
        self.starts: dict[tuple[int, int], int] = {}
        self.written_at = 0.0
        self.intended: set[int] = set()
        self.succeeded: set[int] = set()
        self.given: dict[str, IndexSet] = {}
        self.done = EMPTY
        self.runs: Counter[int] = Counter()
        self.failures: Counter[int] = Counter()
        self.last_words = "done"

    @initialize(
        limit=st.integers(0, 2),
        size=st.integers(1, 7),
        parallelism=st.integers(1, 4),
        attempt=st.sampled_from([None, 20.0]),
        most_failed=st.sampled_from([None, None, 0, 2]),
        success_count=st.sampled_from([None, None, 1, 3]),
        sequential=st.sampled_from([False, False, True]),
        delivery=st.sampled_from(DeliveryMode),
        pack=st.sampled_from([1, 1, 2, 3]),
        last_words=st.sampled_from(["done", "done", "silence", "a lie"]),
    )
    def submit(
        self,
        limit: int,
        size: int,
        parallelism: int,
        attempt: float | None,
        most_failed: int | None,
        success_count: int | None,
        sequential: bool,
        delivery: DeliveryMode,
        pack: int,
        last_words: str,
    ) -> None:
        """A user creates the job."""
        self.last_words = last_words
        array = make_array(
            size,
            parallelism=parallelism,
            most_failed=most_failed,
            success_count=success_count,
            sequential=sequential,
            pack=pack,
        )
        self.job = array_job(array, retry=RetryPolicy(limit=limit), attempt_timeout=attempt, delivery=delivery)

    # The cluster.

    @rule(code=CODES, data=st.data())
    @precondition(lambda self: any(not pod.finished for pod in self.pods.values()))
    def kubelet(self, code: int, data: st.DataObject) -> None:
        """A kubelet takes some pod one step further: to a start, or to an end."""
        pod = data.draw(st.sampled_from([pod for pod in self.pods.values() if not pod.finished]))
        if pod.phase is PodPhase.PENDING and pod.deletion_requested is None:
            self._start(pod)
        elif self._packed and pod.phase is PodPhase.RUNNING:
            self._end_pack(pod, any_end(self.given[pod.name], data.draw))
        else:
            self._store(finished(pod, at=self.now, exit_code=143 if pod.deletion_requested is not None else code))

    @rule(data=st.data())
    @precondition(lambda self: bool(self.pods))
    def somebody_deletes_a_pod(self, data: st.DataObject) -> None:
        """A user, an eviction or a drain deletes a pod; its finalizer holds it."""
        self._delete(data.draw(st.sampled_from(list(self.pods.values()))), grace=30)

    @rule(data=st.data())
    @precondition(lambda self: any(pod.phase is PodPhase.RUNNING for pod in self.pods.values()))
    def a_running_pod_is_evicted(self, data: st.DataObject) -> None:
        """The platform takes a node's place for others; a pack may have done a part of its work."""
        pod = data.draw(st.sampled_from([pod for pod in self.pods.values() if pod.phase is PodPhase.RUNNING]))
        self._delete(pod, grace=30)
        evicted = msgspec.structs.replace(self.pods[pod.name], disruption="EvictionByEvictionAPI")
        if self._packed:
            end = any_end(self.given[pod.name], data.draw)
            self._end_pack(evicted, msgspec.structs.replace(end, exit_code=end.exit_code or 143))
        else:
            self._store(finished(evicted, at=self.now, exit_code=143))

    @rule(data=st.data())
    @precondition(lambda self: any(not pod.finished for pod in self.pods.values()))
    def somebody_strips_the_finalizer_and_forces_the_deletion(self, data: st.DataObject) -> None:
        """A pod vanishes without a trace. Under AtLeastOnce it must have been seen, else its attempt is taken for new."""
        pod = data.draw(st.sampled_from([pod for pod in self.pods.values() if not pod.finished]))
        if self.job.delivery is DeliveryMode.AT_LEAST_ONCE:
            self.cache[pod.name] = pod
        if pod.phase is PodPhase.RUNNING:
            self.runs.update(self.given[pod.name])
        del self.pods[pod.name]
        if self.job.delivery is DeliveryMode.AT_LEAST_ONCE:
            self.watch_delivers()
            for command in self._decide().commands:
                self._carry_out(command)

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

    @rule(survives=st.integers(0, 6))
    def operator_looks(self, survives: int) -> None:
        """The operator decides, and carries out as many of the commands as it lives for."""
        decision = self._decide()
        assert decision.requeue_at is None or decision.requeue_at > self.now, "I12: a hot loop"
        for command in decision.commands[:survives]:
            self._carry_out(command)

    @rule()
    def operator_is_killed(self) -> None:
        """A new process lists everything anew; what the former one held in memory is lost."""
        self.cache = dict(self.pods)
        self.written_at = 0.0
        self.intended = set()

    # What must hold.

    @invariant()
    def every_attempt_starts_at_most_once(self) -> None:
        """I1, for each task."""
        assert all(count == 1 for count in self.starts.values()), self.starts

    @invariant()
    def at_most_once_is_at_most_once(self) -> None:
        """Under AtMostOnce no task is ever started a second time, under whatever number."""
        if self.job.delivery is DeliveryMode.AT_MOST_ONCE:
            assert all(count == 1 for count in self.runs.values()), self.runs
            if not self._packed:
                started = Counter(unit for unit, _ in self.starts)
                assert all(count == 1 for count in started.values()), self.starts

    @invariant()
    def failures_are_bounded(self) -> None:
        """I5: no task is tried again that was told to have failed more often than the limit says."""
        limit = self.job.retry.limit
        assert all(count <= limit + 1 for count in self.failures.values()), self.failures
        record = self.job.status.array or ArrayRecord()
        assert all(group.failed <= limit for group in (*record.retries, *record.task_failures)), record

    @invariant()
    def at_most_one_pod_of_a_task_may_run(self) -> None:
        """I2, for each task; and no more at once than the user allows."""
        live = [pod.task_index for pod in self.pods.values() if not pod.finished]
        assert len(live) == len(set(live))
        assert self.job.array is not None
        assert len(live) <= self.job.array.parallelism

    @invariant()
    def the_record_is_true(self) -> None:
        """Nothing is said to have succeeded without a pod that did; nothing is both."""
        record = self.job.status.array or ArrayRecord()
        assert set(record.succeeded) <= self.succeeded
        assert not record.succeeded & record.failed
        assert self.job.array is not None
        assert not (record.succeeded | record.failed) - self.job.array.tasks

    def teardown(self) -> None:
        """Let the faults stop: the job must end, let go of its pods, and then be left alone (I3, I7, I12)."""
        self._edit(suspend=False)
        for round_number in range(400):
            assert round_number < 399, "the operator never comes to rest"
            self.watch_delivers()
            decision = self._decide()
            for command in decision.commands:
                self._carry_out(command)
            idle = not decision.commands and all(pod.finished for pod in self.pods.values())
            for pod in list(self.pods.values()):
                if not pod.finished:
                    if pod.phase is PodPhase.PENDING:
                        self._start(pod)
                    self._end_in_the_end(self.pods[pod.name])
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
        self.the_record_is_true()

    # Packs.

    @property
    def _packed(self) -> bool:
        return self.job.array is not None and self.job.array.pack > 1

    def _end_pack(self, pod: PodView, end: PackEnd) -> None:
        self.succeeded |= set(end.succeeded)
        self.failures.update(end.failed)
        self.runs.update(end.ran)
        if end.true:
            self.done |= end.succeeded
        self._store(finished(pod, at=self.now, exit_code=end.exit_code, message=end.message))

    def _end_in_the_end(self, pod: PodView) -> None:
        """After the faults: all goes well, or the image is such that the pods always end well and never say so."""
        tasks = self.given[pod.name]
        words = {
            "done": PackEnd(exit_code=0, message=f"podwright pack: succeeded {tasks}.", ran=tasks, succeeded=tasks),
            "silence": PackEnd(exit_code=0, message="", ran=tasks),
            "a lie": PackEnd(exit_code=0, message="podwright pack: succeeded 98-99.", ran=tasks),
        }
        if self._packed:
            self._end_pack(pod, words[self.last_words])
        else:
            self._store(finished(pod, at=self.now, exit_code=0))

    def _give(self, command: CreatePod) -> None:
        assert self.job.array is not None
        tasks = command.tasks if self._packed else IndexSet.of([command.task_index])
        assert tasks, "a pod without tasks"
        assert not tasks & self.done, "a task that a true report called done was to run again"
        assert not tasks - open_tasks(array=self.job.array, record=self.job.status.array or ArrayRecord())
        # A creation of unknown outcome is repeated: its pod must be told the same, whoever made it.
        assert self.given.setdefault(command.pod_name, tasks) == tasks

    # The tiny API server.

    def _decide(self) -> Decision:
        # The store keeps no released pods whose ends are on record; that they do no harm is tested by keeping them.
        look = look_at(self.job, *self.cache.values(), now=self.now, recorded_at=self.written_at)
        look = msgspec.structs.replace(look, intended=frozenset(self.intended))
        return decide_array(look)

    def _carry_out(self, command: Command) -> None:
        match command:
            case CreatePod():
                self.intended.discard(command.task_index)
                self._give(command)
                if command.pod_name not in self.pods:
                    pod = unit_pod(self.job, command.task_index, attempt=command.attempt, uid=f"pod-{next(self.uids)}")
                    self._store(msgspec.structs.replace(pod, created=self.now))
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
            case _:
                raise AssertionError(f"{command} is not expected")

    def _confirm(self, command: ConfirmPod) -> None:
        unit, attempt = parse_pod_name(command.pod_name) or (-1, -1)
        gone = unit_pod(self.job, unit, attempt=attempt, uid=command.pod_name, gone=True, held=False, node="unknown")
        self.cache[command.pod_name] = self.pods.get(command.pod_name, gone)

    def _very_pod(self, name: str, uid: str) -> list[PodView]:
        return [pod for pod in self.pods.values() if pod.name == name and pod.uid == uid]

    def _write(self, command: WriteStatus) -> None:
        before = self.job.status
        require_transition(current=before.phase, target=command.status.phase)  # type: ignore[arg-type]  # never None here
        assert before.phase is None or not before.phase.terminal, "I4: a terminal status was written again"
        assert command.status.attempt_count >= before.attempt_count
        if before.array is not None:
            assert command.status.array is not None
            assert not before.array.succeeded - command.status.array.succeeded, "a success was taken back"
        was = set() if before.array is None else set(before.array.started)
        now = set() if command.status.array is None else set(command.status.array.started)
        self.intended = (self.intended - (was - now)) | (now - was)
        self.job = msgspec.structs.replace(self.job, status=command.status, resource_version=next(self.versions))
        self.written_at = self.now

    def _start(self, pod: PodView) -> None:
        key = (pod.task_index, pod.attempt)
        self.starts[key] = self.starts.get(key, 0) + 1
        self._store(running(pod, at=self.now))

    def _store(self, pod: PodView) -> None:
        if pod.phase is PodPhase.SUCCEEDED and not self._packed:
            self.succeeded.add(pod.task_index)
        self.pods[pod.name] = msgspec.structs.replace(pod, resource_version=next(self.versions))

    def _delete(self, pod: PodView, *, grace: float) -> None:
        if pod.deletion_requested is None:
            self._store(msgspec.structs.replace(pod, deletion_requested=self.now, deletion_grace=grace))

    def _release(self, pod: PodView) -> None:
        self._store(msgspec.structs.replace(pod, held=False))
        self.cache[pod.name] = self.pods[pod.name]

    def _edit(self, **changes: object) -> None:
        if self.job.status.phase is not None and self.job.status.phase.terminal:
            return
        self.job = msgspec.structs.replace(self.job, resource_version=next(self.versions), **changes)


OneArray.TestCase.settings = settings(
    max_examples=300, stateful_step_count=50, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
test_one_array = OneArray.TestCase
