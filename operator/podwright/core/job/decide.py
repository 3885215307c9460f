"""One BatchJob, single or array, as a whole: which writes its recorded state and its pods call for now.

The one entry, called by the runtime whenever the job, one of its pods, or the clock asks for it, and the one order of things:
deleting, finished, invalid, gates, pods. Level-triggered: it looks at the state, never at what changed. It must not assume that a
former decision was carried out; what must happen in order is ordered by the state.
"""

from collections.abc import Sequence

import msgspec

from podwright.core.attempt import termination as pod_end
from podwright.core.attempt.ending import end_is_recorded
from podwright.core.commands import Command, Decision
from podwright.core.constants.reasons import Reason
from podwright.core.job import finished
from podwright.core.job.array import decide as array
from podwright.core.job.array.at_most_once import unused as unused_intents
from podwright.core.job.array.size import with_running
from podwright.core.job.at_most_once import without_intent
from podwright.core.job.gates.gate import before_first_pod
from podwright.core.job.single import decide as single
from podwright.core.job.snapshot import Snapshot
from podwright.core.job.status import is_intent, next_status, observing, write_status
from podwright.core.model.job import JobView
from podwright.core.model.phase import Phase
from podwright.core.model.pod import PodView
from podwright.core.model.units import open_tasks, units_with
from podwright.core.spec import DeliveryMode
from podwright.core.values.index_set import EMPTY


def decide(snapshot: Snapshot) -> Decision:
    """Return the decision on one job."""
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
    """Fail a job whose spec can't be carried out, before anything of it runs, or runs again; None if it can, or something may run."""
    job = snapshot.job
    if not job.problem or snapshot.creating or any(not end_is_recorded(job=job, pod=pod) for pod in snapshot.pods):
        return None
    known = _without_own_intents(snapshot)
    if known is None:
        return None
    if snapshot.now < snapshot.keep_until:
        return Decision(requeue_at=snapshot.keep_until)  # a pod whose creation was never answered may still appear
    status = next_status(
        job=known, phase=Phase.FAILED, reason=Reason.INVALID_SPEC, message=job.problem, now=snapshot.now
    )
    return Decision(commands=(write_status(job=job, status=status),))


def _without_own_intents(snapshot: Snapshot) -> JobView | None:
    """Return the job without intents whose pods were surely never asked for, none running; None if any pod may have been."""
    job = snapshot.job
    if job.array is None:
        last = job.status.attempts[-1] if job.status.attempts else None
        if last is None or last.outcome is not None:
            return job
        return without_intent(job) if snapshot.intended and is_intent(last) else None
    record = job.status.array
    if record is None:
        return job
    unused = unused_intents(snapshot)
    once = job.delivery is DeliveryMode.AT_MOST_ONCE
    if once and units_with(array=job.array, tasks=open_tasks(array=job.array, record=record)) & (
        record.started - unused
    ):
        return None
    left = with_running(msgspec.structs.replace(record, started=record.started - unused), EMPTY)
    return msgspec.structs.replace(job, status=msgspec.structs.replace(job.status, array=left))


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
