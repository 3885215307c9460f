"""Resolves what is in doubt about a job by asking the API server itself, before anything is decided on it.

Called by the engine, which leaves the job alone until the answer marks it again. An answer only clears the doubts that it
was asked for: what came into doubt while it was under way is read next.
"""

from collections.abc import Callable

from podwright.core.view import JobView, PodView
from podwright.runtime.backoff import Backoff
from podwright.runtime.keys import Keys
from podwright.runtime.reads import Reads
from podwright.runtime.tenure import Tenure
from podwright.store.jobs import JobStore
from podwright.store.notes import Notes


class Doubts:
    """Made once per engine. `mark` asks for a look at a job."""

    def __init__(
        self,
        *,
        reads: Reads,
        keys: Keys,
        store: JobStore,
        backoff: Backoff,
        clock: Callable[[], float],
        mark: Callable[[str], None],
    ) -> None:
        self._reads = reads
        self._keys = keys
        self._store = store
        self._backoff = backoff
        self._clock = clock
        self._mark = mark

    def read(self, uid: str, *, job: JobView | None, pods: tuple[PodView, ...], notes: Notes, tenure: Tenure) -> None:
        """Read the job and those of its pods that its notes call doubtful."""
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
                notes.doubtful_pods -= doubted_pods
            else:
                self._backoff.failed(uid, now=self._clock())
            self._mark(uid)

        self._reads.start(
            store=self._store,
            uid=uid,
            namespace=namespace,
            job_name=name,
            job=doubted,
            pods=doubted_pods,
            notes=notes,
            now=self._clock,
            done=done,
        )

    def read_key(self, job: JobView, *, notes: Notes) -> None:
        """Ask who holds the job's key, unless that is being asked, or was a moment ago."""
        lease = self._keys.lease_of(job)
        if self._keys.is_known(lease, now=self._clock()):
            notes.key_doubtful = False
            self._mark(job.uid)
            return
        if not self._keys.take_turn(lease, job.uid):
            return
        notes.begin(None)

        def done(error: Exception | None) -> None:
            notes.end(None)
            if error is None:
                notes.key_doubtful = False
            else:
                self._backoff.failed(job.uid, now=self._clock())
            for uid in self._keys.end_turn(lease):
                self._mark(uid)
            self._mark(job.uid)

        self._keys.start_reading(job=job, notes=notes, now=self._clock, done=done)
