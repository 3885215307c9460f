"""One BatchJob, single or array, as a whole: which writes its recorded state and its pods call for now.

The one entry, called by the runtime whenever the job, one of its pods, or the clock asks for it, and the one order of things:
deleting, finished, invalid, gates, pods. Level-triggered: it looks at the state, never at what changed. It must not assume that a
former decision was carried out; what must happen in order is ordered by the state.
"""

from collections.abc import Sequence

import msgspec

from podwright.core.attempt import termination as pod_end
from podwright.core.commands import Command, Decision
from podwright.core.job import finished
from podwright.core.job.array import decide as array
from podwright.core.job.gates.gate import before_first_pod
from podwright.core.job.recorded import end_is_recorded
from podwright.core.job.single import decide as single
from podwright.core.job.snapshot import Snapshot
from podwright.core.job.status import next_status, observing
from podwright.core.job.write import write_status
from podwright.core.model.phase import Phase
from podwright.core.model.pod import PodView
from podwright.core.values.index_set import EMPTY


def decide(snapshot: Snapshot) -> Decision:
    """Decide on one job."""
    job = snapshot.job
    # What is being written of a pod now must not be asked for again.
    free = snapshot.pods
    if snapshot.changing:
        free = tuple(pod for pod in free if pod.name not in snapshot.changing)
    if job.deleting:
        return Decision(commands=release_all(free))
    if job.status.is_over:
        if snapshot.changing and not any(pod.unsettled for pod in free):
            return Decision()  # the responses ask for another decision
        return _observed(
            snapshot, finished.decide(job=job, pods=free, now=snapshot.now, keep_until=snapshot.keep_until)
        )
    refused = _invalid(snapshot)
    if refused is not None:
        return refused
    held, recheck_at = (None, None) if snapshot.creating else before_first_pod(snapshot)
    if held is not None:
        return _observed(snapshot, held)
    decision = single.decide(snapshot) if job.array is None else array.decide(snapshot)
    times = [time for time in (decision.requeue_at, recheck_at) if time is not None]
    return _observed(snapshot, Decision(commands=decision.commands, requeue_at=min(times, default=None)))


def release_all(pods: Sequence[PodView]) -> tuple[Command, ...]:
    """Let go of all pods of a job that is gone or is being deleted: nothing is left to record their ends in."""
    return tuple(pod_end.release(pod) for pod in pods if pod.held and not pod.gone)


def _invalid(snapshot: Snapshot) -> Decision | None:
    """Fail a job whose spec can't be carried out, before anything of it runs, or runs again; None if it can, or something runs."""
    job = snapshot.job
    if not job.problem or snapshot.creating or any(not end_is_recorded(job=job, pod=pod) for pod in snapshot.pods):
        return None
    if job.array is None and job.status.attempts and job.status.attempts[-1].outcome is None:
        return None
    if snapshot.now < snapshot.keep_until:
        return Decision(requeue_at=snapshot.keep_until)  # a pod whose creation was never answered may still appear
    status = next_status(job=job, phase=Phase.FAILED, reason="InvalidSpec", message=job.problem, now=snapshot.now)
    if status.array is not None:
        status = msgspec.structs.replace(status, array=msgspec.structs.replace(status.array, running=EMPTY))
    return Decision(commands=(write_status(job=job, status=status),))


def _observed(snapshot: Snapshot, decision: Decision) -> Decision:
    """Add the write that an edit of the spec was seen, where nothing else is to be written: people and tools wait for that."""
    job = snapshot.job
    # A status that nobody has written yet (-1) is no news that is worth a write.
    if decision.commands or not 0 < job.status.observed_generation < job.generation:
        return decision
    if snapshot.creating or snapshot.changing:
        return decision  # the responses ask for another decision
    seen = write_status(job=job, status=observing(job), deferrable=True)
    return Decision(commands=(seen,), requeue_at=decision.requeue_at)
