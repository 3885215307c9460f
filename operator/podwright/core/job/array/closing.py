"""An array that is ended or stopped: say so on record, end the pods that still run, then write how it ended.

The same order as for a single job (see ADR 0004): the intent is on record before any pod is deleted for it.
"""

from typing import Final

from podwright.core.attempt import termination as pod_end
from podwright.core.commands import Decision
from podwright.core.job.array import at_most_once
from podwright.core.job.array.look import Look, SortedPods
from podwright.core.job.array.outcome import End
from podwright.core.job.array.telling import After, record_due, running_tasks, status_after
from podwright.core.job.ended import explain, phase_after
from podwright.core.job.write import write_status
from podwright.core.run.phase import Phase
from podwright.core.run.stop import Stop, recorded_stop, stop_grace
from podwright.core.values.index_set import EMPTY

DECIDED_BY_ONE: Final = "TaskFailed"


def end(look: Look, pods: SortedPods, *, after: After, end: End) -> Decision:
    """Decide on an array whose outcome is decided."""
    if _may_run(look, pods):
        return _stop_pods(look, pods, after=after, stop=end.stop, message=end.message)
    return _write(look, after, phase=end.phase, reason=end.reason, message=end.message)


def stop(look: Look, pods: SortedPods, *, after: After, stop: Stop | None) -> Decision:
    """Decide on an array that is to stop; `stop` is None if a stop on record is no longer wanted."""
    job = look.job
    wanted = stop or recorded_stop(job)
    if wanted is None:
        raise ValueError("no stop is wanted and none is on record")
    if pods.live or look.creating or (wanted.final and look.now < look.keep_until):
        return _stop_pods(look, pods, after=after, stop=wanted, message=explain(job=job, stop=wanted))
    if stop is None:
        return _write(
            look, after, phase=Phase.PENDING, reason="Resumed", message="the job was resumed", started=look.now
        )
    phase = phase_after(stop)
    if job.status.phase is phase and not after.ends:
        return Decision()
    return _write(look, after, phase=phase, reason=str(stop), message=explain(job=job, stop=stop))


def _may_run(look: Look, pods: SortedPods) -> bool:
    """Return whether a pod may still run, or appear: a creation of unknown outcome may be on its way."""
    return bool(pods.live or look.creating) or look.now < look.keep_until


def _stop_pods(look: Look, pods: SortedPods, *, after: After, stop: Stop, message: str) -> Decision:
    job = look.job
    due = record_due(look, after)
    if recorded_stop(job) is not stop or (after.ends and look.now >= due):
        running = running_tasks(look, pods.live)
        status = status_after(look, after, phase=Phase.STOPPING, reason=str(stop), message=message, running=running)
        return Decision(commands=(write_status(job=job, status=status),))
    grace = stop_grace(job=job, stop=stop)
    deletions = tuple(
        command for pod in pods.live if pod.name not in look.changing for command in pod_end.end(pod, grace=grace)
    )
    times = (due if after.ends else 0.0, look.keep_until)
    return Decision(commands=deletions, requeue_at=min((time for time in times if time > look.now), default=None))


def _write(
    look: Look, after: After, *, phase: Phase, reason: str, message: str, started: float | None = None
) -> Decision:
    # Nothing is under way here, and a job may be suspended for long.
    kept = After(ends=after.ends, record=at_most_once.withdrawn(look, after.record))
    status = status_after(look, kept, phase=phase, reason=reason, message=message, running=EMPTY, started=started)
    return Decision(commands=(write_status(job=look.job, status=status),))
