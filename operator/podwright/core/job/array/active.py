"""An array that goes on: start what may start, end what takes too long, record what has ended, report what has changed."""

from collections.abc import Collection, Sequence

import msgspec

from podwright.core.attempt import termination as pod_end
from podwright.core.attempt.avoidance import nodes_to_avoid
from podwright.core.attempt.ending import Ending, recorded_ending
from podwright.core.attempt.rulings import work_of
from podwright.core.commands import Command, CreateChild, Decision, WriteStatus
from podwright.core.constants.names import array_pod_name
from podwright.core.constants.reasons import Reason
from podwright.core.job.array import at_most_once, termination
from podwright.core.job.array.outcome import End
from podwright.core.job.array.pods import SortedPods
from podwright.core.job.array.refusals import set_apart
from podwright.core.job.array.size import MOST_ENDINGS, room_for_units
from podwright.core.job.array.start import Starts, startable, tasks_to_run
from podwright.core.job.array.status_updates import After, phase_and_reason, progress_status, record_or_report
from podwright.core.job.gates.capacity import capacity
from podwright.core.job.gates.result import Wait
from podwright.core.job.gates.times import queue_deadline
from podwright.core.job.limits import ending_of_wait, has_limits, must_not_wait, next_limit, out_of_time
from podwright.core.job.pod.attempt_pod import AttemptPod, create_pod
from podwright.core.job.snapshot import Snapshot
from podwright.core.job.status import write_status
from podwright.core.model.array import ArrayRecord, EndingGroup
from podwright.core.model.job import JobView
from podwright.core.model.phase import Phase
from podwright.core.model.pod import PodView
from podwright.core.run.deadline import total_deadline
from podwright.core.values.index_set import EMPTY, IndexSet


def decide(snapshot: Snapshot, pods: SortedPods, *, after: After) -> Decision:
    """Decide on an array that neither ends nor is stopped."""
    if snapshot.job.status.phase is Phase.SUSPENDED:
        # The new start of the total clock must be on record before anything runs.
        status = progress_status(
            snapshot, pods, after, phase=Phase.PENDING, reason=Reason.RESUMED, started=snapshot.now
        )
        return Decision(commands=(write_status(job=snapshot.job, status=status),))
    overdue, due, deadline = _limits(snapshot, pods.live)
    record = _with_endings(after.record, due)
    if record is not None:
        after = After(ends=after.ends, record=record, urgent=after.urgent)
        return Decision(commands=(*overdue, _record_endings(snapshot, pods, after)))
    unknown = at_most_once.unknown_units(snapshot, pods)
    confirmations = at_most_once.confirmations(snapshot, unknown)
    free = snapshot.array.parallelism - len(pods.live) - len(snapshot.creating) - len(unknown)
    held = capacity(
        job=snapshot.job,
        now=snapshot.now,
        free=free,
        refusal=snapshot.refusal,
        granted=snapshot.granted,
        creating=bool(snapshot.creating),
        room=snapshot.room,
    )
    starts, next_start = _starts(snapshot, pods, after, unknown=unknown, held=held)
    creations = tuple(_creation(snapshot, unit) for unit in starts.units)
    if at_most_once.is_wanted(snapshot):
        intended = at_most_once.sorted_starts(snapshot, starts)
        withdraws = _must_withdraw(snapshot, held)
        if intended.to_record or withdraws:
            return _record_intent(snapshot, pods, after, intended.to_record, withdraws=withdraws)
        creations = tuple(_creation(snapshot, unit) for unit in intended.units)
    idle = not (pods.live or snapshot.creating or creations or unknown) and next_start is None
    patience = queue_deadline(snapshot.job) if snapshot.missing and idle else None
    if patience is not None and snapshot.now >= patience:
        return termination.end(snapshot, pods, after=after, end=_waited_too_long(snapshot))
    writes, next_write = record_or_report(snapshot, pods, after, starting=bool(creations))
    times = (
        deadline,
        next_start,
        next_write,
        patience,
        snapshot.keep_until if unknown else None,
        total_deadline(snapshot.job),
    )
    return Decision(
        commands=(*confirmations, *overdue, *writes, *creations),
        requeue_at=min(
            (time for time in times if time is not None and time > snapshot.now),
            default=None,
        ),
    )


def _limits(
    snapshot: Snapshot, live: Sequence[PodView]
) -> tuple[tuple[Command, ...], list[tuple[int, Ending]], float | None]:
    """Return the deletions of pods whose endings are on record, what is to be ended now, and when the next limit is reached."""
    job = snapshot.job
    if not has_limits(job) and not _any_is_ending(job):
        return (), [], None  # as for most arrays, at every decision: nothing is asked about each of hundreds of pods
    deletions: list[Command] = []
    due: list[tuple[int, Ending]] = []
    limits: list[float] = []
    for pod in live:
        if pod.deletion_requested is not None or pod.name in snapshot.changing:
            continue
        if recorded_ending(status=job.status, pod=pod) is not None:
            deletions.append(pod_end.delete(pod))
            continue
        ending = _due_ending(snapshot, pod)
        if ending is not None:
            due.append((pod.task_index, ending))
            continue
        limit = next_limit(job=job, pod=pod)
        if limit is not None:
            limits.append(limit)
    return tuple(deletions), due, min(limits, default=None)


def _due_ending(snapshot: Snapshot, pod: PodView) -> Ending | None:
    """Return why an attempt is to be ended now. What a rule makes of the way it waits is found out once for each state of it."""
    job, rules = snapshot.job, snapshot.job.failure_policy.rules
    if pod.waiting_reason and rules:
        ends = snapshot.rulings.find(
            snapshot.rulings.waits,
            pod.uid,
            (pod.resource_version, job.generation),
            work=work_of(rules, pod.waiting_message),
            find=lambda: must_not_wait(job=job, pod=pod),
        )
        if ends:
            return ending_of_wait(pod)
    return out_of_time(job=job, pod=pod, now=snapshot.now)


def _any_is_ending(job: JobView) -> bool:
    if job.status.array is not None and job.status.array.ending:
        return True
    return any(attempt.outcome is None and attempt.reason for attempt in job.status.attempts)


def _with_endings(record: ArrayRecord, due: Sequence[tuple[int, Ending]]) -> ArrayRecord | None:
    """Return the record with what is to be ended on it, as far as there is room for their reasons; None if there is none (left)."""
    known = {(group.reason, group.message): group.indexes for group in record.ending}
    added: dict[tuple[str, str], list[int]] = {}
    for unit, why in due:
        key = (why.reason, why.message)
        if key in known or key in added or len(known.keys() | added.keys()) < MOST_ENDINGS:
            added.setdefault(key, []).append(unit)
    if not added:
        return None
    ending = tuple(
        EndingGroup(
            indexes=known.get((reason, message), EMPTY) | IndexSet.of(added.get((reason, message), ())),
            reason=reason,
            message=message,
        )
        for reason, message in {**known, **added}
    )
    return msgspec.structs.replace(record, ending=ending)


def _record_endings(snapshot: Snapshot, pods: SortedPods, after: After) -> WriteStatus:
    """Record why attempts are ended before that is done: a deleted pod no longer says why it waited, or for how long."""
    phase, reason = phase_and_reason(snapshot, pods, after, starting=False)
    return write_status(job=snapshot.job, status=progress_status(snapshot, pods, after, phase=phase, reason=reason))


def _must_withdraw(snapshot: Snapshot, held: int | Wait) -> bool:
    """Return whether intents must not stay on record: nothing is started for now, and what waits might be forgotten in a crash."""
    waits = isinstance(held, Wait) or bool(snapshot.job.problem)
    return waits and not snapshot.creating and bool(at_most_once.unused(snapshot))


def _record_intent(snapshot: Snapshot, pods: SortedPods, after: After, added: IndexSet, *, withdraws: bool) -> Decision:
    """Record which units are about to be started, or that some weren't after all; with it what has ended."""
    record = at_most_once.withdrawn(snapshot, after.record) if withdraws else after.record
    intended = After(ends=after.ends, record=msgspec.structs.replace(record, started=record.started | added))
    phase, reason = phase_and_reason(snapshot, pods, intended, starting=True)
    return Decision(
        commands=(
            write_status(
                job=snapshot.job, status=progress_status(snapshot, pods, intended, phase=phase, reason=reason)
            ),
        )
    )


def _waited_too_long(snapshot: Snapshot) -> End:
    limit = f"spec.timeouts.queue ({snapshot.job.queue_timeout:g} s)"
    message = f"tasks got no pod within {limit}: there is no job {snapshot.missing}, whose tasks they wait for"
    return End(phase=Phase.FAILED, reason=Reason.QUEUE_TIMEOUT, message=message)


def _starts(
    snapshot: Snapshot, pods: SortedPods, after: After, *, unknown: Sequence[int], held: int | Wait
) -> tuple[Starts, float | None]:
    if isinstance(held, Wait):
        return Starts(), held.requeue_at
    places = held
    if at_most_once.is_wanted(snapshot):
        places = min(places, room_for_units(array=snapshot.array, record=after.record))
    busy = pods.busy | {*unknown, *(end.unit for end in after.ends)}  # also what never got a pod, as its name was taken
    apart = set_apart(snapshot)
    starts = _startable(snapshot, busy | apart, places)
    if apart and len(starts.units) < places:
        last = _startable(snapshot, busy | set(starts.units), places - len(starts.units))
        starts = Starts(units=starts.units + last.units, next_due=last.next_due)
    return starts, starts.next_due


def _startable(snapshot: Snapshot, busy: Collection[int], places: int) -> Starts:
    return startable(
        array=snapshot.array,
        units=snapshot.units,
        busy=busy,
        places=places,
        now=snapshot.now,
        allowed=snapshot.allowed,
    )


def _creation(snapshot: Snapshot, unit: int) -> CreateChild:
    """Ask for the pod of a unit's current attempt."""
    job, attempt = snapshot.job, snapshot.units.attempts(unit)
    packed = snapshot.array.pack > 1
    own = (known for known in job.status.attempts if known.index == unit)
    pod = AttemptPod(
        task_index=unit,
        attempt=attempt,
        tasks=tasks_to_run(array=snapshot.array, units=snapshot.units, unit=unit) if packed else IndexSet(),
        nodes_to_avoid=nodes_to_avoid(policy=job.failure_policy, attempts=own) if attempt else (),
        out_of_memory=snapshot.units.history(unit).out_of_memory,
    )
    return create_pod(
        job=job, name=array_pod_name(job_name=job.name, job_uid=job.uid, index=unit, attempt=attempt), pod=pod
    )
