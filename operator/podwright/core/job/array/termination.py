"""An array that is ended or stopped: say so on record, end the pods that still run, then write how it ended.

The same order as for a single job (see ADR 0004): the intent is on record before any pod is deleted for it.
"""

from podwright.core.attempt import termination as pod_end
from podwright.core.commands import Decision
from podwright.core.constants.reasons import Reason
from podwright.core.job.array import at_most_once
from podwright.core.job.array.outcome import End
from podwright.core.job.array.pods import SortedPods
from podwright.core.job.array.status_updates import After, record_due, running_tasks, status_after
from podwright.core.job.snapshot import Snapshot
from podwright.core.job.status import write_status
from podwright.core.model.phase import Phase
from podwright.core.run.stop import Stop, explain, phase_after, recorded_stop, stop_grace
from podwright.core.values.index_set import EMPTY


def end(snapshot: Snapshot, pods: SortedPods, *, after: After, end: End) -> Decision:
    """Decide on an array whose outcome is decided."""
    if _may_run(snapshot, pods):
        return _stop_pods(snapshot, pods, after=after, stop=end.stop, message=end.message, reason=end.reason)
    return _write(snapshot, after, phase=end.phase, reason=end.reason, message=end.message)


def stop(snapshot: Snapshot, pods: SortedPods, *, after: After, stop: Stop | None) -> Decision:
    """Decide on an array that is to stop; `stop` is None if a stop on record is no longer wanted."""
    job = snapshot.job
    wanted = stop or recorded_stop(job)
    if wanted is None:
        raise ValueError("no stop is wanted and none is on record")
    waits = snapshot.rulings.pending or (wanted.final and snapshot.now < snapshot.keep_until)
    if pods.live or snapshot.creating or waits:
        message = explain(job=job, stop=wanted)
        return _stop_pods(snapshot, pods, after=after, stop=wanted, message=message, reason=str(wanted))
    if stop is None:
        return _write(
            snapshot,
            after,
            phase=Phase.PENDING,
            reason=Reason.RESUMED,
            message="the job was resumed",
            started=snapshot.now,
        )
    phase = phase_after(stop)
    if job.status.phase is phase and not after.ends:
        return Decision()
    return _write(snapshot, after, phase=phase, reason=str(stop), message=explain(job=job, stop=stop))


def _may_run(snapshot: Snapshot, pods: SortedPods) -> bool:
    """Return whether a pod may still run, or appear: a creation of unknown outcome may be on its way.

    A pod that has ended and is not judged yet is waited for as well.
    """
    under_way = bool(pods.live or snapshot.creating or snapshot.rulings.pending)
    return under_way or snapshot.now < snapshot.keep_until


def _stop_pods(
    snapshot: Snapshot, pods: SortedPods, *, after: After, stop: Stop, message: str, reason: str
) -> Decision:
    job = snapshot.job
    due = record_due(snapshot, after)
    if recorded_stop(job) is not stop or (after.ends and snapshot.now >= due):
        running = running_tasks(snapshot, pods.live)
        status = status_after(
            snapshot,
            after,
            phase=Phase.STOPPING,
            reason=str(stop),
            message=message,
            running=running,
            stop_reason=reason,
        )
        return Decision(commands=(write_status(job=job, status=status),))
    grace = stop_grace(job=job, stop=stop)
    deletions = tuple(
        command for pod in pods.live if pod.name not in snapshot.changing for command in pod_end.end(pod, grace=grace)
    )
    times = (due if after.ends else 0.0, snapshot.keep_until)
    return Decision(commands=deletions, requeue_at=min((time for time in times if time > snapshot.now), default=None))


def _write(
    snapshot: Snapshot, after: After, *, phase: Phase, reason: str, message: str, started: float | None = None
) -> Decision:
    # Nothing is under way here, and a job may be suspended for long.
    kept = After(ends=after.ends, record=at_most_once.withdrawn(snapshot, after.record))
    status = status_after(snapshot, kept, phase=phase, reason=reason, message=message, running=EMPTY, started=started)
    return Decision(commands=(write_status(job=snapshot.job, status=status),))
