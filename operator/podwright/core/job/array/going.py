"""An array that goes on: start what may start, end what takes too long, record what has ended, tell what has changed."""

from collections.abc import Sequence

import msgspec

from podwright.core.attempt import termination as pod_end
from podwright.core.attempt.avoidance import nodes_to_avoid
from podwright.core.attempt.ending import ongoing, recorded_ending
from podwright.core.attempt.refusal import ask_again_at
from podwright.core.commands import Command, CreateChild, Decision
from podwright.core.constants.names import array_pod_name
from podwright.core.job.array import at_most_once, closing
from podwright.core.job.array.look import Look, SortedPods
from podwright.core.job.array.outcome import End
from podwright.core.job.array.size import room_for_units
from podwright.core.job.array.start import Starts, startable, tasks_to_run
from podwright.core.job.array.status import FAILURES_KEPT, kept_attempts
from podwright.core.job.array.telling import After, phase_and_reason, progress_status, record_or_tell
from podwright.core.job.gates.queue_timeout import queue_deadline
from podwright.core.job.pod.attempt_pod import AttemptPod, create_pod
from podwright.core.job.unfinished import must_not_wait, waiting_message
from podwright.core.job.write import write_status
from podwright.core.run.deadline import attempt_deadline, start_deadline, total_deadline
from podwright.core.run.phase import Phase
from podwright.core.values.index_set import IndexSet
from podwright.core.view import PodView, RefusalKind


def decide(look: Look, pods: SortedPods, *, after: After) -> Decision:
    """Decide on an array that neither ends nor is stopped."""
    if look.job.status.phase is Phase.SUSPENDED:
        # The new start of the total clock must be on record before anything runs.
        status = progress_status(look, pods, after, phase=Phase.PENDING, reason="Resumed", started=look.now)
        return Decision(commands=(write_status(job=look.job, status=status),))
    overdue, deadline = _overdue(look, pods.live)
    stuck = tuple(pod for pod in pods.live if must_not_wait(job=look.job, pod=pod) and not _is_ending(look, pod))
    places = FAILURES_KEPT - sum(attempt.outcome is None for attempt in look.job.status.attempts)
    if stuck and places > 0:
        return _record_endings(look, pods, after, stuck=stuck[:places])
    unknown = at_most_once.unknown_units(look, pods)
    confirmations = at_most_once.confirmations(look, unknown)
    starts, next_start = _starts(look, pods, after, unknown=unknown)
    creations = tuple(_creation(look, unit) for unit in starts.units)
    if at_most_once.is_wanted(look):
        intended = at_most_once.sorted_starts(look, starts)
        if intended.to_record or _must_withdraw(look):
            return _record_intent(look, pods, after, intended.to_record)
        creations = tuple(_creation(look, unit) for unit in intended.units)
    idle = not (pods.live or look.creating or creations or unknown) and next_start is None
    patience = queue_deadline(look.job) if look.missing and idle else None
    if patience is not None and look.now >= patience:
        return closing.end(look, pods, after=after, end=_waited_too_long(look))
    writes, next_write = record_or_tell(look, pods, after, starting=bool(creations))
    times = (deadline, next_start, next_write, patience, look.keep_until if unknown else None, total_deadline(look.job))
    return Decision(
        commands=(*confirmations, *overdue, *writes, *creations),
        requeue_at=min(
            (time for time in times if time is not None and time > look.now),
            default=None,
        ),
    )


def _overdue(look: Look, live: Sequence[PodView]) -> tuple[tuple[Command, ...], float | None]:
    job = look.job
    if job.attempt_timeout is None and job.start_timeout is None and not _any_is_ending(look):
        return (), None  # as for most arrays, at every look: nothing is asked about each of hundreds of pods
    deletions: list[Command] = []
    first: float | None = None
    for pod in live:
        clocks = (attempt_deadline(job=job, pod=pod), start_deadline(job=job, pod=pod))
        deadline = 0.0 if _is_ending(look, pod) else min((c for c in clocks if c is not None), default=None)
        if deadline is None or pod.deletion_requested is not None or pod.name in look.changing:
            continue
        if look.now >= deadline:
            deletions.append(pod_end.delete(pod))
        elif first is None or deadline < first:
            first = deadline
    return tuple(deletions), first


def _any_is_ending(look: Look) -> bool:
    return any(attempt.outcome is None and attempt.reason for attempt in look.job.status.attempts)


def _is_ending(look: Look, pod: PodView) -> bool:
    return recorded_ending(status=look.job.status, pod=pod) is not None


def _record_endings(look: Look, pods: SortedPods, after: After, *, stuck: Sequence[PodView]) -> Decision:
    """Record why attempts are ended that can't start, some at a time: a deleted pod no longer says why it waited."""
    phase, reason = phase_and_reason(look, pods, After(ends=(), record=after.record), starting=False)
    status = progress_status(look, pods, After(ends=(), record=look.units.record), phase=phase, reason=reason)
    endings = tuple(
        msgspec.structs.replace(
            ongoing(pod), index=pod.task_index, reason=pod.waiting_reason, message=waiting_message(pod)
        )
        for pod in stuck
    )
    status = msgspec.structs.replace(status, attempts=kept_attempts((*status.attempts, *endings)))
    return Decision(commands=(write_status(job=look.job, status=status),))


def _must_withdraw(look: Look) -> bool:
    """Return whether intents must not stay on record: pods are refused, and what waits might be forgotten in a crash."""
    again = _refused_until(look)
    return again is not None and look.now < again and not look.creating and bool(at_most_once.unused(look))


def _refused_until(look: Look) -> float | None:
    """Return when pods may be asked for again that the API server refuses for the time, None if it refuses none."""
    refusal = look.refusal
    if refusal is None or refusal.kind is not RefusalKind.RETRYABLE:
        return None
    return ask_again_at(refusal=refusal, job_uid=look.job.uid)


def _record_intent(look: Look, pods: SortedPods, after: After, added: IndexSet) -> Decision:
    """Record which units are about to be started, or that some weren't after all; with it what has ended."""
    record = at_most_once.withdrawn(look, after.record) if _must_withdraw(look) else after.record
    told = After(ends=after.ends, record=msgspec.structs.replace(record, started=record.started | added))
    phase, reason = phase_and_reason(look, pods, told, starting=True)
    return Decision(
        commands=(write_status(job=look.job, status=progress_status(look, pods, told, phase=phase, reason=reason)),)
    )


def _waited_too_long(look: Look) -> End:
    limit = f"spec.timeouts.queue ({look.job.queue_timeout:g} s)"
    message = f"tasks got no pod within {limit}: there is no job {look.missing}, whose tasks they wait for"
    return End(phase=Phase.FAILED, reason="QueueTimeout", message=message)


def _starts(look: Look, pods: SortedPods, after: After, *, unknown: Sequence[int]) -> tuple[Starts, float | None]:
    if look.job.problem:
        return Starts(), None  # it fails once nothing of it runs any more
    places = look.array.parallelism - len(pods.live) - len(look.creating) - len(unknown)
    again = _refused_until(look)
    if again is not None and look.now < again:
        return Starts(), again
    if again is not None:
        # One is enough to learn whether the refusal still stands.
        places = min(places, look.granted or (0 if look.creating else 1))
    places = min(places, look.room)
    if at_most_once.is_wanted(look):
        places = min(places, room_for_units(array=look.array, record=after.record))
    starts = startable(
        array=look.array,
        units=look.units,
        busy=pods.busy
        | {*unknown, *(end.unit for end in after.ends)},  # also what never got a pod, as its name was taken
        places=max(0, places),
        now=look.now,
        allowed=look.allowed,
    )
    return starts, starts.next_due


def _creation(look: Look, unit: int) -> CreateChild:
    """Ask for the pod of a unit's current attempt."""
    job, attempt = look.job, look.units.attempts(unit)
    packed = look.array.pack > 1
    own = (known for known in job.status.attempts if known.index == unit)
    pod = AttemptPod(
        task_index=unit,
        attempt=attempt,
        tasks=tasks_to_run(array=look.array, units=look.units, unit=unit) if packed else IndexSet(),
        nodes_to_avoid=nodes_to_avoid(policy=job.failure_policy, attempts=own) if attempt else (),
        out_of_memory=look.units.history(unit).out_of_memory,
    )
    return create_pod(
        job=job, name=array_pod_name(job_name=job.name, job_uid=job.uid, index=unit, attempt=attempt), pod=pod
    )
