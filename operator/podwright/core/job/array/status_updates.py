"""What status says of an array, and when that is written: what has ended soon, what is merely news seldom.

Used by `active` and `termination`, which decide what is to be done; nothing here starts or ends a pod.
"""

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from podwright.core.commands import WriteStatus
from podwright.core.constants.reasons import Reason
from podwright.core.job.array.ends import UnitEnd
from podwright.core.job.array.pods import SortedPods
from podwright.core.job.array.size import shows_running
from podwright.core.job.array.start import tasks_to_run
from podwright.core.job.array.status import array_status
from podwright.core.job.gates.capacity import refused_for_now
from podwright.core.job.gates.times import delay_in_words, is_delayed
from podwright.core.job.snapshot import Snapshot
from podwright.core.job.status import SETTLE, write_status
from podwright.core.model.array import ArrayRecord
from podwright.core.model.job import JobStatus
from podwright.core.model.phase import Phase
from podwright.core.model.pod import PodPhase, PodView
from podwright.core.model.units import open_tasks, units_of
from podwright.core.values.index_set import IndexSet

RECORD_EVERY: Final = 1.0
"""Seconds between two writes that only record ended attempts: their pods can wait, and one write records them all."""
REPORT_EVERY: Final = 10.0
"""Seconds between two writes that only report how many tasks run."""
_COUNTS: Final = re.compile(r"(?:\A|; )\d+ tasks succeeded, \d+ failed, (?:\d+ skipped, )?\d+ in pods, \d+ waiting\Z")


class After(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the next write records: the attempts that ended, and the record with them counted in.

    `urgent` says that some of their pods are gone, so that only this process knows of their ends.
    """

    ends: Sequence[UnitEnd]
    record: ArrayRecord
    urgent: bool = False


def record_due(snapshot: Snapshot, after: After) -> float:
    """Return when what has ended is to be recorded."""
    return snapshot.now if after.urgent else snapshot.recorded_at + RECORD_EVERY


def running_tasks(snapshot: Snapshot, pods: Sequence[PodView]) -> IndexSet:
    """Return the tasks of pods that have not ended."""
    if snapshot.array.pack == 1:
        return IndexSet.of(pod.task_index for pod in pods)
    packs = (tasks_to_run(array=snapshot.array, units=snapshot.units, unit=pod.task_index) for pod in pods)
    return IndexSet.of_ranges(span for tasks in packs for span in tasks.ranges)


def status_after(
    snapshot: Snapshot,
    after: After,
    *,
    phase: Phase,
    reason: str,
    message: str,
    running: IndexSet,
    started: float | None = None,
    stop_reason: str = "",
) -> JobStatus:
    """Return the status that records what has ended; `array_status` explains the arguments."""
    return array_status(
        job=snapshot.job,
        array=snapshot.array,
        phase=phase,
        reason=reason,
        message=message,
        record=after.record,
        ends=after.ends,
        running=running,
        now=snapshot.now,
        started=started,
        stop_reason=stop_reason,
    )


def progress_status(
    snapshot: Snapshot, pods: SortedPods, after: After, *, phase: Phase, reason: str, started: float | None = None
) -> JobStatus:
    """Return a status that says how many tasks have come how far."""
    running = running_tasks(snapshot, pods.live)
    record = after.record
    waiting = len(open_tasks(array=snapshot.array, record=record)) - len(running)
    skipped = f"{len(record.skipped)} skipped, " if record.skipped else ""
    message = (  # `_COUNTS` recognizes it
        f"{len(record.succeeded)} tasks succeeded, {len(record.failed)} failed, {skipped}"
        f"{len(running)} in pods, {waiting} waiting"
    )
    if snapshot.refusal is not None and reason == snapshot.refusal.reason:
        message = f"{refused_for_now(job=snapshot.job, refusal=snapshot.refusal, until=None).message}; {message}"
    elif reason == Reason.DELAYED:
        message = f"{delay_in_words(snapshot.job)}; {message}"
    elif reason == Reason.DEPENDENCY_MISSING:
        message = f"there is no job {snapshot.missing}, whose tasks the others wait for; {message}"
    return status_after(snapshot, after, phase=phase, reason=reason, message=message, running=running, started=started)


def without_counts(message: str) -> str:
    """Return what a message of `progress_status` says before it counts the tasks."""
    return _COUNTS.sub("", message)


def record_or_report(
    snapshot: Snapshot, pods: SortedPods, after: After, *, starting: bool
) -> tuple[tuple[WriteStatus, ...], float | None]:
    """Write what has ended, or report what has changed, if it is time for it; else say when it will be."""
    phase, reason = phase_and_reason(snapshot, pods, after, starting=starting)
    if after.ends:
        due = record_due(snapshot, after)
        if snapshot.now < due:
            return (), due
        status = progress_status(snapshot, pods, after, phase=phase, reason=reason)
        return (write_status(job=snapshot.job, status=status),), None
    status = snapshot.job.status
    if status.phase is not phase or status.reason != reason:
        # Without any pod, under way or not, there is nothing to wait for: what keeps it from starting must be reported.
        idle = snapshot.now if starting or snapshot.creating else snapshot.job.created
        since = min((pod.created if pod.started is None else pod.started for pod in pods.live), default=idle)
        due = max(since, snapshot.recorded_at) + SETTLE
    elif status.array is None or not shows_running(status.array, running_tasks(snapshot, pods.live)):
        due = snapshot.recorded_at + REPORT_EVERY
    else:
        return (), None
    if snapshot.now < due:
        return (), due
    status = progress_status(snapshot, pods, after, phase=phase, reason=reason)
    return (write_status(job=snapshot.job, status=status, deferrable=True),), None


def phase_and_reason(snapshot: Snapshot, pods: SortedPods, after: After, *, starting: bool) -> tuple[Phase, str]:
    """Return the phase of an array that goes on, and its reason. `starting` says that pods are about to be created."""
    phase, reason = _phase_of_tasks(snapshot, pods, after, starting=starting)
    # What keeps the others from starting is more worth reporting than that some run.
    if snapshot.refusal is not None:
        return phase, snapshot.refusal.reason
    if pods.live or snapshot.creating or starting:
        return phase, reason
    if is_delayed(job=snapshot.job, now=snapshot.now):
        return phase, Reason.DELAYED
    return phase, Reason.DEPENDENCY_MISSING if snapshot.missing and not units_of(after.record).groups else reason


def _phase_of_tasks(snapshot: Snapshot, pods: SortedPods, after: After, *, starting: bool) -> tuple[Phase, str]:
    present = snapshot.job.status.phase
    if any(pod.phase is not PodPhase.PENDING for pod in pods.live):
        return Phase.RUNNING, Reason.TASKS_RUNNING
    if present is Phase.RUNNING and (pods.live or snapshot.creating or starting):
        return Phase.RUNNING, Reason.TASKS_RUNNING
    if not (pods.live or snapshot.creating or starting) and units_of(after.record).groups:
        return Phase.RETRYING, Reason.TASKS_FAILED
    return (present if present is Phase.RUNNING else Phase.PENDING), Reason.TASKS_PENDING
