"""Carries out what was decided: sends a command to the writer, or has it wait, or first asks what it hangs on.

Called by the engine with the commands of each decision, and by the writer with the answers. It decides nothing about a job
and repeats nothing: whatever comes of a command, the job is marked, and the next look sees the new state.
"""

import functools
from collections.abc import Callable
from typing import Final

import msgspec

from podwright.core.accounting import Accounting
from podwright.core.commands import (
    ClaimKey,
    Command,
    Confirm,
    CreateChild,
    Delete,
    WriteStatus,
    is_cleanup,
    rank_of,
)
from podwright.core.constants.names import pod_name
from podwright.core.job.at_most_once import recorded_intent
from podwright.core.job.status import without_results
from podwright.core.view import JobView
from podwright.runtime.answers import Answers
from podwright.runtime.array_look import note_intents
from podwright.runtime.cleanup import Cleanup
from podwright.runtime.keys import Keys
from podwright.runtime.requests import request_for
from podwright.runtime.tenure import Tenure, Tenures
from podwright.runtime.writer import Refused, Result, Write, Writer
from podwright.store.jobs import JobStore
from podwright.store.notes import Notebook, Notes
from podwright.store.timers import Timers

_NEWS_PATIENCE: Final = 30.0  # seconds for which a busy operator may put off a write that only informs
_NEWS_PAUSE: Final = 1.0


class Issuer:
    """Made once per engine. `mark` asks for a look at a job."""

    def __init__(
        self,
        *,
        writer: Writer,
        keys: Keys,
        tenures: Tenures,
        answers: Answers,
        cleanup: Cleanup,
        store: JobStore,
        notebook: Notebook,
        timers: Timers,
        clock: Callable[[], float],
        mark: Callable[[str], None],
        accounting: Accounting,
    ) -> None:
        self._writer = writer
        self._keys = keys
        self._tenures = tenures
        self._answers = answers
        self._cleanup = cleanup
        self._store = store
        self._notebook = notebook
        self._timers = timers
        self._clock = clock
        self._mark = mark
        self._accounting = accounting

    def issue(self, command: Command, *, job: JobView | None, notes: Notes, tenure: Tenure, now: float) -> None:
        """Carry out a command that was just decided on this picture of the job, unless it must not be yet."""
        uid = command.of.uid
        if isinstance(command, Confirm):
            notes.doubtful_pods.add(command.name)
            notes.intent_epoch = -1  # it was judged not to be ours
            self._mark(uid)
        elif isinstance(command, WriteStatus) and command.deferrable and self._puts_off(notes, now):
            self._timers.set(uid, now + _NEWS_PAUSE)
        elif (
            isinstance(command, Delete)
            and command.target == command.of
            and job is not None
            and self._store.is_awaited(job)
        ):
            pass  # others wait for how it ended; the last of them to start or end marks it
        elif is_cleanup(command) and not self._cleanup.begin(uid):
            pass  # it waits in line
        elif isinstance(command, CreateChild) and job is not None and not _confirmed(job, notes, tenure):
            notes.doubtful = True
            self._mark(uid)
        elif isinstance(command, ClaimKey) and not self._keys.take_turn(command.lease_name, uid):
            pass  # another job asks about the same key, and its answer marks this one
        elif isinstance(command, WriteStatus) and job is not None and self._may_lack_a_pod(command, job, notes, tenure):
            notes.asked_for_pod_epoch = tenure.epoch
            notes.doubtful_pods.add(pod_name(job_name=job.name, job_uid=uid, task_index=0, attempt=0))
            self._mark(uid)
        else:
            self.submit(command, job=job, notes=notes, tenure=tenure)

    def submit(
        self,
        command: Command,
        *,
        job: JobView | None,
        notes: Notes,
        tenure: Tenure,
        then: Callable[[Result], None] | None = None,
    ) -> None:
        """Hand a command that writes to the writer. `then` is told what became of it.

        Raises:
            Exception: it cannot be put into a request; a template may hold what nobody foresaw.
        """
        if isinstance(command, WriteStatus) and notes.status_refused:
            command = msgspec.structs.replace(command, status=without_results(command.status))
        # First of all, since what is noted as under way must get an answer.
        request = request_for(
            command, job=job, tenure=tenure, lease_namespace=self._keys.namespace, accounting=self._accounting
        )
        notes.begin(command)
        if isinstance(command, CreateChild):
            notes.pod_asked = True
        elif isinstance(command, WriteStatus) and job is not None and _records_intent(command, job):
            # An answer that gets lost must not turn our intent into somebody else's.
            notes.intent_epoch, notes.pod_asked = tenure.epoch, False
        if isinstance(command, WriteStatus) and job is not None and job.array is not None:
            note_intents(command.status, job=job, notes=notes, epoch=tenure.epoch)
        write = Write(
            request=request,
            rank=rank_of(command),
            priority=0 if job is None else job.priority,
            refuse=functools.partial(self._refuse, command, job, tenure),
            done=functools.partial(self._done, command, job, then),
        )
        self._writer.submit(write)

    def _refuse(self, command: Command, job: JobView | None, tenure: Tenure) -> Refused | None:
        held = self._tenures.tenure(tenure.shard)
        if held is None or held.epoch != tenure.epoch:
            return Refused.NOT_LEADER
        # A write may wait long in a burst; what was decided on an older picture is decided again instead of sent.
        if isinstance(command, CreateChild | WriteStatus | ClaimKey) and self._store.job(command.of.uid) is not job:
            return Refused.OVERTAKEN
        return None

    def _done(
        self, command: Command, job: JobView | None, then: Callable[[Result], None] | None, result: Result
    ) -> None:
        notes = self._notebook.of(command.of.uid)
        notes.end(command)
        if is_cleanup(command):
            self._cleanup.end()
        self._answers.take(command, job=job, result=result, notes=notes, now=self._clock())
        if isinstance(command, ClaimKey):
            self._keys.take_answer(command, result=result, notes=notes, now=self._clock())
            for uid in self._keys.end_turn(command.lease_name):
                self._mark(uid)
        if then is not None:
            then(result)
        self._mark(command.of.uid)

    def _puts_off(self, notes: Notes, now: float) -> bool:
        if not self._writer.busy:
            notes.deferred_since = None
            return False
        if notes.deferred_since is None:
            notes.deferred_since = now
        return now - notes.deferred_since < _NEWS_PATIENCE

    def _may_lack_a_pod(self, command: WriteStatus, job: JobView, notes: Notes, tenure: Tenure) -> bool:
        """Return whether a job is to end without a pod although the shard's former holder may just have created one.

        A duplicate can't have had one: who holds its key has not changed.
        """
        status = command.status
        return (
            status.is_over
            and not status.attempts
            and not status.duplicate_of
            and job.array is None
            and not self._store.pods(job.uid)
            and job.resource_version <= tenure.baseline
            and notes.asked_for_pod_epoch != tenure.epoch
        )


def _confirmed(job: JobView, notes: Notes, tenure: Tenure) -> bool:
    """Return whether the job's picture is surely newer than anything the shard's former holder did."""
    return job.resource_version > tenure.baseline or notes.confirmed_epoch == tenure.epoch


def _records_intent(command: WriteStatus, job: JobView) -> bool:
    return recorded_intent(command.status) is not None and recorded_intent(job.status) is None
