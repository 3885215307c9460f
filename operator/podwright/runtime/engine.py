"""The loop at the heart of the operator: what changed → what it calls for → writes. One thread, one event loop, no IO here.

Reflectors and answers change the store, which marks jobs dirty; the engine looks at each dirty job once, asks the pure
`core` what to do, and hands the commands to the writer. While an answer about a job is outstanding, the job is left alone.
Nothing may be decided from the event that caused a look, only from the state.
"""

import asyncio
import functools
import logging
from collections.abc import Callable
from typing import Final

from podwright.core.commands import (
    ClaimKey,
    Command,
    ConfirmPod,
    CreatePod,
    Decision,
    DeleteJob,
    NoteProblem,
    ReleasePod,
    WriteStatus,
)
from podwright.core.job.at_most_once import recorded_intent
from podwright.core.job.decide import decide_job, release_all
from podwright.core.job.dependency import Dependencies
from podwright.core.job.gate import before_first_pod
from podwright.core.job.phase import IllegalTransitionError
from podwright.core.job.status import with_problem
from podwright.core.job.write import write_status
from podwright.core.names import pod_name
from podwright.core.shard import shard_of
from podwright.core.view import JobView, KeyClaim, PodView
from podwright.kube.decode import Undecodable
from podwright.runtime.answers import Answers
from podwright.runtime.array_look import look_at_array, note_intents
from podwright.runtime.cleanup import Cleanup, is_cleanup
from podwright.runtime.keys import Keys
from podwright.runtime.metrics import Metrics
from podwright.runtime.reads import Reads
from podwright.runtime.requests import request_for
from podwright.runtime.tenure import Tenure, Tenures
from podwright.runtime.writer import Rank, Refused, Result, Write, Writer
from podwright.store.dirty import DirtySet
from podwright.store.jobs import JobStore
from podwright.store.notes import Notebook, Notes
from podwright.store.timers import Timers

_LOOKS_PER_TURN: Final = 100  # then other tasks of the loop (lease renewal, watches) get their turn
_NEWS_PATIENCE: Final = 30.0  # seconds for which a busy operator may put off a write that only informs
_PROBLEM_PAUSE: Final = 5.0

_log = logging.getLogger(__name__)


class Engine:
    """Decides for the jobs of the shards that are held. `store` is what the reflectors feed."""

    def __init__(
        self,
        *,
        writer: Writer,
        reads: Reads,
        keys: Keys,
        tenures: Tenures,
        clock: Callable[[], float],
        metrics: Metrics,
    ) -> None:
        self._writer = writer
        self._reads = reads
        self._keys = keys
        self._tenures = tenures
        self._clock = clock
        self._metrics = metrics
        self._dirty = DirtySet()
        self._timers = Timers()
        self._notebook = Notebook()
        self._cleanup = Cleanup()
        self._wake = asyncio.Event()
        self._told: dict[str, str] = {}
        self.store = JobStore(on_change=self.mark)
        self._answers = Answers(store=self.store, metrics=metrics)

    def mark(self, uid: str) -> None:
        """Ask for a look at a job."""
        self._dirty.add(uid)
        self._wake.set()

    def report(self, item: Undecodable) -> None:
        """Tell on a job's status that it cannot be understood; once per problem, since telling changes the job."""
        tenure = self._tenures.tenure(shard_of(namespace=item.namespace, shards=self._tenures.shards))
        if tenure is None or self._told.get(item.uid) == item.error:
            return
        self._told[item.uid] = item.error
        note = NoteProblem(
            job_uid=item.uid,
            namespace=item.namespace,
            job_name=item.name,
            resource_version=item.resource_version,
            message=f"the operator cannot understand this job: {item.error}",
        )
        self._submit(note, job=None, notes=self._notebook.of(item.uid), tenure=tenure)

    def mark_all(self) -> None:
        """Ask for a look at every job: after a shard was gained."""
        for uid in self.store.uids():
            self.mark(uid)

    async def run(self) -> None:
        """Look at dirty jobs until cancelled."""
        while True:
            for uid in (*self._timers.pop_due(self._clock()), *self._cleanup.admitted()):
                self._dirty.add(uid)
            for _ in range(min(_LOOKS_PER_TURN, len(self._dirty))):
                self._look_safely(self._dirty.pop())
            if self._dirty or self._cleanup.ready:
                await asyncio.sleep(0)
                continue
            await self._wait()

    async def _wait(self) -> None:
        self._wake.clear()
        due = self._timers.next_at()
        timeout = None if due is None else max(0.0, due - self._clock())
        try:
            async with asyncio.timeout(timeout):
                await self._wake.wait()
        except TimeoutError:
            pass  # a timer is due

    def _look_safely(self, uid: str) -> None:
        try:
            self._look(uid)
        except Exception as error:
            # One object that breaks our code must not stop the others; it is tried again, ever more rarely.
            self._report(uid, error)

    def _look(self, uid: str) -> None:
        now = self._clock()
        job, pods = self.store.job(uid), self.store.pods(uid)
        if job is None and not pods:
            self._forget(uid)
            return
        tenure = self._tenure_of(job, pods)
        if tenure is None:
            return  # whoever holds the shard looks; when it becomes ours, everything is marked
        notes = self._notebook.of(uid)
        if notes.exclusive or (notes.outstanding and (job is None or job.array is None)):
            return  # the answer marks the job again
        blocked = self._answers.backoff.until(uid)
        if blocked > now:
            self._timers.set(uid, blocked)
            return
        if job is None and not self.store.job_was_deleted(uid):
            notes.doubtful = True
        if self.store.lacks_pods(uid):
            notes.pods_unlisted = True
        if notes.in_doubt:
            self._read(uid, job=job, pods=pods, notes=notes, tenure=tenure)
            return
        if job is not None and notes.key_doubtful:
            self._read_key(job, notes=notes)
            return
        decision = self._decide(job=job, pods=pods, notes=notes, epoch=tenure.epoch, now=now)
        self._timers.set(uid, decision.requeue_at)
        for command in decision.commands:
            self._issue(command, job=job, notes=notes, tenure=tenure, now=now)
        self._metrics.decided(len(decision.commands))
        if not decision.commands and job is not None and _over(job):
            self._notebook.drop(uid)

    def _decide(
        self, *, job: JobView | None, pods: tuple[PodView, ...], notes: Notes, epoch: int, now: float
    ) -> Decision:
        if job is None:
            return Decision(commands=release_all(pods))
        dependencies = self.store.dependencies(job)
        claim = self._keys.claim_of(job, notes=notes, store=self.store, now=now)
        if job.array is not None:
            return self._decide_array(
                job, pods=pods, notes=notes, dependencies=dependencies, claim=claim, epoch=epoch, now=now
            )
        return decide_job(
            job=job,
            pods=pods,
            refusal=notes.refusal,
            now=now,
            keep_until=notes.creation_until,
            dependencies=dependencies,
            claim=claim,
            own_intent=notes.own_intent(epoch),
        )

    def _decide_array(
        self,
        job: JobView,
        *,
        pods: tuple[PodView, ...],
        notes: Notes,
        dependencies: Dependencies,
        claim: KeyClaim | None,
        epoch: int,
        now: float,
    ) -> Decision:
        if notes.creating:
            return look_at_array(job=job, pods=pods, notes=notes, epoch=epoch, now=now, dependencies=dependencies)
        held, recheck_at = before_first_pod(
            job=job, pods=pods, dependencies=dependencies, claim=claim, now=now, keep_until=notes.creation_until
        )
        if held is not None:
            return held
        decision = look_at_array(job=job, pods=pods, notes=notes, epoch=epoch, now=now, dependencies=dependencies)
        times = [time for time in (decision.requeue_at, recheck_at) if time is not None]
        return Decision(commands=decision.commands, requeue_at=min(times, default=None))

    def _issue(self, command: Command, *, job: JobView | None, notes: Notes, tenure: Tenure, now: float) -> None:
        uid = command.job_uid
        if isinstance(command, ConfirmPod):
            notes.doubtful_pods.add(command.pod_name)
            notes.intent_epoch = -1  # it was judged not to be ours
            self.mark(uid)
        elif isinstance(command, WriteStatus) and command.deferrable and self._puts_off(notes, now):
            self._timers.set(uid, now + 1.0)
        elif isinstance(command, DeleteJob) and job is not None and self.store.is_awaited(job):
            pass  # others wait for how it ended; the last of them to start or end marks it
        elif is_cleanup(command) and not self._cleanup.begin(uid):
            pass  # it waits in line
        elif isinstance(command, CreatePod) and job is not None and not _confirmed(job, notes, tenure):
            notes.doubtful = True
            self.mark(uid)
        elif isinstance(command, ClaimKey) and not self._keys.take_turn(command.lease_name, uid):
            pass  # another job asks about the same key, and its answer marks this one
        elif isinstance(command, WriteStatus) and job is not None and self._may_lack_a_pod(command, job, notes, tenure):
            notes.asked_for_pod_epoch = tenure.epoch
            notes.doubtful_pods.add(pod_name(job_name=job.name, job_uid=uid, task_index=0, attempt=0))
            self.mark(uid)
        else:
            self._submit(command, job=job, notes=notes, tenure=tenure)

    def _submit(self, command: Command, *, job: JobView | None, notes: Notes, tenure: Tenure) -> None:
        notes.begin(command)
        if isinstance(command, CreatePod):
            notes.pod_asked = True
        elif isinstance(command, WriteStatus) and job is not None and _records_intent(command, job):
            # An answer that gets lost must not turn our intent into somebody else's.
            notes.intent_epoch, notes.pod_asked = tenure.epoch, False
        if isinstance(command, WriteStatus) and job is not None and job.array is not None:
            note_intents(command.status, job=job, notes=notes, epoch=tenure.epoch)
        write = Write(
            request=request_for(command, job=job, tenure=tenure, lease_namespace=self._keys.namespace),
            rank=_rank(command),
            priority=0 if job is None else job.priority,
            refuse=functools.partial(self._refuse, command, job, tenure),
            done=functools.partial(self._done, command, tenure),
        )
        self._writer.submit(write)

    def _refuse(self, command: Command, job: JobView | None, tenure: Tenure) -> Refused | None:
        held = self._tenures.tenure(tenure.shard)
        if held is None or held.epoch != tenure.epoch:
            return Refused.NOT_LEADER
        # A write may wait long in a burst; what was decided on an older picture is decided again instead of sent.
        if isinstance(command, CreatePod | WriteStatus | ClaimKey) and self.store.job(command.job_uid) is not job:
            return Refused.OVERTAKEN
        return None

    def _done(self, command: Command, tenure: Tenure, result: Result) -> None:
        notes = self._notebook.of(command.job_uid)
        notes.end(command)
        if is_cleanup(command):
            self._cleanup.end()
        self._answers.take(command, result=result, notes=notes, now=self._clock())
        if isinstance(command, ClaimKey):
            self._keys.take_answer(command, result=result, notes=notes, now=self._clock())
            self._end_turn(command.lease_name)
        self.mark(command.job_uid)

    def _puts_off(self, notes: Notes, now: float) -> bool:
        if not self._writer.busy:
            notes.deferred_since = None
            return False
        if notes.deferred_since is None:
            notes.deferred_since = now
        return now - notes.deferred_since < _NEWS_PATIENCE

    def _read(self, uid: str, *, job: JobView | None, pods: tuple[PodView, ...], notes: Notes, tenure: Tenure) -> None:
        notes.begin(None)
        doubted, unlisted, doubted_pods = notes.doubtful, notes.pods_unlisted, frozenset(notes.doubtful_pods)
        namespace, name = (job.namespace, job.name) if job is not None else (pods[0].namespace, pods[0].job_name)

        def done(error: Exception | None) -> None:
            notes.end(None)
            if error is None:
                if doubted:
                    notes.confirmed_epoch = tenure.epoch
                    notes.doubtful = False
                notes.pods_unlisted = notes.pods_unlisted and not unlisted
                notes.doubtful_pods -= doubted_pods  # what came into doubt meanwhile is read next
            else:
                self._answers.backoff.failed(uid, now=self._clock())
            self.mark(uid)

        self._reads.start(
            store=self.store,
            uid=uid,
            namespace=namespace,
            job_name=name,
            job=doubted,
            pods=doubted_pods,
            notes=notes,
            now=self._clock,
            done=done,
        )

    def _read_key(self, job: JobView, *, notes: Notes) -> None:
        """Ask the API server who holds the job's key, unless that is being asked, or was a moment ago."""
        lease = self._keys.lease_of(job)
        if self._keys.is_known(lease, now=self._clock()):
            notes.key_doubtful = False
            self.mark(job.uid)
            return
        if not self._keys.take_turn(lease, job.uid):
            return
        notes.begin(None)

        def done(error: Exception | None) -> None:
            notes.end(None)
            if error is None:
                notes.key_doubtful = False
            else:
                self._answers.backoff.failed(job.uid, now=self._clock())
            self._end_turn(lease)
            self.mark(job.uid)

        self._keys.start_reading(job=job, notes=notes, now=self._clock, done=done)

    def _end_turn(self, lease: str) -> None:
        for uid in self._keys.end_turn(lease):
            self.mark(uid)

    def _may_lack_a_pod(self, command: WriteStatus, job: JobView, notes: Notes, tenure: Tenure) -> bool:
        """Tell whether a job is to end without a pod although the shard's former holder may just have created one.

        A duplicate can't have had one: who holds its key has not changed.
        """
        status = command.status
        return (
            status.phase is not None
            and status.phase.terminal
            and not status.attempts
            and not status.duplicate_of
            and job.array is None
            and not self.store.pods(job.uid)
            and job.resource_version <= tenure.baseline
            and notes.asked_for_pod_epoch != tenure.epoch
        )

    def _tenure_of(self, job: JobView | None, pods: tuple[PodView, ...]) -> Tenure | None:
        namespace = job.namespace if job is not None else pods[0].namespace
        return self._tenures.tenure(shard_of(namespace=namespace, shards=self._tenures.shards))

    def _forget(self, uid: str) -> None:
        self._timers.set(uid, None)
        self._answers.backoff.succeeded(uid)
        self._notebook.drop(uid)
        departed = self.store.take_departed(uid)
        if departed is not None:
            self._keys.note_departed(departed)

    def _report(self, uid: str, error: Exception) -> None:
        now = self._clock()
        self._timers.set(uid, self._answers.backoff.failed(uid, now=now, at_least=_PROBLEM_PAUSE))
        self._metrics.internal_error()
        job = self.store.job(uid)
        _log.error("cannot decide on job %s: %s", f"{job.namespace}/{job.name}" if job else uid, error, exc_info=error)
        if job is None or _over(job):
            return  # there is no status to say it on, or none that may change
        notes = self._notebook.of(uid)
        if isinstance(error, IllegalTransitionError):
            notes.doubtful = True  # the usual cause is a picture that is older than the pods
            return
        status = with_problem(job=job, message=f"the operator failed on this job and will try again: {error!r}")
        tenure = self._tenure_of(job, ())
        if tenure is not None and status != job.status and not notes.outstanding:
            self._submit(write_status(job=job, status=status, deferrable=True), job=job, notes=notes, tenure=tenure)


def _over(job: JobView) -> bool:
    return job.status.phase is not None and job.status.phase.terminal


def _confirmed(job: JobView, notes: Notes, tenure: Tenure) -> bool:
    """Tell whether the job's picture is surely newer than anything the shard's former holder did."""
    return job.resource_version > tenure.baseline or notes.confirmed_epoch == tenure.epoch


def _records_intent(command: WriteStatus, job: JobView) -> bool:
    return recorded_intent(command.status) is not None and recorded_intent(job.status) is None


def _rank(command: Command) -> Rank:
    if isinstance(command, WriteStatus):
        return Rank.NEWS if command.deferrable else Rank.VERDICT
    if isinstance(command, NoteProblem):
        return Rank.NEWS
    if isinstance(command, CreatePod | ClaimKey):
        return Rank.CREATE
    if is_cleanup(command):
        return Rank.CLEANUP
    return Rank.RELEASE if isinstance(command, ReleasePod) else Rank.VERDICT
