"""The loop at the heart of the operator: what changed → what it calls for → writes. One thread, one event loop, no IO here.

Reflectors and answers change the store, which marks jobs dirty; the engine looks at each dirty job once, asks the pure
`core` what to do (`decision`), and has the commands carried out (`issuer`). While an answer about a job is outstanding, the
job is left alone; what is in doubt is read first (`doubts`). Nothing may be decided from the event that caused a look, only
from the state.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from podwright.core.accounting import Accounting
from podwright.core.job.repair import PAUSE, repaired
from podwright.core.shard import shard_of
from podwright.core.view import JobView, PodView
from podwright.kube.codecs.page import Undecodable
from podwright.runtime.answers import Answers
from podwright.runtime.cleanup import Cleanup
from podwright.runtime.decision import decide
from podwright.runtime.doubts import Doubts
from podwright.runtime.issuer import Issuer
from podwright.runtime.keys import Keys
from podwright.runtime.metrics import Metrics
from podwright.runtime.problems import Problems
from podwright.runtime.reads import Reads
from podwright.runtime.tenure import Tenure, Tenures
from podwright.runtime.writer import Writer
from podwright.store.dirty import DirtySet
from podwright.store.jobs import JobStore
from podwright.store.notes import Notebook, Notes
from podwright.store.timers import Timers

_LOOKS_PER_TURN: Final = 100  # then other tasks of the loop (lease renewal, watches) get their turn
_LONGEST_WAIT: Final = 10.0  # seconds; so late, at most, is it noticed that the clock was set
_SET_BACK: Final = 1.0  # seconds; less is what clocks are slewed by, and delays nothing that matters

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
        accounting: Accounting = Accounting.EXACT,
    ) -> None:
        self._keys = keys
        self._tenures = tenures
        self._clock = clock
        self._metrics = metrics
        self._dirty = DirtySet()
        self._timers = Timers()
        self._notebook = Notebook()
        self._cleanup = Cleanup()
        self._wake = asyncio.Event()
        self._latest = clock()
        self.store = JobStore(on_change=self.mark)
        answers = Answers(store=self.store, metrics=metrics)
        self._backoff = answers.backoff
        self._issuer = Issuer(
            writer=writer,
            keys=keys,
            tenures=tenures,
            answers=answers,
            cleanup=self._cleanup,
            store=self.store,
            notebook=self._notebook,
            timers=self._timers,
            clock=clock,
            mark=self.mark,
            accounting=accounting,
        )
        self._doubts = Doubts(
            reads=reads, keys=keys, store=self.store, backoff=self._backoff, clock=clock, mark=self.mark
        )
        self._problems = Problems(
            issuer=self._issuer,
            tenures=tenures,
            backoff=self._backoff,
            store=self.store,
            notebook=self._notebook,
            timers=self._timers,
            clock=clock,
            mark=self.mark,
            metrics=metrics,
        )

    def mark(self, uid: str) -> None:
        """Ask for a look at a job."""
        self._dirty.add(uid)
        self._wake.set()

    def mark_all(self) -> None:
        """Ask for a look at every job: after a shard was gained."""
        for uid in self.store.uids() | self._problems.uids():
            self.mark(uid)

    def report(self, item: Undecodable) -> None:
        """Tell on a job's status that it cannot be understood."""
        self._problems.undecodable(item)

    async def run(self) -> None:
        """Look at dirty jobs until cancelled."""
        while True:
            self._watch_the_clock()
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
        timeout = _LONGEST_WAIT if due is None else min(_LONGEST_WAIT, max(0.0, due - self._clock()))
        try:
            async with asyncio.timeout(timeout):
                await self._wake.wait()
        except TimeoutError:
            pass  # a timer is due

    def _watch_the_clock(self) -> None:
        """Let nobody wait for a time that was noted by a clock which has been set back since."""
        now = self._clock()
        if now < self._latest - _SET_BACK:
            _log.warning("the clock was set back by %.0f s", self._latest - now)
            self._latest = now
            self._backoff.forget()
            self._keys.forget()
            self._notebook.set_back(now)
            self.mark_all()
        self._latest = max(self._latest, now)

    def _look_safely(self, uid: str) -> None:
        try:
            self._look(uid)
        except Exception as error:
            # One object that breaks our code must not stop the others; it is tried again, ever more rarely.
            self._problems.failed(uid, error)

    def _look(self, uid: str) -> None:
        now = self._clock()
        job, pods = self.store.job(uid), self.store.pods(uid)
        if self._problems.has_to_tell(uid):
            return  # what cannot be understood is not decided on
        if job is None and not pods:
            self._forget(uid)
            return
        tenure = self._tenure_of(job, pods)
        if tenure is None:
            return  # whoever holds the shard looks; when it becomes ours, everything is marked
        notes = self._notebook.of(uid)
        if notes.exclusive or (notes.outstanding and (job is None or job.array is None)):
            return  # the answer marks the job again
        blocked = self._backoff.until(uid)
        if blocked > now:
            self._timers.set(uid, blocked)
            return
        if job is None and not self.store.job_was_deleted(uid):
            notes.doubtful = True
        if self.store.lacks_pods(uid):
            notes.pods_unlisted = True
        if notes.in_doubt:
            self._doubts.read(uid, job=job, pods=pods, notes=notes, tenure=tenure)
            return
        if job is not None and notes.key_doubtful:
            self._doubts.read_key(job, notes=notes)
            return
        decision = decide(
            job=job, pods=pods, notes=notes, store=self.store, keys=self._keys, epoch=tenure.epoch, now=now
        )
        self._timers.set(uid, decision.requeue_at)
        for command in decision.commands:
            self._issuer.issue(command, job=job, notes=notes, tenure=tenure, now=now)
        if job is not None and not job.deleting:
            self._repair(job, notes=notes, tenure=tenure, now=now)
        self._metrics.decided(len(decision.commands))
        if not decision.commands and job is not None and job.status.is_over:
            self._notebook.drop(uid)

    def _repair(self, job: JobView, *, notes: Notes, tenure: Tenure, now: float) -> None:
        """Put marks back on pods of the job that lost them, and look again in a while whether they have them now."""
        pods = self.store.lacking(job.uid)
        for pod in pods:
            if pod.name in notes.changing or now < notes.repair_after.get(pod.uid, 0.0):
                continue
            if pod.uid not in notes.repair_after:
                lost = ", ".join(pod.lacks)
                _log.warning("pod %s/%s lost %s: putting it back", pod.namespace, pod.name, lost)
            notes.repair_after[pod.uid] = now + PAUSE
            self._issuer.issue(repaired(pod, job=job), job=job, notes=notes, tenure=tenure, now=now)
        if pods:
            self._timers.bring_forward(job.uid, now + PAUSE)

    def _tenure_of(self, job: JobView | None, pods: tuple[PodView, ...]) -> Tenure | None:
        namespace = job.namespace if job is not None else pods[0].namespace
        return self._tenures.tenure(shard_of(namespace=namespace, shards=self._tenures.shards))

    def _forget(self, uid: str) -> None:
        self._timers.set(uid, None)
        self._backoff.succeeded(uid)
        self._notebook.drop(uid)
        departed = self.store.take_departed(uid)
        if departed is not None:
            self._keys.note_departed(departed)
