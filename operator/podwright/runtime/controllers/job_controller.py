"""BatchJobs: what the engine needs to reconcile them. Decisions are in `job_decision`, reads in `job_reads`, responses in `job_outcomes`."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from podwright.core.accounting import Accounting
from podwright.core.attempt.refusal import recalled
from podwright.core.commands import ClaimKey, Command, CreateChild, Decision, Delete, WriteStatus, is_child_change
from podwright.core.constants import names
from podwright.core.constants.names import pod_name
from podwright.core.job.array.refusals import recalled as recalled_of_array
from podwright.core.job.basis import still_creates
from podwright.core.job.gates.gate import may_be_gated
from podwright.core.job.status import with_problem, write_status
from podwright.core.model.job import JobView
from podwright.core.model.phase import TERMINAL, IllegalTransitionError
from podwright.core.values.ref import JOB, Ref
from podwright.kube.codecs.page import JOBS, PODS
from podwright.kube.codecs.requests import ApiRequest, jobs_path, pods_path
from podwright.runtime.cache_check import CacheCheck
from podwright.runtime.controllers.controller import Engine, Reflected
from podwright.runtime.controllers.job_decision import JobDecisions
from podwright.runtime.controllers.job_outcomes import JobOutcomes
from podwright.runtime.controllers.job_reads import JobReads, KeyReads
from podwright.runtime.events import EventRecorder
from podwright.runtime.feeds import ObjectFeed, ObjectFeeds, PodFeed
from podwright.runtime.keys import Keys
from podwright.runtime.leader_term import LeaderTerm
from podwright.runtime.read_places import ReadPlaces
from podwright.runtime.requests import request_for
from podwright.runtime.writer import Send
from podwright.store.expectations import Expectations, ExpectationsOfAll
from podwright.store.job_expectations import JobExpectations
from podwright.store.jobs import JobStore


class JobController:
    """The controller of BatchJobs. `store` is what its feeds fill."""

    def __init__(
        self,
        *,
        engine: Engine,
        send: Send,
        reads: ReadPlaces,
        keys: Keys,
        clock: Callable[[], float],
        accounting: Accounting = Accounting.EXACT,
        events: EventRecorder | None = None,
    ) -> None:
        self._engine = engine
        self._keys = keys
        self._clock = clock
        self._accounting = accounting
        self.expectations: ExpectationsOfAll[Any] = ExpectationsOfAll(JobExpectations)
        self.store = JobStore(on_change=self._mark, on_pod_end=engine.child_ended)
        self.reads = JobReads(send=send, store=self.store, clock=clock)
        self.outcomes = JobOutcomes(store=self.store, keys=keys, events=events, mark=self._mark)
        self._decisions = JobDecisions(store=self.store, keys=keys, events=events)
        self._key_reads = KeyReads(keys=keys, places=reads, engine=engine, clock=clock)
        self._feeds = ObjectFeeds(
            lambda namespace: ObjectFeed(
                JOB,
                put=self.store.put_job,
                remove=self.store.remove_job,
                replace=self.store.replace_jobs,
                engine=engine,
                namespace=namespace,
            )
        )

        self.cache_check = CacheCheck(
            kind=JOB,
            send=send,
            paths=lambda: [jobs_path(namespace) for namespace in self._feeds.namespaces],
            selector=",".join(f"status.phase!={phase}" for phase in sorted(TERMINAL)),
            version_of=self._version_of,
            mark=engine.mark,
        )

    @property
    def kind(self) -> str:
        """Return the kind."""
        return JOB

    def reflected(self) -> Sequence[Reflected]:
        """Return the collections of jobs and of their pods."""
        return (
            Reflected(
                plural="jobs",
                path=jobs_path,
                decoder=JOBS,
                sink=self._feeds.add,
            ),
            Reflected(
                plural="pods",
                path=pods_path,
                decoder=PODS,
                sink=lambda namespace: PodFeed(store=self.store, engine=self._engine, namespace=namespace),
                label_selector=names.LABEL_JOB_UID,
            ),
        )

    # What there is.

    def refs(self) -> Iterable[Ref]:
        """Return all jobs that exist or still have pods."""
        return (Ref(JOB, uid) for uid in self.store.uids())

    def find(self, ref: Ref) -> JobView | None:
        """Return a job."""
        return self.store.job(ref.uid)

    def place_of(self, ref: Ref) -> tuple[str, str] | None:
        """Return namespace and name of a job that exists or still has pods."""
        job = self.store.job(ref.uid)
        if job is not None:
            return job.namespace, job.name
        pods = self.store.pods(ref.uid)
        return (pods[0].namespace, pods[0].job_name) if pods else None

    def seen(self, namespace: str) -> int:
        """Return up to which version all jobs of a namespace are known."""
        return self._feeds.version(namespace)

    def _version_of(self, uid: str) -> int | None:
        job = self.store.job(uid)
        return None if job is None else job.resource_version

    def is_deleted(self, ref: Ref) -> bool:
        """Return whether a job is known to be deleted."""
        return self.store.job_was_deleted(ref.uid)

    def is_over(self, ref: Ref) -> bool:
        """Return whether a job has ended."""
        job = self.store.job(ref.uid)
        return job is not None and job.status.is_over

    def priority_of(self, ref: Ref) -> int:
        """Return `spec.priority`."""
        job = self.store.job(ref.uid)
        return 0 if job is None else job.priority

    def size_of(self, command: Command) -> int:
        """Return the bytes of a large job, or of its pod: that has neither the items of all tasks nor the job's metadata."""
        if isinstance(command, ClaimKey):
            return 0
        of_pod = isinstance(command, CreateChild) or is_child_change(command)
        job = self.store.job(command.of.uid)
        if job is None:
            known = self.expectations.known(command.of)
            return known.pod_size if of_pod and known is not None else 0
        return job.pod_size if of_pod else job.size

    # Deciding.

    def takes_turns(self, ref: Ref) -> bool:
        """Return whether a job has one write under way at most: all but arrays."""
        job = self.store.job(ref.uid)
        return job is None or job.array is None

    def prepare(self, ref: Ref, *, expectations: JobExpectations) -> bool:
        """See to what must be known first."""
        job = self.store.job(ref.uid)
        if job is not None:
            expectations.pod_size = job.pod_size
        if job is not None and not expectations.recalled:
            _recall(job, expectations=expectations, has_pods=bool(self.store.pods(job.uid)), now=self._clock())
        if self.store.lacks_pods(ref.uid):
            expectations.relist_children = True
        if unlisted := self.store.take_unlisted(ref.uid):
            expectations.confirm_children.update(unlisted)
        if job is not None and expectations.key_doubtful and not expectations.must_confirm:
            self._key_reads.start(job, expectations=expectations)
            return False
        if job is None or expectations.must_confirm or not may_be_gated(job) or job.problem or self.store.pods(job.uid):
            return True
        if self._keys.must_ask_first(job, expectations=expectations, now=self._clock()):
            self._key_reads.start(job, expectations=expectations)
            return False
        return True

    def decide(
        self,
        ref: Ref,
        *,
        expectations: JobExpectations,
        term: LeaderTerm,
        granted: int | None,
        room: int,
        now: float,
    ) -> Decision:
        """Decide on a job, and see to it that an array takes a small part of the time, however large it is."""
        return self._decisions.decide(
            self.store.job(ref.uid),
            self.store.pods(ref.uid),
            expectations=expectations,
            term=term,
            granted=granted,
            room=room,
            now=now,
        )

    def may_send(self, command: Command, *, expectations: JobExpectations, term: LeaderTerm, now: float) -> bool:
        """Hold back what hangs on other jobs, on the key's present holder, or on a pod that the cache may lack."""
        job = self.store.job(command.of.uid)
        if job is None:
            return True
        if isinstance(command, Delete) and command.target == command.of:
            # Others may wait for how it ended; the last of them to start or end marks it.
            return not self.store.is_awaited(job)
        if isinstance(command, ClaimKey):
            # If another job asks about the same key, the response marks this one.
            return self._keys.take_turn(command.lease_name, job.uid)
        if isinstance(command, WriteStatus) and self._may_lack_a_pod(command, job, expectations, term):
            expectations.asked_for_pod_epoch = term.epoch
            expectations.confirm_children.add(pod_name(job_name=job.name, job_uid=job.uid, task_index=0, attempt=0))
            self._engine.mark(command.of)
            return False
        return True

    def still_wanted(self, command: Command, *, decided_on: Any) -> bool:
        """Compare what a command hangs on."""
        job = self.store.job(command.of.uid)
        if isinstance(command, CreateChild):
            return still_creates(command.spec, decided_on=decided_on, job=job)
        if isinstance(command, WriteStatus):
            return job is not None and job.resource_version == command.resource_version
        return job is decided_on

    def request(self, command: Command, *, term: LeaderTerm) -> ApiRequest:
        """Encode a command."""
        return request_for(
            command,
            job=self.store.job(command.of.uid),
            term=term,
            lease_namespace=self._keys.namespace,
            accounting=self._accounting,
        )

    # Trouble.

    def with_problem(self, ref: Ref, message: str) -> WriteStatus | None:
        """Return the write that reports an error of ours on the status of a job that is not over."""
        job = self.store.job(ref.uid)
        if job is None or job.status.is_over:
            return None
        status = with_problem(job=job, message=message)
        return None if status == job.status else write_status(job=job, status=status, deferrable=True)

    def restore_after(self, error: Exception, *, expectations: Expectations) -> bool:
        """Read the job anew if its phase can't be left for another: the usual cause is a job that is older than its pods."""
        if isinstance(error, IllegalTransitionError):
            expectations.confirm_self = True
            return True
        return False

    def clock_set_back(self, now: float) -> None:
        """Forget what is known of keys."""
        self._keys.forget()

    def work_off(self, clock: Callable[[], float]) -> float | None:
        """Go on with the search for cycles of dependencies."""
        return self.store.work_off(clock)

    def forget(self, ref: Ref) -> None:
        """Have the end of a job that had a key put on record."""
        departed = self.store.take_departed(ref.uid)
        if departed is not None:
            self._keys.note_departed(departed)

    def _mark(self, uid: str) -> None:
        self._engine.mark(Ref(JOB, uid))

    def _may_lack_a_pod(
        self, command: WriteStatus, job: JobView, expectations: JobExpectations, term: LeaderTerm
    ) -> bool:
        """Return whether a job is to end without a pod although the shard's former holder may just have created one.

        A duplicate can't have had one: who holds its key has not changed.
        """
        status = command.status
        return (
            status.is_over
            and not status.attempts
            and not status.duplicate_of
            and job.array is None
            and not self.store.pods(job.uid)
            and job.resource_version <= term.baseline
            and expectations.asked_for_pod_epoch != term.epoch
        )


def _recall(job: JobView, *, expectations: JobExpectations, has_pods: bool, now: float) -> None:
    """Put a job back into the line that its status tells of."""
    expectations.recalled = True
    if job.array is not None:
        expectations.refusal = recalled_of_array(job.status, has_pods=has_pods, now=now)
    elif not has_pods:
        expectations.refusal = recalled(job.status, now=now)
    expectations.waits_for = "" if expectations.refusal is None else expectations.refusal.cause
