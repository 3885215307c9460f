"""Tells people, on the job's own status, of a job that cannot be understood or on which our own code failed.

Called by the job feed (through the engine) and by the engine. To tell is all it does: the job stays as it is, and is looked
at again when it changes or, after an error of ours, ever more rarely.
"""

import logging
from collections.abc import Callable
from typing import Final

from podwright.core.commands import NoteProblem
from podwright.core.job.phase import IllegalTransitionError
from podwright.core.job.status import with_problem
from podwright.core.job.write import write_status
from podwright.core.shard import shard_of
from podwright.kube.decode import Undecodable
from podwright.runtime.backoff import Backoff
from podwright.runtime.issuer import Issuer
from podwright.runtime.metrics import Metrics
from podwright.runtime.tenure import Tenures
from podwright.store.jobs import JobStore
from podwright.store.notes import Notebook
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
        metrics: Metrics,
    ) -> None:
        self._issuer = issuer
        self._tenures = tenures
        self._backoff = backoff
        self._store = store
        self._notebook = notebook
        self._timers = timers
        self._clock = clock
        self._metrics = metrics
        self._told: dict[str, str] = {}

    def undecodable(self, item: Undecodable) -> None:
        """Tell that a job cannot be understood; once per problem, since telling changes the job."""
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
        self._issuer.submit(note, job=None, notes=self._notebook.of(item.uid), tenure=tenure)

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
            self._issuer.submit(write, job=job, notes=notes, tenure=tenure)
