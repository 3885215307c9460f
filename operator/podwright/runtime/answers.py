"""What the answer to a write means: success goes into the store at once, anything unclear becomes a doubt or a backoff.

Called by the engine only. It never repeats a request; it changes what the next look sees.
"""

import logging
from typing import Final

import msgspec

from podwright.core.attempt.refusal import refused, surely_not_created
from podwright.core.commands import ClaimKey, Command, CreateChild, Delete, PatchChild, Release, WriteStatus
from podwright.core.job.at_most_once import recorded_intent
from podwright.core.view import JobView, PodView, RefusalKind
from podwright.kube.client import Ambiguous, ApiResponse, Unsent
from podwright.kube.codecs.page import decode_metadata, decode_pod
from podwright.kube.errors import DecodeError, StatusError, parse_status
from podwright.runtime.backoff import Backoff
from podwright.runtime.metrics import Metrics
from podwright.runtime.writer import Refused, Result
from podwright.store.jobs import JobStore
from podwright.store.notes import REQUEST_LIFE, Notes

_REFUSED_PAUSE: Final = 5.0
_FENCED_PAUSE: Final = 0.5

_log = logging.getLogger(__name__)


class Answers:
    """Takes answers in. `backoff` holds the jobs that must be left alone for a while (Unix seconds)."""

    def __init__(self, *, store: JobStore, metrics: Metrics) -> None:
        self._store = store
        self._metrics = metrics
        self.backoff = Backoff()

    def take(self, command: Command, *, job: JobView | None, result: Result, notes: Notes, now: float) -> None:
        """Take in the result of one command that was decided on this picture of the job."""
        self._metrics.answered(command, result, before=job)
        if isinstance(command, CreateChild) and _surely_not_created(result):
            notes.pod_asked = False
            notes.intents.not_created(command.spec.task_index)
        if isinstance(result, Refused):
            return
        if isinstance(result, ApiResponse) and result.status < 300:
            try:
                self._success(command, body=result.body, notes=notes, now=now)
            except DecodeError as error:
                _log.warning("cannot understand the answer to a %s: %s", type(command).__name__, error)
                self._unknown(command, notes=notes, now=now)
                self.backoff.failed(command.of.uid, now=now)
            else:
                self.backoff.succeeded(command.of.uid)
        elif isinstance(command, CreateChild) and isinstance(result, ApiResponse) and _admission_failed(result):
            self._not_created(command, error=parse_status(result.status, result.body), notes=notes, now=now)
        elif isinstance(result, Ambiguous) or (isinstance(result, ApiResponse) and result.status >= 500):
            # A server error does not tell whether the write was carried out either.
            self._unknown(command, notes=notes, now=now)
            self.backoff.failed(command.of.uid, now=now, at_least=_pause(result))
        elif isinstance(result, Unsent) or result.status == 429:
            self.backoff.failed(command.of.uid, now=now, at_least=_pause(result))
        else:
            self._failure(command, error=parse_status(result.status, result.body), notes=notes, now=now)

    def _success(self, command: Command, *, body: bytes, notes: Notes, now: float) -> None:
        match command:
            case CreateChild():
                if notes.refusal is not None and notes.refusal.kind is not RefusalKind.PERMANENT:
                    notes.refusal = None  # one that lasts ends the job, whatever became of other tasks' pods
                notes.missing.pop(command.name, None)
                self._created(command, body=body, now=now)
            case WriteStatus():
                notes.deferred_since = None
                notes.status_refused = False
                notes.written_at = now
                self._status_written(command, body=body)
            case Delete() if command.target == command.of:
                self._store.remove_job(command.of.uid)
            case Delete() | PatchChild():
                # The whole pod: whether a pod that is being deleted had a node decides whether it may still run, and one whose
                # labels are taken off again is seen in no other way.
                pod = decode_pod(body)
                if pod is None:
                    notes.doubtful_pods.add(command.name)
                else:
                    self._store.put_pod(pod)
            case Release():
                self._released(command, body=body)

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

    def _status_written(self, command: WriteStatus, *, body: bytes) -> None:
        job = self._store.job(command.of.uid)
        if job is None or job.resource_version != command.resource_version:
            return  # the watch was faster
        self._store.put_job(
            msgspec.structs.replace(
                job,
                status=command.status,
                resource_version=decode_metadata(body).resource_version,
                template=b"" if command.status.is_over else job.template,
            )
        )

    def _released(self, command: Release, *, body: bytes) -> None:
        version = decode_metadata(body).resource_version
        for pod in self._store.pods(command.of.uid):
            if pod.uid != command.target.uid or not pod.held:
                continue
            released = msgspec.structs.replace(pod, held=False, resource_version=max(version, pod.resource_version))
            if version > pod.resource_version:
                self._store.put_pod(released)
            else:
                # No new version was stored: ours was the last finalizer of a deleted pod, which is gone with it.
                self._store.remove_pod(released)

    def _unknown(self, command: Command, *, notes: Notes, now: float) -> None:
        match command:
            case CreateChild():
                # It may be repeated under its name, but before the job can end otherwise its pod must be looked for.
                notes.unanswered[command.name] = now + REQUEST_LIFE
                notes.doubtful_pods.add(command.name)
            case ClaimKey():
                notes.key_doubtful = True
            case Delete() | Release() | PatchChild() if command.target != command.of:
                notes.doubtful_pods.add(command.name)
            case WriteStatus() | Delete():
                notes.doubtful = True

    def _failure(self, command: Command, *, error: StatusError, notes: Notes, now: float) -> None:
        match command:
            case CreateChild():
                self._not_created(command, error=error, notes=notes, now=now)
            case PatchChild():
                notes.doubtful_pods.add(command.name)
                _log.warning("cannot put the labels of pod %s/%s back: %s", command.namespace, command.name, error)
                return  # tried again in a while; the job goes on meanwhile
            case Delete() | Release() if command.target != command.of:
                notes.doubtful_pods.add(command.name)
            case WriteStatus() | Delete():
                notes.doubtful = True
                notes.intents.forget()
                if isinstance(command, WriteStatus) and recorded_intent(command.status) is not None:
                    notes.intent_epoch = -1  # whatever intent is on record, it is not the one that was refused
            case ClaimKey():
                notes.key_doubtful = error.code == 409
                if notes.key_doubtful:
                    return  # somebody has it: no failure, but to be read at once
        if isinstance(command, WriteStatus) and error.code == 422 and error.genuine:
            notes.status_refused = True
        if error.code not in (404, 409):
            if not isinstance(command, CreateChild):
                _log.error("%s refused: %s", type(command).__name__, error)
                self.backoff.failed(command.of.uid, now=now, at_least=_REFUSED_PAUSE)
        elif not isinstance(command, CreateChild):
            self.backoff.failed(command.of.uid, now=now)

    def _not_created(self, command: CreateChild, *, error: StatusError, notes: Notes, now: float) -> None:
        if error.code == 409 and error.reason == "AlreadyExists":
            notes.doubtful_pods.add(command.name)
        elif error.fenced:
            self._metrics.fenced()
            _log.warning("the admission policy refused a pod of this epoch: %s", error.message)
            self.backoff.failed(command.of.uid, now=now, at_least=_FENCED_PAUSE)
        elif error.code in (404, 409):
            notes.doubtful = True
            self.backoff.failed(command.of.uid, now=now, at_least=_FENCED_PAUSE)
        else:
            notes.refusal = refused(
                before=notes.refusal,
                task_index=command.spec.task_index,
                attempt=command.spec.attempt,
                job_uid=command.of.uid,
                code=error.code,
                message=error.message,
                genuine=error.genuine,
                now=now,
            )


def _surely_not_created(result: Result) -> bool:
    """Return whether a request to create an object was surely not carried out, so that it may be made once more."""
    if isinstance(result, ApiResponse):
        return 400 <= result.status < 500 or _admission_failed(result)
    return not isinstance(result, Ambiguous)


def _admission_failed(result: ApiResponse) -> bool:
    """Return whether a server error surely came before anything was stored."""
    return result.status >= 500 and surely_not_created(
        code=result.status, message=parse_status(result.status, result.body).message
    )


def _pause(result: Result) -> float:
    if isinstance(result, ApiResponse) and result.retry_after is not None:
        return result.retry_after
    return 0.0
