"""One array under everything that can happen to it in any order, on a virtual clock: `tests.unit.core.faulty_world` has the world.

Tasks may be packed: then pods end with reports that are whole, cut short, missing or lies.
"""

from collections import Counter
from typing import Any

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from podwright.core.commands import CreateChild, Decision
from podwright.core.job import decide as job_policy
from podwright.core.model.array import ArrayRecord
from podwright.core.model.job import JobStatus
from podwright.core.model.phase import Phase
from podwright.core.model.pod import PodPhase, PodView
from podwright.core.model.units import open_tasks, tasks_of
from podwright.core.run.stop import Stop, recorded_stop
from podwright.core.spec import DeliveryMode, FailurePolicy, RetryPolicy
from podwright.core.values.index_set import EMPTY, IndexSet
from tests.support.builders import finished
from tests.unit.core.faulty_world import FaultyWorld
from tests.unit.core.job.array.builders import array_job, make_array, snapshot_of, unit_pod
from tests.unit.core.job.array.pack_ends import PackEnd, any_end


class OneArray(FaultyWorld):
    """An array. Of its tasks is known which a pod was `given`, which ran, were said to have succeeded or failed, and truly are done.

    `written_at` is what the operator's memory holds of its last write.
    """

    def __init__(self) -> None:
        super().__init__()
        self.job = array_job(make_array(1))
        self.written_at = 0.0
        self.succeeded: set[int] = set()
        self.given: dict[str, IndexSet] = {}
        self.done = EMPTY
        self.runs: Counter[int] = Counter()
        self.failures: Counter[int] = Counter()
        self.last_words = "done"
        self.lost_nodes: set[str] = set()
        self.lost_with_node: Counter[int] = Counter()

    @initialize(
        limit=st.integers(0, 2),
        size=st.integers(1, 7),
        parallelism=st.integers(1, 4),
        attempt=st.sampled_from([None, 20.0]),
        start=st.sampled_from([None, None, 5.0]),
        most_failed=st.sampled_from([None, None, 0, 2]),
        success_count=st.sampled_from([None, None, 1, 3]),
        sequential=st.sampled_from([False, False, True]),
        delivery=st.sampled_from(DeliveryMode),
        pack=st.sampled_from([1, 1, 2, 3]),
        last_words=st.sampled_from(["done", "done", "silence", "a lie"]),
        policy=st.builds(
            FailurePolicy, same_failure_nodes=st.sampled_from([None, 2]), quarantine_after=st.sampled_from([1, 2, 3])
        ),
    )
    def submit(
        self,
        limit: int,
        size: int,
        parallelism: int,
        attempt: float | None,
        start: float | None,
        most_failed: int | None,
        success_count: int | None,
        sequential: bool,
        delivery: DeliveryMode,
        pack: int,
        last_words: str,
        policy: FailurePolicy,
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
        retry = RetryPolicy(limit=limit)
        self.job = array_job(
            array,
            retry=retry,
            attempt_timeout=attempt,
            start_timeout=start,
            delivery=delivery,
            failure_policy=policy,
        )

    # The cluster.

    @rule(data=st.data())
    @precondition(lambda self: any(pod.phase is PodPhase.RUNNING for pod in self.pods.values()))
    def a_running_pod_is_evicted(self, data: st.DataObject) -> None:
        """The platform takes a node's place for others; a pack may have done a part of its work."""
        pod = data.draw(st.sampled_from([pod for pod in self.pods.values() if pod.phase is PodPhase.RUNNING]))
        self.delete(pod, grace=30)
        evicted = msgspec.structs.replace(self.pods[pod.name], disruption="EvictionByEvictionAPI")
        if self.packed:
            end = any_end(self.given[pod.name], data.draw)
            self._end_pack(evicted, msgspec.structs.replace(end, exit_code=end.exit_code or 143))
        else:
            self.store(finished(evicted, at=self.now, exit_code=143))

    @rule(data=st.data())
    @precondition(lambda self: any(pod.phase is PodPhase.RUNNING for pod in self.pods.values()))
    def a_node_is_lost(self, data: st.DataObject) -> None:
        """All pods that run on it fail, and nobody ever hears of how their containers ended."""
        running = [pod for pod in self.pods.values() if pod.phase is PodPhase.RUNNING]
        node = data.draw(st.sampled_from(sorted({pod.node for pod in running})))
        self.lost_nodes.add(node)
        for pod in running:
            if pod.node == node:
                self.lost_with_node[pod.task_index] += 1
                self.runs.update(self.given[pod.name] if self.packed else ())
                lost = finished(pod, at=self.now, exit_code=255)
                self.store(msgspec.structs.replace(lost, exit_code=None, disruption="DeletionByPodGC"))

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
            for command in self.decide().commands:
                self.carry_out(command)

    # What must hold.

    @invariant()
    def at_most_once_is_at_most_once(self) -> None:
        """Under AtMostOnce no task is ever started a second time, under whatever number."""
        if self.job.delivery is DeliveryMode.AT_MOST_ONCE:
            assert all(count == 1 for count in self.runs.values()), self.runs

    @invariant()
    def no_intent_of_its_own_waits_while_the_job_is_suspended(self) -> None:
        """A crash meanwhile would lose the task."""
        if self.job.status.phase is Phase.SUSPENDED and self.job.status.array is not None:
            assert not self.job.status.array.started & IndexSet.of(self.intended)

    @invariant()
    def failures_are_bounded(self) -> None:
        """I5: no task is tried again that was told to have failed more often than the limit says."""
        limit = self.job.retry.limit
        assert all(count <= limit + 1 for count in self.failures.values()), self.failures
        record = self.job.status.array or ArrayRecord()
        assert all(group.failed <= limit for group in record.task_failures), record
        assert self.job.array is not None
        for group in record.retries:
            for unit in group.indexes:
                # A pack may be tried again for tasks that it never started, each time that others failed for good.
                failed = len(tasks_of(array=self.job.array, unit=unit) & record.failed)
                assert group.failed <= limit + failed, record

    @invariant()
    def the_record_is_true(self) -> None:
        """Nothing is said to have succeeded without a pod that did; nothing is both."""
        record = self.job.status.array or ArrayRecord()
        assert set(record.succeeded) <= self.succeeded
        assert not record.succeeded & record.failed
        assert self.job.array is not None
        assert not (record.succeeded | record.failed) - self.job.array.tasks

    def teardown(self) -> None:
        """Let the faults stop."""
        super().teardown()
        self.the_record_is_true()

    # Packs.

    @property
    def packed(self) -> bool:
        return self.job.array is not None and self.job.array.pack > 1

    def _end_pack(self, pod: PodView, end: PackEnd) -> None:
        self.succeeded |= set(end.succeeded)
        self.failures.update(end.failed)
        self.runs.update(end.ran)
        if end.true:
            self.done |= end.succeeded
        self.store(finished(pod, at=self.now, exit_code=end.exit_code, message=end.message))

    def _give(self, command: CreateChild) -> None:
        assert self.job.array is not None
        tasks = command.spec.tasks if self.packed else IndexSet.of([command.spec.task_index])
        assert tasks, "a pod without tasks"
        assert not tasks & self.done, "a task that a true report called done was to run again"
        assert not tasks - open_tasks(array=self.job.array, record=self.job.status.array or ArrayRecord())
        # A creation of unknown outcome is repeated: its pod must be told the same, whoever made it.
        assert self.given.setdefault(command.name, tasks) == tasks

    # Its part in the world.

    def decide(self) -> Decision:
        # The store keeps no released pods whose ends are on record; that they do no harm is tested by keeping them.
        look = snapshot_of(
            self.job, *self.cache.values(), now=self.now, recorded_at=self.written_at, refusal=self.refusal
        )
        return job_policy.decide(msgspec.structs.replace(look, intended=frozenset(self.intended)))

    def pod_of(self, unit: int, attempt: int, *, uid: str, **changes: Any) -> PodView:
        return unit_pod(self.job, unit, attempt=attempt, uid=uid or f"{self.job.uid}/unseen", **changes)

    def end(self, pod: PodView, *, code: int, draw: Any) -> None:
        if self.packed and pod.phase is PodPhase.RUNNING:
            self._end_pack(pod, any_end(self.given[pod.name], draw))
        else:
            self.store(finished(pod, at=self.now, exit_code=code))

    def end_in_the_end(self, pod: PodView, *, code: int) -> None:
        """All goes well, or the image is such that the pods always end well and never say so."""
        tasks = self.given[pod.name]
        words = {
            "done": PackEnd(exit_code=0, message=f"podwright pack: succeeded {tasks}.", ran=tasks, succeeded=tasks),
            "silence": PackEnd(exit_code=0, message="", ran=tasks),
            "a lie": PackEnd(exit_code=0, message="podwright pack: succeeded 98-99.", ran=tasks),
        }
        if self.packed and pod.phase is PodPhase.RUNNING:
            self._end_pack(pod, words[self.last_words])
        else:
            self.store(finished(pod, at=self.now, exit_code=code))

    def asked_for(self, command: CreateChild) -> None:
        super().asked_for(command)
        stop = recorded_stop(self.job)
        assert stop is None or not stop.decided, "a task was to be started of an array whose end is on record"
        self._give(command)

    def started(self, status: JobStatus) -> set[int]:
        return set() if status.array is None else set(status.array.started)

    def forget(self) -> None:
        super().forget()
        self.written_at = 0.0

    def was_written(self, before: JobStatus, after: JobStatus) -> None:
        super().was_written(before, after)
        if before.array is not None:
            assert after.array is not None
            assert not before.array.succeeded - after.array.succeeded, "a success was taken back"
        if after.phase is not Phase.STOPPING and after.reason == Stop.QUARANTINED:
            most = max(len(self.lost_nodes), *self.lost_with_node.values(), 0)
            assert most >= self.job.failure_policy.quarantine_after, "quarantined without cause"
        if recorded_stop(self.job) in (Stop.QUARANTINED, Stop.SAME_FAILURE) and after.is_over:
            ends = (before.reason, "Completed", "Cancelled")
            assert after.reason in ends, f"stopped as {before.reason}, ended as {after.reason}"
        self.written_at = self.now

    def store(self, pod: PodView) -> None:
        if pod.node:
            pod = msgspec.structs.replace(pod, node=f"node-{(pod.task_index + pod.attempt) % 4}")
        if pod.phase is PodPhase.SUCCEEDED and not self.packed:
            self.succeeded.add(pod.task_index)
        super().store(pod)


OneArray.TestCase.settings = settings(
    max_examples=300, stateful_step_count=50, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
test_one_array = OneArray.TestCase
