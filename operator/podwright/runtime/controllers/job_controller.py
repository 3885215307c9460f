"""BatchJobs: what the engine needs to reconcile them. Decisions are `core`'s, reads `job_reads`', snapshots `runtime.decision`'s."""

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from podwright.core.accounting import Accounting
from podwright.core.attempt.refusal import refused
from podwright.core.commands import (
    ClaimKey,
    Command,
    Confirm,
    CreateChild,
    Decision,
    Delete,
    PatchChild,
    Release,
    WriteStatus,
)
from podwright.core.constants import names
from podwright.core.constants.names import pod_name
from podwright.core.constants.reasons import Reason
from podwright.core.job.at_most_once import recorded_intent
from podwright.core.job.basis import still_creates
from podwright.core.job.gates.gate import may_be_gated
from podwright.core.job.oversize import Oversize, did_not_fit, fitted
from podwright.core.job.recorded import end_is_recorded
from podwright.core.job.repair import PAUSE as REPAIR_PAUSE
from podwright.core.job.repair import REPORT_AFTER, change_refused, lost_labels, repaired, reporting
from podwright.core.job.status import with_problem, without_results
from podwright.core.job.write import write_status
from podwright.core.model.attempt import Refusal, RefusalKind
from podwright.core.model.job import JobView
from podwright.core.model.phase import IllegalTransitionError
from podwright.core.model.pod import PodView
from podwright.core.values.ref import JOB, Ref
from podwright.kube.client import ApiResponse, Unsent
from podwright.kube.codecs.page import JOBS, PODS, decode_metadata, decode_pod, decode_version
from podwright.kube.codecs.requests import ApiRequest, jobs_path, pods_path
from podwright.kube.errors import StatusError
from podwright.runtime.array_look import note_intents
from podwright.runtime.controllers.controller import Engine, Reflected, Subject
from podwright.runtime.controllers.job_reads import JobReads
from podwright.runtime.decision import decide
from podwright.runtime.events import EventRecorder
from podwright.runtime.feeds import JobFeed, PodFeed
from podwright.runtime.keys import Keys
from podwright.runtime.lanes import Result, Withheld
from podwright.runtime.metrics import Metrics
from podwright.runtime.reads import ReadPlaces
from podwright.runtime.requests import request_for
from podwright.runtime.tenure import Tenure
from podwright.runtime.writer import Send
from podwright.store.expectations import Expectations, ExpectationsOfAll
from podwright.store.job_expectations import JobExpectations
from podwright.store.jobs import JobStore

_log = logging.getLogger(__name__)


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
        metrics: Metrics,
        accounting: Accounting = Accounting.EXACT,
        events: EventRecorder | None = None,
    ) -> None:
        self._engine = engine
        self._places = reads
        self._keys = keys
        self._clock = clock
        self._metrics = metrics
        self._accounting = accounting
        self._events = events
        self.expectations: ExpectationsOfAll[Any] = ExpectationsOfAll(JobExpectations)
        self.store = JobStore(on_change=self._mark, on_pod_end=engine.child_ended)
        self._reads = JobReads(send=send, store=self.store, clock=clock)

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
                sink=lambda namespace: JobFeed(
                    store=self.store, metrics=self._metrics, engine=self._engine, namespace=namespace
                ),
            ),
            Reflected(
                plural="pods",
                path=pods_path,
                decoder=PODS,
                sink=lambda namespace: PodFeed(store=self.store, metrics=self._metrics, namespace=namespace),
                label_selector=names.LABEL_JOB_UID,
            ),
        )

    # What there is.

    def refs(self) -> Iterable[Ref]:
        """Return all jobs that exist or still have pods."""
        return [Ref(JOB, uid) for uid in self.store.uids()]

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

    # Deciding.

    def takes_turns(self, ref: Ref) -> bool:
        """Return whether a job has one write under way at most: all but arrays."""
        job = self.store.job(ref.uid)
        return job is None or job.array is None

    def prepare(self, ref: Ref, *, expectations: JobExpectations) -> bool:
        """See to what must be known first."""
        job = self.store.job(ref.uid)
        if self.store.lacks_pods(ref.uid):
            expectations.relist_children = True
        if job is not None and expectations.key_doubtful and not expectations.must_confirm:
            self._read_key(job, expectations=expectations)
            return False
        if job is None or expectations.must_confirm or not may_be_gated(job) or job.problem or self.store.pods(job.uid):
            return True
        if self._keys.must_ask_first(job, expectations=expectations, now=self._clock()):
            self._read_key(job, expectations=expectations)
            return False
        return True

    def decide(
        self,
        ref: Ref,
        *,
        expectations: JobExpectations,
        tenure: Tenure,
        granted: int | None,
        room: int,
        now: float,
    ) -> Decision:
        """Decide on a job, and see to it that an array takes a small part of the time, however large it is."""
        job = self.store.job(ref.uid)
        pods = self.store.pods(ref.uid)
        if expectations.refused_children:
            expectations.forget_refused(but={pod.name for pod in pods})
        if job is not None and expectations.refused_children:
            pods = tuple(pod for pod in pods if not self._is_put_off(job, pod, expectations=expectations, now=now))
        decision = decide(
            job=job,
            pods=pods,
            expectations=expectations,
            store=self.store,
            keys=self._keys,
            epoch=tenure.epoch,
            now=now,
            granted=granted,
            room=room,
        )
        if expectations.invalid_status:
            decision = _without_results(decision)
        if job is not None and expectations.oversize is not None:
            decision = self._fitted(job, decision, expectations=expectations, now=now)
        if job is not None and not job.deleting:
            decision = self._with_repairs(job, decision, expectations=expectations, now=now)
        # Those whose pause is over are in this decision; to be asked for again at once, they would be asked for without end.
        if expectations.refused_children:
            decision = self._with_refusals(job, decision, expectations=expectations, now=now)
        return decision

    def _with_refusals(
        self, job: JobView | None, decision: Decision, *, expectations: JobExpectations, now: float
    ) -> Decision:
        """Report pods whose changes are refused, of which the first stands for all, and see to it that they are tried again."""
        refused = expectations.refused_children
        lasting = min((name for name, child in refused.items() if child.count > 1), default="")
        if job is not None and lasting:
            message = change_refused(lasting, words=refused[lasting].message)
            if self._events is not None and expectations.refusal_reported != lasting:
                expectations.refusal_reported = lasting
                self._events.change_refused(job=job, pod=lasting, message=message)
            if not job.deleting:
                decision = reporting(decision, job=job, reason=Reason.POD_CHANGE_REFUSED, message=message)
        again = min((child.until for child in refused.values() if child.until > now), default=None)
        if again is not None and (decision.requeue_at is None or again < decision.requeue_at):
            decision = msgspec.structs.replace(decision, requeue_at=again)
        return decision

    def _fitted(self, job: JobView, decision: Decision, *, expectations: JobExpectations, now: float) -> Decision:
        """Do what can be done for a job whose status does not fit; once the job has changed, all is tried anew."""
        oversize = expectations.oversize
        if oversize is None or oversize.version != job.resource_version:
            expectations.oversize = None
            return decision
        return fitted(
            decision,
            oversize=oversize,
            job=job,
            pods=self.store.pods(job.uid),
            changing=expectations.changing,
            now=now,
        )

    def _with_repairs(self, job: JobView, decision: Decision, *, expectations: JobExpectations, now: float) -> Decision:
        """Put marks back on pods of the job that lost them, and see in a while whether they have them now."""
        pods = self.store.lacking(job.uid)
        if not pods:
            return decision
        repairs: list[Command] = []
        for pod in pods:
            if pod.name in expectations.changing or now < expectations.repair_after.get(pod.uid, 0.0):
                continue
            if pod.uid not in expectations.repair_since:
                expectations.repair_since[pod.uid] = now
                _log.warning("pod %s/%s lost %s: putting it back", pod.namespace, pod.name, ", ".join(pod.lacks))
            expectations.repair_after[pod.uid] = now + REPAIR_PAUSE
            repairs.append(repaired(pod, job=job))
        lasting = [pod for pod in pods if now >= expectations.repair_since.get(pod.uid, now) + REPORT_AFTER]
        if lasting:
            first = min(lasting, key=lambda pod: pod.name)
            message = lost_labels(first, since=expectations.repair_since[first.uid])
            decision = reporting(decision, job=job, reason=Reason.POD_LABEL_MISSING, message=message)
        again = now + REPAIR_PAUSE
        requeue_at = again if decision.requeue_at is None else min(again, decision.requeue_at)
        return Decision(commands=(*decision.commands, *repairs), requeue_at=requeue_at)

    @staticmethod
    def _is_put_off(job: JobView, pod: PodView, *, expectations: JobExpectations, now: float) -> bool:
        """Return whether a pod whose end is accounted for can't be let go of just now: it must not hold up its job."""
        return now < expectations.refused_until(pod.name) and (job.status.is_over or end_is_recorded(job=job, pod=pod))

    def may_send(self, command: Command, *, expectations: JobExpectations, tenure: Tenure, now: float) -> bool:
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
        if isinstance(command, WriteStatus) and self._may_lack_a_pod(command, job, expectations, tenure):
            expectations.asked_for_pod_epoch = tenure.epoch
            expectations.confirm_children.add(pod_name(job_name=job.name, job_uid=job.uid, task_index=0, attempt=0))
            self._engine.mark(command.of)
            return False
        return True

    def begin(self, command: Command, *, expectations: JobExpectations, tenure: Tenure) -> None:
        """Record what is asked for under `deliveryMode: AtMostOnce`."""
        if isinstance(command, CreateChild):
            expectations.pod_asked = True
            if expectations.intents is not None:
                expectations.intents.asked(command.spec.task_index)
            return
        job = self.store.job(command.of.uid)
        if not isinstance(command, WriteStatus) or job is None:
            return
        if recorded_intent(command.status) is not None and recorded_intent(job.status) is None:
            # A response that gets lost must not turn our intent into somebody else's.
            expectations.intent_epoch, expectations.pod_asked = tenure.epoch, False
            expectations.intent_version = command.resource_version
        if job.array is not None:
            note_intents(command.status, job=job, expectations=expectations, epoch=tenure.epoch)

    def still_wanted(self, command: Command, *, decided_on: Any) -> bool:
        """Compare what a command hangs on."""
        job = self.store.job(command.of.uid)
        if isinstance(command, CreateChild):
            return still_creates(command.spec, decided_on=decided_on, job=job)
        if isinstance(command, WriteStatus):
            return job is not None and job.resource_version == command.resource_version
        return job is decided_on

    def request(self, command: Command, *, tenure: Tenure) -> ApiRequest:
        """Encode a command."""
        return request_for(
            command,
            job=self.store.job(command.of.uid),
            tenure=tenure,
            lease_namespace=self._keys.namespace,
            accounting=self._accounting,
        )

    # Responses.

    def succeeded(
        self, command: Command, *, before: Subject | None, body: bytes, expectations: JobExpectations, now: float
    ) -> None:
        """Put what was written into the store."""
        match command:
            case CreateChild():
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
                self.store.remove_job(command.of.uid)
            case Delete() | PatchChild():
                # The whole pod: whether a pod that is being deleted had a node decides whether it may still run, and one whose
                # labels are taken off again is seen in no other way.
                pod = decode_pod(body)
                if pod is None:
                    expectations.confirm_children.add(command.name)
                else:
                    self.store.put_pod(pod)
            case Release():
                self._released(command, body=body)

    def not_created(self, command: CreateChild, *, expectations: JobExpectations) -> None:
        """Record that the pod of an intent was not asked for after all."""
        expectations.pod_not_created(command.spec.task_index)

    def refused(self, command: CreateChild, *, error: StatusError, expectations: JobExpectations, now: float) -> bool:
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
        return _is_for_quota(expectations.refusal)

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

    # Reads.

    async def read_self(self, ref: Ref, *, namespace: str, name: str) -> None:
        """Read a job."""
        await self._reads.read_job(ref.uid, namespace=namespace, name=name)

    async def read_child(self, ref: Ref, *, namespace: str, name: str, expectations: JobExpectations) -> None:
        """Read a pod."""
        await self._reads.read_pod(ref.uid, namespace=namespace, name=name, expectations=expectations)

    async def relist_children(self, ref: Ref, *, namespace: str) -> None:
        """Read all pods of a job."""
        await self._reads.list_pods(ref.uid, namespace=namespace)

    # Trouble.

    def with_problem(self, ref: Ref, message: str) -> WriteStatus | None:
        """Tell of an error of ours on the status of a job that is not over."""
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

    def _created(self, command: CreateChild, *, body: bytes, now: float) -> None:
        metadata = decode_metadata(body)
        job = self.store.job(command.of.uid)
        self.store.put_pod(
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
        job = self.store.job(command.of.uid)
        if job is None or job.resource_version != command.resource_version:
            return version  # the watch was faster
        self.store.put_job(
            msgspec.structs.replace(
                job,
                status=command.status,
                resource_version=version,
                template=b"" if command.status.is_over else job.template,
            )
        )
        return version

    def _released(self, command: Release, *, body: bytes) -> None:
        version = decode_version(body)
        for pod in self.store.pods(command.of.uid):
            if pod.uid != command.target.uid or not pod.held:
                continue
            released = msgspec.structs.replace(pod, held=False, resource_version=max(version, pod.resource_version))
            if version > pod.resource_version:
                self.store.put_pod(released)
            else:
                # No new version was stored: ours was the last finalizer of a deleted pod, which is gone with it.
                self.store.remove_pod(released)

    def _may_lack_a_pod(
        self, command: WriteStatus, job: JobView, expectations: JobExpectations, tenure: Tenure
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
            and job.resource_version <= tenure.baseline
            and expectations.asked_for_pod_epoch != tenure.epoch
        )

    def _read_key(self, job: JobView, *, expectations: JobExpectations) -> None:
        """Ask who holds the job's key, unless that is being asked, or was a moment ago."""
        lease = self._keys.lease_of(job)
        if self._keys.is_known(lease, now=self._clock()):
            expectations.key_doubtful = False
            self._mark(job.uid)
            return
        if not self._keys.take_turn(lease, job.uid):
            return
        expectations.begin(None)

        async def read() -> None:
            failed = await self._keys.read_claim(job, expectations=expectations, now=self._clock)
            expectations.end(None)
            if failed is None:
                expectations.key_doubtful = False
            else:
                self._engine.put_off(job.ref)
            for uid in self._keys.end_turn(lease):
                self._mark(uid)
            self._mark(job.uid)

        self._places.start(read())


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


def _without_results(decision: Decision) -> Decision:
    commands = tuple(
        msgspec.structs.replace(command, status=without_results(command.status))
        if isinstance(command, WriteStatus)
        else command
        for command in decision.commands
    )
    return msgspec.structs.replace(decision, commands=commands)
