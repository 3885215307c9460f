"""The engine's picture of jobs and their pods, kept by the reflectors' events and by the answers to our own writes.

No IO and no decisions. Two rules make it safe to decide on:
- an object only ever moves forward in resourceVersion, so a late event or an old list cannot undo what we wrote
  (KEP-5504: versions of one resource are comparable);
- what was deleted stays known as deleted for a while, so that neither can bring it back.
Whose a pod is, is decided once, by its marks when it first comes in (`core.job.identity`); a pod that is nobody's is not kept.
"""

from collections.abc import Callable, Generator, Iterable
from typing import Final

import msgspec

from podwright.core.attempt.ending import end_is_recorded
from podwright.core.constants.names import LABEL_JOB_UID
from podwright.core.job.gates.dependency import Dependencies
from podwright.core.job.identity import belongs
from podwright.core.job.repair import is_unwatched
from podwright.core.model.job import JobView
from podwright.core.model.pod import PodView
from podwright.core.run.retention import pods_go_early
from podwright.store.compaction import compacted, is_closed, keeps_pods, kept_pod, lacks_pods
from podwright.store.dead_letters import DeadLetters
from podwright.store.dependents import Dependents
from podwright.store.full_list import replace_in_steps
from podwright.store.owner_index import OwnerIndex
from podwright.store.tombstones import Tombstones

_SETTLED_KNOWN: Final = 10_000  # pods of arrays, so many that late events of more are rare


class JobStore:
    """Jobs by uid, and the pods of each.

    `on_change` is told the uid of each job that must be reconciled, `on_pod_end` the namespace of each pod that stopped using quota.

    `dead_letters` counts them, for the metrics.
    """

    def __init__(
        self, *, on_change: Callable[[str], None], on_pod_end: Callable[[str], None] = lambda namespace: None
    ) -> None:
        self.dead_letters = DeadLetters()
        self._on_change = on_change
        self._on_pod_end = on_pod_end
        self._jobs: dict[str, JobView] = {}
        self._pods = OwnerIndex[PodView]()
        self._deleted = Tombstones()
        self._departed: dict[str, JobView] = {}
        self._dependents = Dependents(jobs=self._jobs, pods=self._pods.by_owner, on_change=on_change)
        self._settled = Tombstones(capacity=_SETTLED_KNOWN)
        self._incomplete: set[str] = set()
        self._incomplete_marks: set[str] = set()  # jobs some of whose pods may lack marks of ours
        self._unlisted: dict[str, set[str]] = {}  # by job, names of held pods that the last list lacked

    # What decisions read.

    def job(self, uid: str) -> JobView | None:
        """Return the job of that uid, or None if it is not (or no longer) known."""
        return self._jobs.get(uid)

    def pods(self, job_uid: str) -> tuple[PodView, ...]:
        """Return all pods that the job controls, vanished ones whose end is unrecorded included."""
        return tuple(self._pods.of(job_uid).values())

    def lacking(self, job_uid: str) -> tuple[PodView, ...]:
        """Return the pods of the job that lack marks of ours and are still there."""
        if job_uid not in self._incomplete_marks:
            return ()
        lacking = tuple(pod for pod in self.pods(job_uid) if pod.lacks and not pod.gone)
        if not lacking:
            self._incomplete_marks.discard(job_uid)
        return lacking

    def take_unlisted(self, job_uid: str) -> Iterable[str]:
        """Return, once, the names of pods that the last list lacked although they can't be gone: they must be read."""
        return self._unlisted.pop(job_uid, ()) if self._unlisted else ()

    def job_was_deleted(self, uid: str) -> bool:
        """Return whether the job is known to be deleted, rather than just not known."""
        return uid in self._deleted

    def dependencies(self, job: JobView) -> Dependencies:
        """Return what is known of the jobs that a job depends on."""
        return self._dependents.of(job)

    def is_awaited(self, job: JobView) -> bool:
        """Return whether a job that has not started depends on this one, so that its record is still needed."""
        return self._dependents.is_awaited(job)

    def work_off(self, clock: Callable[[], float]) -> float | None:
        """Do a piece of what events left to be done; return when the next is due by the clock, None if nothing is left."""
        return self._dependents.work_off(clock)

    def take_departed(self, uid: str) -> JobView | None:
        """Return, once, the last view of a deleted job that had an idempotency key."""
        return self._departed.pop(uid, None)

    def lacks_pods(self, job_uid: str) -> bool:
        """Return whether pods of the job were forgotten that are to be deleted now: `spec.retention.podSeconds` came later."""
        return job_uid in self._incomplete

    def uids(self) -> set[str]:
        """Return the uids of all jobs that exist or still have pods."""
        return self._jobs.keys() | self._pods.by_owner.keys()

    def counts(self) -> tuple[int, int]:
        """Return how many jobs and how many pods are kept."""
        return len(self._jobs), len(self._pods)

    # What the job reflector and our own writes feed.

    def put_job(self, job: JobView) -> None:
        """Store a job unless a newer version of it, or its deletion, is known."""
        known = self._jobs.get(job.uid)
        if (known is not None and known.resource_version >= job.resource_version) or job.uid in self._deleted:
            return
        if known is None:
            for pod in self.pods(job.uid):
                if not belongs(pod, job):
                    self._pods.drop(pod.uid)
        if known is not None and lacks_pods(known, now=job):
            self._incomplete.add(job.uid)
        # Until status says that an edit was seen, all of it is needed for the write that says so.
        seen = job.deleting or not 0 < job.status.observed_generation < job.generation
        self._jobs[job.uid] = compacted(job) if is_closed(job) and seen else job
        self.dead_letters.replace(known, job)
        self._drop_needless(job)
        self._on_change(job.uid)
        self._dependents.put(known, self._jobs[job.uid])

    def remove_job(self, uid: str) -> None:
        """Record that a job is gone; its pods stay until they are gone as well."""
        job = self._jobs.pop(uid, None)
        self.dead_letters.replace(job, None)
        self._incomplete.discard(uid)
        self._deleted.add(uid)
        for pod in self.pods(uid):
            if pod.gone or not pod.held:
                self._pods.drop(pod.uid)
        self._on_change(uid)
        if job is not None:
            self._dependents.remove(job)
            if job.idempotency_key:
                self._departed[uid] = job

    def replace_jobs(
        self,
        jobs: Iterable[JobView],
        *,
        list_version: int,
        also_present: frozenset[str] | set[str] = frozenset(),
        namespace: str = "",
    ) -> Generator[None, None, None]:
        """Store a full list, in steps: what it lacks is gone, unless it is newer than the list.

        `also_present` are uids that were listed without a picture that could be understood. The list is of one `namespace`, or
        of all.
        """
        return replace_in_steps(
            jobs,
            put=self.put_job,
            known=self._jobs.values,
            remove=lambda job: self.remove_job(job.uid),
            list_version=list_version,
            also_present=also_present,
            namespace=namespace,
        )

    # What the pod reflector and our own writes feed.

    def put_pod(self, pod: PodView) -> None:
        """Store a pod of one of our jobs unless a newer version of it, or its deletion, is known."""
        pod = self._identified(pod)
        if not pod.job_uid or pod.uid in self._deleted or pod.uid in self._settled:
            return
        known = self._pods.of(pod.job_uid).get(pod.uid)
        if known is None:
            job = self._jobs.get(pod.job_uid)
            if job is not None and not belongs(pod, job):
                return
        elif known.resource_version >= pod.resource_version:
            return
        self._put(pod)
        if pod.finished and (known is None or not known.finished):
            self._on_pod_end(pod.namespace)
        if pod.started is not None and (known is None or known.started is None):
            self._dependents.pod_started(pod.job_uid)
        if not pod.unsettled and self._wants_pods(pod.job_uid):
            self._put(kept_pod(pod))
        elif not pod.unsettled and self._settle(pod):
            self._pods.drop(pod.uid)
        self._on_change(pod.job_uid)

    def lose_sight(self, pod: PodView) -> None:
        """Record that the watch reports a pod no more although it must still be there: somebody took its label off."""
        pod = self._identified(pod)
        if self._pods.owner_of(pod.uid) is not None:
            self._put(msgspec.structs.replace(pod, lacks=(LABEL_JOB_UID,)))
            self._on_change(pod.job_uid)

    def remove_pod(self, pod: PodView) -> None:
        """Record that a pod is gone. If its end is not on record yet, keep it as gone until it is."""
        pod = self._identified(pod)
        if not pod.job_uid:
            return
        job, last = self._jobs.get(pod.job_uid), self._pods.of(pod.job_uid).get(pod.uid)
        if last is None and job is not None and not belongs(pod, job):
            return
        self._deleted.add(pod.uid)
        if last is not None and not last.finished:
            self._on_pod_end(pod.namespace)
        if last is not None and pod.resource_version < last.resource_version:
            pod = last
        if job is not None and not is_closed(job) and not end_is_recorded(job=job, pod=pod):
            self._put(msgspec.structs.replace(pod, gone=True))
        elif last is not None:
            self._pods.drop(pod.uid)
        self._on_change(pod.job_uid)

    def _identified(self, pod: PodView) -> PodView:
        """Return a known pod as that of the job that it is known to be of: whose a pod is can't change."""
        job_uid = self._pods.owner_of(pod.uid)
        if job_uid is None or pod.job_uid == job_uid:
            return pod
        known = self._pods.of(job_uid)[pod.uid]
        return msgspec.structs.replace(
            pod, job_uid=job_uid, job_name=known.job_name, task_index=known.task_index, attempt=known.attempt
        )

    def remove_pod_by_uid(self, uid: str) -> None:
        """Record that a pod is gone of which only the uid is known."""
        pod = self._pods.child(uid)
        if pod is not None:
            self.remove_pod(pod)

    def put_all_pods(self, job_uid: str, pods: Iterable[PodView]) -> None:
        """Store all pods of one job that were forgotten; one that was deleted meanwhile turns out so when it is deleted."""
        self._incomplete.discard(job_uid)
        for pod in pods:
            self._deleted.discard(pod.uid)
            self._settled.discard(pod.uid)
            self.put_pod(pod)

    def replace_pods(
        self,
        pods: Iterable[PodView],
        *,
        list_version: int,
        also_present: frozenset[str] | set[str] = frozenset(),
        namespace: str = "",
    ) -> Generator[None, None, None]:
        """Store a full list, as `replace_jobs` does, except that a pod that can't be gone is to be read first."""
        self._unlisted = {uid: names for uid, names in self._unlisted.items() if uid in self._pods.by_owner}
        return replace_in_steps(
            pods,
            put=self.put_pod,
            known=lambda: (pod for pods in self._pods.by_owner.values() for pod in pods.values()),
            remove=self._lacked,
            list_version=list_version,
            also_present=also_present,
            namespace=namespace,
        )

    def _lacked(self, pod: PodView) -> None:
        """Record that a full list lacks a pod."""
        if pod.gone or is_unwatched(pod):
            return
        if self._may_only_be_unlabelled(pod):
            self._unlisted.setdefault(pod.job_uid, set()).add(pod.name)
            self._on_change(pod.job_uid)
        else:
            self.remove_pod(pod)

    def _may_only_be_unlabelled(self, pod: PodView) -> bool:
        """Return whether a pod that a list by label lacks may still run although its job would be told that it is lost.

        What our finalizer holds is gone only after its deletion is on record, unless somebody took the finalizer off by hand; to take
        the label off is as easy.
        """
        job = self._jobs.get(pod.job_uid)
        return (
            pod.held
            and pod.deletion_requested is None
            and job is not None
            and not is_closed(job)
            and not end_is_recorded(job=job, pod=pod)
        )

    def _put(self, pod: PodView) -> None:
        self._pods.put(pod.job_uid, pod)
        if pod.lacks:
            self._incomplete_marks.add(pod.job_uid)

    def _drop_needless(self, job: JobView) -> None:
        if not self._pods.of(job.uid):
            return
        over = is_closed(job)
        wanted = not over or keeps_pods(job)

        def is_needed(pod: PodView) -> bool:
            if pod.unsettled:
                return True
            if over:
                return wanted and not pod.gone
            # A single job's pods stay until its end; those of an array would become too many, unless they are to be deleted now.
            kept = job.array is None or _is_to_be_deleted(job, pod)
            return not ((pod.gone or not kept) and end_is_recorded(job=job, pod=pod))

        for pod in self.pods(job.uid):
            if not is_needed(pod):
                self._pods.drop(pod.uid)
            elif over and not pod.unsettled:
                self._pods.put(job.uid, kept_pod(pod))

    def _wants_pods(self, job_uid: str) -> bool:
        job = self._jobs.get(job_uid)
        return job is not None and is_closed(job) and keeps_pods(job)

    def _settle(self, pod: PodView) -> bool:
        """Forget a released pod if nothing will ever be decided on it again; tell whether that is so."""
        job = self._jobs.get(pod.job_uid)
        if job is not None and not is_closed(job):
            if job.array is None or _is_to_be_deleted(job, pod) or not end_is_recorded(job=job, pod=pod):
                return False
            # Should an event bring it back after we forgot this, then as a pod whose end is on record: it is let go of again.
            self._settled.add(pod.uid)
            return True
        if job is None and pod.job_uid not in self._deleted:
            return False
        self._deleted.add(pod.uid)  # late events must not bring it back
        return True


def _is_to_be_deleted(job: JobView, pod: PodView) -> bool:
    """Return whether a pod that has ended goes before its job's end: until that is asked for it must be known."""
    return pods_go_early(job) and pod.deletion_requested is None and not pod.gone
