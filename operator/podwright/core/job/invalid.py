"""A job whose spec can't be carried out: it fails before anything of it runs, or runs again."""

from collections.abc import Sequence

import msgspec

from podwright.core.attempt.ending import recorded_end
from podwright.core.commands import Decision
from podwright.core.job.status import next_status
from podwright.core.job.write import write_status
from podwright.core.run.phase import Phase
from podwright.core.values.index_set import EMPTY
from podwright.core.view import JobView, PodView


def decide(*, job: JobView, pods: Sequence[PodView], now: float, keep_until: float) -> Decision | None:
    """Fail a job with a problem; None if it has none, or while some pod of it may run or is not judged yet."""
    if not job.problem or any(not recorded_end(status=job.status, pod=pod) for pod in pods):
        return None
    if job.array is None and job.status.attempts and job.status.attempts[-1].outcome is None:
        return None
    if now < keep_until:
        return Decision(requeue_at=keep_until)  # a pod whose creation was never answered may still appear
    status = next_status(job=job, phase=Phase.FAILED, reason="InvalidSpec", message=job.problem, now=now)
    if status.array is not None:
        status = msgspec.structs.replace(status, array=msgspec.structs.replace(status.array, running=EMPTY))
    return Decision(commands=(write_status(job=job, status=status),))
