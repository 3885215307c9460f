"""The current attempt has ended: record its verdict, and with it what the job does next. One write does both."""

from podwright.core.commands import Decision
from podwright.core.job import at_most_once, retry
from podwright.core.job.attempt import verdict
from podwright.core.job.phase import Phase
from podwright.core.job.status import next_status
from podwright.core.job.stop import Stop, recorded_stop
from podwright.core.job.write import write_status
from podwright.core.view import Attempt, JobView, Outcome, PodView


def decide(*, job: JobView, pod: PodView, stop: Stop | None, now: float) -> Decision:
    """Decide on a job whose current pod has finished. `stop` is the stop that is called for now, if any."""
    attempt = verdict(job=job, pod=pod, stop=recorded_stop(job), now=now)
    return record(job=job, attempt=attempt, stop=stop, now=now)


def record(*, job: JobView, attempt: Attempt, stop: Stop | None, now: float) -> Decision:
    """Write the end of an attempt. A success wins over a stop: the work is done."""
    phase, reason, message = _follow_up(job=job, attempt=attempt, stop=stop)
    status = next_status(
        job=job,
        phase=phase,
        reason=reason,
        message=message,
        now=now,
        attempt=attempt,
        started=now if phase is Phase.PENDING else None,
        next_attempt=_next_attempt(job=job, now=now) if phase is Phase.RETRYING else None,
    )
    return Decision(commands=(write_status(job=job, status=status),))


def phase_after(stop: Stop) -> Phase:
    """Give the phase that a job enters once a stop has taken effect."""
    return {
        Stop.CANCELLED: Phase.CANCELLED,
        Stop.TOTAL_TIMEOUT: Phase.FAILED,
        Stop.OUTCOME_DECIDED: Phase.FAILED,
        Stop.SUSPENDED: Phase.SUSPENDED,
    }[stop]


def explain(*, job: JobView, stop: Stop) -> str:
    """Say in one sentence why the job was stopped."""
    if stop is Stop.CANCELLED:
        return f"the job was cancelled (spec.cancel: {job.cancel})"
    if stop is Stop.SUSPENDED:
        return "the job is suspended (spec.suspend: true)"
    if stop is Stop.OUTCOME_DECIDED:
        return job.status.message
    return f"the job did not finish within spec.timeouts.total ({job.total_timeout:g} s)"


def _follow_up(*, job: JobView, attempt: Attempt, stop: Stop | None) -> tuple[Phase, str, str]:
    if attempt.outcome is Outcome.SUCCEEDED:
        return Phase.SUCCEEDED, "Completed", f"attempt {attempt.number} succeeded"
    if stop is not None and stop.final:
        return phase_after(stop), str(stop), explain(job=job, stop=stop)
    once = at_most_once.follow_up(job=job, attempt=attempt, stop=stop)
    if once is not None:
        return once
    failed_count = job.status.failed_count + (0 if attempt.outcome is Outcome.STOPPED else 1)
    if retry.exhausted(policy=job.retry, failed_count=failed_count):
        reason = "RetriesExhausted" if job.retry.limit else attempt.reason
        return Phase.FAILED, reason, f"{_describe(attempt)}; retry limit {job.retry.limit} reached"
    if stop is not None:
        return phase_after(stop), str(stop), explain(job=job, stop=stop)
    if attempt.outcome is Outcome.STOPPED:
        return Phase.PENDING, "Resumed", "the job was resumed"
    return (
        Phase.RETRYING,
        attempt.reason,
        f"{_describe(attempt)}; failure {failed_count}, retry limit {job.retry.limit}",
    )


def _describe(attempt: Attempt) -> str:
    code = "" if attempt.exit_code is None else f" with exit code {attempt.exit_code}"
    return f"attempt {attempt.number} failed{code} ({attempt.reason})"


def _next_attempt(*, job: JobView, now: float) -> float:
    return now + retry.retry_delay(policy=job.retry, job_uid=job.uid, failed_count=job.status.failed_count + 1)
