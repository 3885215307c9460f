"""Whether a job must not run (any longer), and why. Cancelling beats running out of time beats suspending."""

import enum
from typing import Final

from podwright.core.constants.reasons import Reason
from podwright.core.model.job import JobView
from podwright.core.model.phase import Phase
from podwright.core.run.deadline import total_deadline
from podwright.core.spec import CancelMode


class Stop(enum.StrEnum):
    """Why a job is stopped; the value is the reason in status and conditions."""

    CANCELLED = Reason.CANCELLED
    TOTAL_TIMEOUT = Reason.TOTAL_TIMEOUT
    SUSPENDED = Reason.SUSPENDED
    OUTCOME_DECIDED = Reason.OUTCOME_DECIDED  # of an array: what its other tasks do no longer matters
    QUARANTINED = Reason.QUARANTINED  # of an array: its pods may be what takes nodes down
    SAME_FAILURE = Reason.SAME_FAILURE_ON_NODES  # of an array: its tasks fail alike wherever they run

    @property
    def final(self) -> bool:
        """Return whether the job cannot go on after this stop."""
        return self is not Stop.SUSPENDED

    @property
    def decided(self) -> bool:
        """Return whether it is the array's own end that its pods are stopped for, rather than something from outside."""
        return self in (Stop.OUTCOME_DECIDED, Stop.QUARANTINED, Stop.SAME_FAILURE)


_BY_REASON: Final = {str(stop): stop for stop in Stop}


def recorded_stop(job: JobView) -> Stop | None:
    """Return the stop that was written to status before any pod was deleted for it: the intent that survives a crash."""
    status = job.status
    if status.phase is not Phase.STOPPING:
        return None
    if status.stop is None:  # written by a version that kept it in the reason alone
        return _BY_REASON.get(status.reason)
    # A reason of its own is that of the end which an array has come to.
    return _BY_REASON.get(status.stop.reason, Stop.OUTCOME_DECIDED)


def phase_after(stop: Stop) -> Phase:
    """Return the phase that a run enters once a stop has taken effect."""
    return {Stop.CANCELLED: Phase.CANCELLED, Stop.SUSPENDED: Phase.SUSPENDED}.get(stop, Phase.FAILED)


def explain(*, job: JobView, stop: Stop) -> str:
    """Return in one sentence why the run is stopped: as it is on record, whatever has become of the spec since."""
    if recorded_stop(job) is stop:
        message = job.status.message if job.status.stop is None else job.status.stop.message
        if message:
            return message
    if stop is Stop.CANCELLED:
        return f"the job was cancelled (spec.cancel: {job.cancel})"
    if stop is Stop.SUSPENDED:
        return "the job is suspended (spec.suspend: true)"
    if stop.decided:
        return job.status.message
    limit = "" if job.total_timeout is None else f" ({job.total_timeout:g} s)"
    return f"the job did not finish within spec.timeouts.total{limit}"


def wanted_stop(*, job: JobView, now: float) -> Stop | None:
    """Return the stop that is called for now. A final stop that is already recorded stays, whatever the spec says since."""
    recorded = recorded_stop(job)
    if job.cancel is not None:
        return Stop.CANCELLED
    if recorded is not None and recorded.final:
        return recorded
    if job.suspend:
        return Stop.SUSPENDED
    deadline = total_deadline(job)
    # The clock stands still from a suspension to the resumption that sets it anew, also while a pod still ends.
    if recorded is Stop.SUSPENDED or job.status.phase is Phase.SUSPENDED:
        return None
    if deadline is not None and now >= deadline:
        return Stop.TOTAL_TIMEOUT
    return None


def stop_grace(*, job: JobView, stop: Stop) -> int | None:
    """Return the grace period in seconds for the pod's deletion, None for the pod's own.

    Never 0: that would remove the pod from the API server while its containers may still run.
    """
    return 1 if stop is Stop.CANCELLED and job.cancel is CancelMode.IMMEDIATE else None
