"""Decisions about BatchJobs: those of `core`, with what only this process knows.

Called by the controller at each reconcile, once nothing about the job has to be confirmed first. It writes nothing and waits for
nothing. What is added to `core`'s decisions concerns statuses that don't fit, and pods that lost marks of ours or can't be changed.
"""

import logging
import time
from typing import Final

import msgspec

from podwright.core.attempt.ending import end_is_recorded
from podwright.core.commands import Command, Decision, WriteStatus
from podwright.core.constants.reasons import Reason
from podwright.core.job import decide as job_policy
from podwright.core.job.oversize import fitted
from podwright.core.job.repair import PAUSE as REPAIR_PAUSE
from podwright.core.job.repair import REPORT_AFTER, change_refused, lost_labels, repaired, reporting
from podwright.core.job.status import without_results
from podwright.core.model.job import JobView
from podwright.core.model.pod import PodView
from podwright.runtime.controllers.job_snapshot import snapshot_of
from podwright.runtime.events import EventRecorder
from podwright.runtime.keys import Keys
from podwright.runtime.leader_term import LeaderTerm
from podwright.store.job_expectations import JobExpectations
from podwright.store.jobs import JobStore

_SHARE: Final = 40
_LONGEST_PAUSE: Final = 2.0

_log = logging.getLogger(__name__)


class JobDecisions:
    """Made once per controller of jobs."""

    def __init__(self, *, store: JobStore, keys: Keys, events: EventRecorder | None) -> None:
        self._store = store
        self._keys = keys
        self._events = events

    def decide(
        self,
        job: JobView | None,
        pods: tuple[PodView, ...],
        *,
        expectations: JobExpectations,
        term: LeaderTerm,
        granted: int | None,
        room: int,
        now: float,
    ) -> Decision:
        """Decide on a job, and see to it that an array takes a small part of the time, however large it is."""
        if expectations.refused_children:
            expectations.forget_refused(but={pod.name for pod in pods})
        if job is not None and expectations.refused_children:
            pods = tuple(pod for pod in pods if not _is_put_off(job, pod, expectations=expectations, now=now))
        decision = self._decided(job, pods, expectations=expectations, term=term, granted=granted, room=room, now=now)
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

    def _decided(
        self,
        job: JobView | None,
        pods: tuple[PodView, ...],
        *,
        expectations: JobExpectations,
        term: LeaderTerm,
        granted: int | None,
        room: int,
        now: float,
    ) -> Decision:
        if job is None:
            return Decision(commands=job_policy.release_all(pods))
        if job.array is not None and now < expectations.reconcile_after:
            return Decision(requeue_at=expectations.reconcile_after, postponed=True)
        # An array's decisions can take long, so their cost sets their pace; a single job's are not worth the measurement.
        before = None if job.array is None else time.thread_time()
        decision = job_policy.decide(
            snapshot_of(
                job,
                pods=pods,
                expectations=expectations,
                store=self._store,
                keys=self._keys,
                epoch=term.epoch,
                granted=granted,
                room=room,
                now=now,
            )
        )
        if before is not None:
            expectations.reconcile_after = now + _pause_after(time.thread_time() - before)
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
            pods=self._store.pods(job.uid),
            changing=expectations.changing,
            now=now,
        )

    def _with_repairs(self, job: JobView, decision: Decision, *, expectations: JobExpectations, now: float) -> Decision:
        """Put marks back on pods of the job that lost them, and see in a while whether they have them now."""
        pods = self._store.lacking(job.uid)
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


def _pause_after(cost: float) -> float:
    """Return how long an array is left alone after a decision that took `cost` seconds of the processor.

    An array has many events, and each decision looks at all its pods and ranges, so decisions take a fortieth of the time at most.
    With 500 pods a place that became free waits some 50 ms for its next pod.
    """
    return min(_LONGEST_PAUSE, _SHARE * cost)


def _is_put_off(job: JobView, pod: PodView, *, expectations: JobExpectations, now: float) -> bool:
    """Return whether a pod whose end is accounted for can't be let go of just now: it must not hold up its job."""
    return now < expectations.refused_until(pod.name) and (job.status.is_over or end_is_recorded(job=job, pod=pod))


def _without_results(decision: Decision) -> Decision:
    commands = tuple(
        msgspec.structs.replace(command, status=without_results(command.status))
        if isinstance(command, WriteStatus)
        else command
        for command in decision.commands
    )
    return msgspec.structs.replace(decision, commands=commands)
