"""Tells people, on the job's own status, of a job that cannot be understood or on which our own code failed.

Called by the job feed (through the engine) and by the engine at each look. To tell is all it does: the job stays as it is, and
is looked at again when it changes or, after an error of ours, ever more rarely.
"""

import functools
import logging
from collections.abc import Callable
from typing import Final

from podwright.core.commands import ReportProblem
from podwright.core.job.status import with_problem
from podwright.core.job.write import write_status
from podwright.core.run.phase import IllegalTransitionError
from podwright.core.shard import shard_of
from podwright.core.values.ref import JOB, Ref
from podwright.kube.client import ApiResponse
from podwright.kube.codecs.page import Undecodable
from podwright.runtime.backoff import Backoff
from podwright.runtime.issuer import Issuer
from podwright.runtime.metrics import Metrics
from podwright.runtime.tenure import Tenure, Tenures
from podwright.runtime.writer import Result
from podwright.store.jobs import JobStore
from podwright.store.notes import Notebook, Notes
from podwright.store.timers import Timers

_PAUSE: Final = 5.0

_log = logging.getLogger(__name__)


class Problems:
    """Made once per engine."""

    def __init__(
        self,
        *,
        issuer: Issuer,
        tenures: Tenures,
        backoff: Backoff,
        store: JobStore,
        notebook: Notebook,
        timers: Timers,
        clock: Callable[[], float],
        mark: Callable[[str], None],
        metrics: Metrics,
    ) -> None:
        self._issuer = issuer
        self._tenures = tenures
        self._backoff = backoff
        self._store = store
        self._notebook = notebook
        self._timers = timers
        self._clock = clock
        self._mark = mark
        self._metrics = metrics
        self._unreadable: dict[str, Undecodable] = {}
        self._told: dict[str, str] = {}  # by uid, the error that its status tells

    def uids(self) -> set[str]:
        """Return the uids of the jobs that cannot be understood."""
        return set(self._unreadable)

    def undecodable(self, item: Undecodable) -> None:
        """Record that a job cannot be understood; the next look at it tells so."""
        self._unreadable[item.uid] = item
        self._mark(item.uid)

    def has_to_tell(self, uid: str) -> bool:
        """Tell people of a job that cannot be understood, once per problem, since telling changes the job.

        Gives whether that is still to be done: then there is nothing to be decided on.
        """
        item = self._unreadable.get(uid)
        if item is None:
            return False
        job = self._store.job(uid)
        if self._store.job_was_deleted(uid) or (job is not None and job.resource_version > item.resource_version):
            self._forget(uid)
            return False
        if self._told.get(uid) == item.error:
            return False
        tenure = self._tenures.tenure(shard_of(namespace=item.namespace, shards=self._tenures.shards))
        if tenure is None:
            return True  # whoever holds the shard tells; when it becomes ours, everything is marked
        notes = self._notebook.of(uid)
        blocked = self._backoff.until(uid)
        if blocked > self._clock():
            self._timers.set(uid, blocked)
        elif not notes.outstanding:
            self._tell(item, notes=notes, tenure=tenure)
        return True

    def _tell(self, item: Undecodable, *, notes: Notes, tenure: Tenure) -> None:
        note = ReportProblem(
            of=Ref(JOB, item.uid),
            namespace=item.namespace,
            name=item.name,
            resource_version=item.resource_version,
            message=f"the operator cannot understand this job: {item.error}",
        )
        self._issuer.submit(note, job=None, notes=notes, tenure=tenure, then=functools.partial(self._answered, item))

    def _answered(self, item: Undecodable, result: Result) -> None:
        """Be done with it if it was told, and also if the API server does not want it told: asking again would not help."""
        if isinstance(result, ApiResponse) and result.status < 500 and result.status not in (409, 429):
            self._told[item.uid] = item.error

    def _forget(self, uid: str) -> None:
        self._unreadable.pop(uid, None)
        self._told.pop(uid, None)

    def failed(self, uid: str, error: Exception) -> None:
        """Tell that a look at a job failed by an error of ours, and have it tried again later."""
        now = self._clock()
        self._timers.set(uid, self._backoff.failed(uid, now=now, at_least=_PAUSE))
        self._metrics.internal_error()
        job = self._store.job(uid)
        _log.error("cannot decide on job %s: %s", f"{job.namespace}/{job.name}" if job else uid, error, exc_info=error)
        if job is None or job.status.is_over:
            return  # there is no status to say it on, or none that may change
        notes = self._notebook.of(uid)
        if isinstance(error, IllegalTransitionError):
            notes.doubtful = True  # the usual cause is a picture that is older than the pods
            return
        status = with_problem(job=job, message=f"the operator failed on this job and will try again: {error!r}")
        tenure = self._tenures.tenure(shard_of(namespace=job.namespace, shards=self._tenures.shards))
        if tenure is not None and status != job.status and not notes.outstanding:
            write = write_status(job=job, status=status, deferrable=True)
            try:
                self._issuer.submit(write, job=job, notes=notes, tenure=tenure)
            except Exception:
                # Its status holds what cannot be written again. There is nobody left to tell, and the others must go on.
                _log.exception("cannot tell of the problem on job %s/%s", job.namespace, job.name)
