"""One array, looked at as a whole: which writes its record and its pods call for now.

The counterpart of `core.job.decide`, called by the engine in its place. Unlike a single job, an array has many writes under
way at once; what depends on their outcome waits for it, the rest goes on. The order of things is the same: an end is
recorded, then its pod is released, then the unit's next attempt may be created.
"""

from collections.abc import Sequence

from podwright.core.attempt import termination as pod_end
from podwright.core.commands import Command, Decision
from podwright.core.job import invalid
from podwright.core.job.array import closing, going
from podwright.core.job.array.ends import UnitEnd, collided_end, unit_end
from podwright.core.job.array.look import Look, SortedPods, sort_pods
from podwright.core.job.array.outcome import End, condemned, end_of, too_scattered
from podwright.core.job.array.record import recorded_as_fits
from podwright.core.job.array.start import tasks_to_run
from podwright.core.job.array.telling import After
from podwright.core.job.decide import after_the_end, release_all
from podwright.core.run.phase import Phase
from podwright.core.run.stop import Stop, recorded_stop, wanted_stop
from podwright.core.view import JobView, PodView, Refusal, RefusalKind


def decide_array(look: Look) -> Decision:
    """Decide on one array."""
    job = look.job
    # What is being written of a pod now must not be asked for again.
    free = tuple(pod for pod in look.pods if pod.name not in look.changing)
    if job.deleting:
        return Decision(commands=release_all(free))
    if job.status.is_over:
        if look.changing and not any(pod.unsettled for pod in free):
            return Decision()  # the answers ask for another look
        return after_the_end(job=job, pods=free, now=look.now, keep_until=look.keep_until)
    if job.problem and not look.pods and not look.creating:
        refused = invalid.decide(job=job, pods=(), now=look.now, keep_until=look.keep_until)
        if refused is not None:
            return refused
    pods = sort_pods(look)
    settle = tuple(command for pod in pods.former for command in _settle(look, pod))
    decision = _on_unfinished(look, pods)
    return Decision(commands=(*settle, *decision.commands), requeue_at=decision.requeue_at)


def _on_unfinished(look: Look, pods: SortedPods) -> Decision:
    job = look.job
    every = _ends(look, pods)
    ends, record = recorded_as_fits(job=job, array=look.array, units=look.units, ends=every, now=look.now)
    after = After(ends=ends, record=record, urgent=any(pod.gone for pod in pods.ended))
    end = end_of(job=job, array=look.array, record=record)
    if end is None or end.phase is not Phase.SUCCEEDED:
        end = _by_rule(ends) or _on_record(job) or end or _decided(look)
    if end is None and every and not ends and not pods.live and not look.creating:
        end = too_scattered(job=job, record=record)
    stop = wanted_stop(job=job, now=look.now)
    if stop is not None and stop.decided:
        stop = None  # what is on record there is this end
    if end is not None and (end.phase is Phase.SUCCEEDED or stop is None or not stop.final):
        return closing.end(look, pods, after=after, end=end)
    if stop is not None or recorded_stop(job) is not None:
        return closing.stop(look, pods, after=after, stop=stop)
    return going.decide(look, pods, after=after)


def _ends(look: Look, pods: SortedPods) -> list[UnitEnd]:
    stop = recorded_stop(look.job)
    ends = [
        unit_end(
            job=look.job,
            pod=pod,
            tasks=tasks_to_run(array=look.array, units=look.units, unit=pod.task_index),
            stop=stop,
            now=look.now,
        )
        for pod in pods.ended
    ]
    collided = _collided(look, pods)
    if collided is not None:
        ends.append(collided_end(job=look.job, refusal=collided, now=look.now))
    return ends


def _collided(look: Look, pods: SortedPods) -> Refusal | None:
    refusal = look.refusal
    if refusal is None or refusal.kind is not RefusalKind.COLLISION or refusal.task_index in pods.busy:
        return None
    if not tasks_to_run(array=look.array, units=look.units, unit=refusal.task_index):
        return None  # counted already: its tasks are over
    return refusal if look.units.attempts(refusal.task_index) == refusal.attempt else None


def _on_record(job: JobView) -> End | None:
    """Return the end that the pods are being stopped for, where the record may not show it any more: tasks may succeed meanwhile."""
    stop = recorded_stop(job)
    if stop is None or not stop.decided or stop is Stop.OUTCOME_DECIDED:
        return None
    return condemned(job=job, stop=stop, message=job.status.message)


def _by_rule(ends: Sequence[UnitEnd]) -> End | None:
    """Return the end that a rule makes of one failure, whatever the record says of the others."""
    fatal = next((end for end in ends if end.fatal), None)
    return None if fatal is None else End(phase=Phase.FAILED, reason=closing.DECIDED_BY_ONE, message=fatal.fatal)


def _decided(look: Look) -> End | None:
    """Return an end that the record alone does not show: a refusal that will last, or what a stop on record was for."""
    refusal = look.refusal
    if refusal is not None and refusal.kind is RefusalKind.PERMANENT:
        return End(phase=Phase.FAILED, reason=refusal.reason, message=refusal.message)
    if recorded_stop(look.job) is Stop.OUTCOME_DECIDED:
        return End(phase=Phase.FAILED, reason=closing.DECIDED_BY_ONE, message=look.job.status.message)
    return None


def _settle(look: Look, pod: PodView) -> tuple[Command, ...]:
    """Let go of a pod whose end is on record. One that still runs was never permitted by it: end it."""
    if not pod.unsettled or pod.name in look.changing:
        return ()
    if pod.finished:
        return (pod_end.release(pod),)
    return pod_end.end(pod)
