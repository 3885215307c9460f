"""The pods of an array: many attempts at once, counted into one record.

Many writes are under way at once; what depends on their outcome waits for it, the rest goes on. The order of things is that of a
single job: an end is recorded, then its pod is released, and the unit's next attempt may be created.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from podwright.core.attempt import termination as pod_end
from podwright.core.attempt.ending import recorded_ending
from podwright.core.attempt.rulings import Rulings, work_of
from podwright.core.commands import Command, Decision
from podwright.core.constants.reasons import Reason
from podwright.core.job.array import active, termination
from podwright.core.job.array.by_task import give_up, waits_by_task, with_permissions
from podwright.core.job.array.ends import UnitEnd, unit_end
from podwright.core.job.array.outcome import FROM_RECORD, End, condemned, end_of, too_scattered
from podwright.core.job.array.pods import SortedPods, sort_pods
from podwright.core.job.array.record import recorded_as_fits
from podwright.core.job.array.refusals import (
    end_by_refusal,
    refused_ends,
    with_refused_memory,
    without_answered,
    without_more_memory,
)
from podwright.core.job.array.start import tasks_to_run
from podwright.core.job.array.status_updates import After
from podwright.core.job.snapshot import Snapshot
from podwright.core.model.job import JobView
from podwright.core.model.phase import Phase
from podwright.core.model.pod import PodView
from podwright.core.run.retention import pods_go_early
from podwright.core.run.stop import Stop, explain, recorded_stop, wanted_stop

_SOON: Final = 0.01  # seconds


def decide(snapshot: Snapshot) -> Decision:
    """Decide on the pods of an array that is neither over nor held back by a gate."""
    if snapshot.memory is None:
        snapshot = msgspec.structs.replace(snapshot, memory=Rulings())
    snapshot.rulings.begin()
    if waits_by_task(snapshot.job):
        lost = give_up(snapshot)
        if lost is not None:
            return Decision(commands=(lost,))
        snapshot = with_permissions(snapshot)
    snapshot = without_answered(snapshot)
    pods = sort_pods(snapshot)
    settle = tuple(command for pod in pods.former for command in _settle(snapshot, pod))
    decision = _on_unfinished(snapshot, pods)
    # What there was no time to judge comes next, after others.
    requeue_at = snapshot.now + _SOON if snapshot.rulings.pending else decision.requeue_at
    return Decision(commands=(*settle, *decision.commands), requeue_at=requeue_at)


def _on_unfinished(snapshot: Snapshot, pods: SortedPods) -> Decision:
    job = snapshot.job
    every = _ends(snapshot, pods)
    snapshot = without_more_memory(snapshot)
    ends, record = recorded_as_fits(job=job, array=snapshot.array, units=snapshot.units, ends=every, now=snapshot.now)
    after = After(ends=ends, record=record, urgent=any(pod.gone for pod in pods.ended))
    end = end_of(job=job, array=snapshot.array, record=record)
    if end is not None:
        end = with_refused_memory(end, attempts=(*job.status.attempts, *(each.verdict.attempt for each in ends)))
    if end is None or end.phase is not Phase.SUCCEEDED:
        end = _by_rule(ends) or _on_record(job) or end or _decided(snapshot)
    if end is None and every and not ends and not (pods.live or snapshot.creating or snapshot.rulings.pending):
        end = too_scattered(job=job, record=record)
    stop = wanted_stop(job=job, now=snapshot.now)
    if stop is not None and stop.decided:
        stop = None  # what is on record there is this end
    if end is not None and (end.phase is Phase.SUCCEEDED or stop is None or not stop.final):
        return termination.end(snapshot, pods, after=after, end=end)
    if stop is not None or recorded_stop(job) is not None:
        return termination.stop(snapshot, pods, after=after, stop=stop)
    return active.decide(snapshot, pods, after=after)


def _ends(snapshot: Snapshot, pods: SortedPods) -> list[UnitEnd]:
    stop = recorded_stop(snapshot.job)
    judged = (_judged(snapshot, pod, stop=stop) for pod in pods.ended)
    ends = [end for end in judged if end is not None]
    return [*ends, *refused_ends(snapshot, pods)]


def _judged(snapshot: Snapshot, pod: PodView, *, stop: Stop | None) -> UnitEnd | None:
    """Judge a pod, once for each state of it; None if that must wait for the next decision."""
    job = snapshot.job
    tasks = tasks_to_run(array=snapshot.array, units=snapshot.units, unit=pod.task_index)
    ending = recorded_ending(status=job.status, pod=pod)
    return snapshot.rulings.find(
        snapshot.rulings.ends,
        pod.uid,
        (pod.resource_version, pod.gone, job.generation, stop, ending, tasks),
        work=work_of(job.failure_policy.rules, pod.message),
        find=lambda: unit_end(job=job, pod=pod, tasks=tasks, stop=stop, now=snapshot.now),
    )


def _on_record(job: JobView) -> End | None:
    """Return the end that the pods are being stopped for, where the record may not show it (any more): tasks may succeed meanwhile."""
    stop = recorded_stop(job)
    if stop is None or not stop.decided:
        return None
    if stop is not Stop.OUTCOME_DECIDED:
        return condemned(job=job, stop=stop, message=explain(job=job, stop=stop))
    if job.status.stop is None or job.status.stop.reason in FROM_RECORD:
        return None
    return End(phase=Phase.FAILED, reason=job.status.stop.reason, message=job.status.stop.message)


def _by_rule(ends: Sequence[UnitEnd]) -> End | None:
    """Return the end that a rule makes of one failure, whatever the record says of the others."""
    fatal = next((end for end in ends if end.fatal), None)
    return None if fatal is None else End(phase=Phase.FAILED, reason=Reason.TASK_FAILED, message=fatal.fatal)


def _decided(snapshot: Snapshot) -> End | None:
    """Return an end that the record alone does not show: a refusal that will last, or what a stop on record was for."""
    refused = end_by_refusal(snapshot)
    if refused is not None:
        return refused
    if recorded_stop(snapshot.job) is Stop.OUTCOME_DECIDED:
        return End(
            phase=Phase.FAILED,
            reason=Reason.TASK_FAILED,
            message=explain(job=snapshot.job, stop=Stop.OUTCOME_DECIDED),
        )
    return None


def _settle(snapshot: Snapshot, pod: PodView) -> tuple[Command, ...]:
    """Let go of a pod whose end is on record. One that still runs was never permitted by it: end it."""
    if pod.gone or pod.name in snapshot.changing:
        return ()
    if not pod.finished:
        return pod_end.end(pod)
    if pods_go_early(snapshot.job) and pod.deletion_requested is None:
        return (pod_end.delete(pod, cleanup=True),)
    return (pod_end.release(pod),) if pod.held else ()
