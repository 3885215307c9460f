"""What becomes of the writes for BatchJobs: what was written goes into the store, and what was refused is remembered.

Called by the dispatcher when a write is queued, and with its response. It decides nothing: the next reconcile sees what is changed here.
"""

from collections.abc import Callable

import msgspec

from podwright.core.attempt.refusal import refused
from podwright.core.commands import ClaimKey, Command, Confirm, CreateChild, Delete, PatchChild, Release, WriteStatus
from podwright.core.job.at_most_once import recorded_intent
from podwright.core.job.gates.capacity import rests
from podwright.core.job.oversize import Oversize, did_not_fit
from podwright.core.model.attempt import Refusal, RefusalKind
from podwright.core.model.job import JobStatus, JobView
from podwright.core.model.pod import PodView
from podwright.core.values.index_set import EMPTY
from podwright.kube.codecs.answer import decode_metadata, decode_pod, decode_version
from podwright.kube.errors import StatusError
from podwright.kube.responses import ApiResponse, Unsent
from podwright.runtime.controllers.controller import Subject
from podwright.runtime.events import EventRecorder
from podwright.runtime.keys import Keys
from podwright.runtime.lanes import Result, Withheld
from podwright.runtime.leader_term import LeaderTerm
from podwright.runtime.lines import QUOTA
from podwright.store.job_expectations import Intents, JobExpectations
from podwright.store.jobs import JobStore


class JobOutcomes:
    """Made once per controller of jobs. `mark` asks for a job to be reconciled."""

    def __init__(
        self, *, store: JobStore, keys: Keys, events: EventRecorder | None, mark: Callable[[str], None]
    ) -> None:
        self._store = store
        self._keys = keys
        self._events = events
        self._mark = mark

    def begin(self, command: Command, *, expectations: JobExpectations, term: LeaderTerm) -> None:
        """Record what is asked for under `deliveryMode: AtMostOnce`."""
        if isinstance(command, CreateChild):
            expectations.pod_asked = expectations.recalled = True
            if expectations.intents is not None:
                expectations.intents.asked(command.spec.task_index)
            return
        job = self._store.job(command.of.uid)
        if not isinstance(command, WriteStatus) or job is None:
            return
        if recorded_intent(command.status) is not None and recorded_intent(job.status) is None:
            # A response that gets lost must not turn our intent into somebody else's.
            expectations.intent_epoch, expectations.pod_asked = term.epoch, False
            expectations.intent_version = command.resource_version
        if job.array is not None:
            _record_intents(command.status, job=job, expectations=expectations, epoch=term.epoch)

    def succeeded(
        self, command: Command, *, before: Subject | None, body: bytes, expectations: JobExpectations, now: float
    ) -> None:
        """Put what was written into the store."""
        match command:
            case CreateChild():
                if expectations.waits_for != QUOTA:
                    expectations.waits_for = ""
                    refusal = expectations.refusal
                    if refusal is not None and refusal.kind is not RefusalKind.PERMANENT and not _is_for_quota(refusal):
                        expectations.refusal = None  # one that lasts ends the job, whatever became of other tasks' pods
                self._created(command, body=body, now=now)
            case WriteStatus():
                expectations.written_at = now
                expectations.invalid_status = False
                version = self._status_written(command, body=body)
                if self._events is not None and isinstance(before, JobView):
                    self._events.status_written(job=before, after=command.status)
                if expectations.oversize is not None:
                    # What fitted was the smaller status; the next one is written small at once.
                    expectations.oversize = Oversize(version=version)
            case Delete() if command.target == command.of:
                self._store.remove_job(command.of.uid)
            case Delete() | PatchChild():
                # The whole pod: whether a pod that is being deleted had a node decides whether it may still run, and one whose
                # labels are taken off again is seen in no other way.
                pod = decode_pod(body)
                if pod is None:
                    expectations.confirm_children.add(command.name)
                else:
                    self._store.put_pod(pod)
            case Release():
                self._released(command, body=body)

    def not_created(self, command: CreateChild, *, expectations: JobExpectations) -> None:
        """Record that the pod of an intent was not asked for after all."""
        expectations.pod_not_created(command.spec.task_index)

    def refused(self, command: CreateChild, *, error: StatusError, expectations: JobExpectations, now: float) -> str:
        """Record the refusal, for policies to judge."""
        expectations.refusal = refused(
            before=expectations.refusal,
            task_index=command.spec.task_index,
            attempt=command.spec.attempt,
            job_uid=command.of.uid,
            code=error.code,
            message=error.message,
            genuine=error.genuine,
            now=now,
        )
        return expectations.refusal.cause

    def status_refused(self, command: WriteStatus, *, error: StatusError, expectations: JobExpectations) -> None:
        """Forget the intents that this write was to record: if they are on record, then by somebody else.

        Remember that a status was found invalid.
        """
        expectations.invalid_status = error.genuine and error.code == 422
        _forget_intents(command, expectations)

    def status_too_large(self, command: WriteStatus, *, expectations: JobExpectations, now: float) -> None:
        """Have a smaller status written next, or see to it that nothing goes on that can't be recorded."""
        expectations.oversize = did_not_fit(command, before=expectations.oversize, now=now)
        _forget_intents(command, expectations)

    def confirming(self, command: Confirm, *, expectations: JobExpectations) -> None:
        """Forget our intent: it was judged not to be ours."""
        expectations.intent_epoch = -1

    def ended(self, command: Command, *, result: Result, expectations: JobExpectations, now: float) -> None:
        """Hand on what became of a claim to a key, and keep intents that a write which was never made would have taken back."""
        if expectations.intents is not None and isinstance(command, WriteStatus) and _never_made(result):
            expectations.intents.not_written()
        if isinstance(command, ClaimKey):
            self._keys.take_answer(command, result=result, expectations=expectations, now=now)
            for uid in self._keys.end_turn(command.lease_name):
                self._mark(uid)

    def _created(self, command: CreateChild, *, body: bytes, now: float) -> None:
        metadata = decode_metadata(body)
        job = self._store.job(command.of.uid)
        self._store.put_pod(
            PodView(
                uid=metadata.uid,
                namespace=command.namespace,
                name=command.name,
                resource_version=metadata.resource_version,
                job_uid=command.of.uid,
                job_name="" if job is None else job.name,
                task_index=command.spec.task_index,
                attempt=command.spec.attempt,
                created=now,
                held=metadata.held,
                lacks=metadata.lacks,
            )
        )

    def _status_written(self, command: WriteStatus, *, body: bytes) -> int:
        """Put the written status into the store; return the job's new version."""
        version = decode_version(body)
        job = self._store.job(command.of.uid)
        if job is None or job.resource_version != command.resource_version:
            return version  # the watch was faster
        at_rest = rests(suspend=job.suspend, generation=job.generation, phase=command.status.phase)
        self._store.put_job(
            msgspec.structs.replace(
                job,
                status=command.status,
                resource_version=version,
                template=b"" if command.status.is_over or at_rest else job.template,
            )
        )
        return version

    def _released(self, command: Release, *, body: bytes) -> None:
        version = decode_version(body)
        for pod in self._store.pods(command.of.uid):
            if pod.uid != command.target.uid or not pod.held:
                continue
            released = msgspec.structs.replace(pod, held=False, resource_version=max(version, pod.resource_version))
            if version > pod.resource_version:
                self._store.put_pod(released)
            else:
                # No new version was stored: ours was the last finalizer of a deleted pod, which is gone with it.
                self._store.remove_pod(released)


def _never_made(result: Result) -> bool:
    """Return whether a write was not sent, or was turned away before it was looked at."""
    return isinstance(result, Withheld | Unsent) or (isinstance(result, ApiResponse) and result.status == 429)


def _forget_intents(command: WriteStatus, expectations: JobExpectations) -> None:
    """Forget the intents that a status write was to record, which was refused."""
    if expectations.intents is not None:
        expectations.intents.refused()
    if recorded_intent(command.status) is not None and command.resource_version == expectations.intent_version:
        expectations.intent_epoch = -1


def _is_for_quota(refusal: Refusal) -> bool:
    return refusal.kind is RefusalKind.RETRYABLE and refusal.reason == "QuotaExceeded"


def _record_intents(status: JobStatus, *, job: JobView, expectations: JobExpectations, epoch: int) -> None:
    """Record what a status write is about to record as started."""
    before = EMPTY if job.status.array is None else job.status.array.started
    after = EMPTY if status.array is None else status.array.started
    if expectations.intents is None:
        if not (before or after):
            return  # as of every array but those under AtMostOnce
        expectations.intents = Intents()
    expectations.intents.write(added=after - before, withdrawn=before - after, epoch=epoch)
