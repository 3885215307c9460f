"""The current attempt has ended: record its verdict, and with it what the job does next. One write does both."""

from typing import Final

import msgspec

from podwright.core.attempt import retry
from podwright.core.attempt.ending import recorded_ending
from podwright.core.attempt.verdict import Verdict, same_failure_on_nodes, verdict_on
from podwright.core.commands import Decision
from podwright.core.constants.reasons import Reason
from podwright.core.job import at_most_once
from podwright.core.job.status import next_status, write_status
from podwright.core.model.attempt import Attempt, Budget, Outcome
from podwright.core.model.job import JobView
from podwright.core.model.phase import Phase
from podwright.core.model.pod import PodView
from podwright.core.run.stop import Stop, explain, phase_after, recorded_stop
from podwright.core.values.excerpt import last_line

_WORDS_LIMIT: Final = 256
_EXHAUSTED: Final = {
    Budget.USER: (Reason.RETRIES_EXHAUSTED, "limit"),
    Budget.PLATFORM: (Reason.PLATFORM_RETRIES_EXHAUSTED, "platformLimit"),
    Budget.TIMEOUT: (Reason.TIMEOUT_RETRIES_EXHAUSTED, "timeoutLimit"),
}


def decide(*, job: JobView, pod: PodView, stop: Stop | None, now: float) -> Decision:
    """Decide on a job whose current pod has finished. `stop` is the stop that is called for now, if any."""
    ending = recorded_ending(status=job.status, pod=pod)
    verdict = verdict_on(job=job, pod=pod, stop=recorded_stop(job), now=now, ending=ending)
    return record(job=job, verdict=verdict, stop=stop, now=now)


def record(*, job: JobView, verdict: Verdict, stop: Stop | None, now: float) -> Decision:
    """Write the end of an attempt. A success wins over a stop: the work is done."""
    counts = verdict.counted(_counts_before(job=job, verdict=verdict))
    phase, reason, message = _follow_up(job=job, verdict=verdict, counts=counts, stop=stop)
    status = next_status(
        job=job,
        phase=phase,
        reason=reason,
        message=message,
        now=now,
        attempt=verdict.attempt,
        counts=counts,
        report=verdict.report if verdict.attempt.outcome is Outcome.SUCCEEDED else None,
        started=now if phase is Phase.PENDING else None,
        # A suspension doesn't shorten the wait for it.
        next_attempt=_next_attempt(job=job, verdict=verdict, counts=counts, now=now)
        if phase is Phase.RETRYING or (phase is Phase.SUSPENDED and verdict.failed)
        else None,
    )
    return Decision(commands=(write_status(job=job, status=status),))


def _counts_before(*, job: JobView, verdict: Verdict) -> retry.Counts:
    # Every attempt before this one has ended: the number of an attempt is the count of those.
    return msgspec.structs.replace(retry.counts_of(job.status), attempts=verdict.attempt.number)


def _follow_up(*, job: JobView, verdict: Verdict, counts: retry.Counts, stop: Stop | None) -> tuple[Phase, str, str]:
    attempt = verdict.attempt
    if verdict.succeeded:
        return _succeeded(verdict)
    if stop is not None and stop.final:
        return phase_after(stop), str(stop), explain(job=job, stop=stop)
    once = at_most_once.follow_up(job=job, attempt=attempt, stop=stop)
    if once is not None:
        return _with_last_words(once, attempt=attempt)
    if verdict.failed:
        over = _given_up(job=job, verdict=verdict, counts=counts)
        if over is not None:
            return _with_last_words(over, attempt=attempt)
    if stop is not None:
        return phase_after(stop), str(stop), explain(job=job, stop=stop)
    if attempt.outcome is Outcome.STOPPED:
        return Phase.PENDING, Reason.RESUMED, "the job was resumed"
    return Phase.RETRYING, attempt.reason, f"{_describe(attempt)}; {_used(job=job, verdict=verdict, counts=counts)}"


def _succeeded(verdict: Verdict) -> tuple[Phase, str, str]:
    attempt = verdict.attempt
    if attempt.outcome is Outcome.SUCCEEDED:
        told = "; ".join((f"attempt {attempt.number} succeeded", *verdict.report.ignored))
        return Phase.SUCCEEDED, Reason.COMPLETED, told
    return Phase.SUCCEEDED, Reason.FAILURE_IGNORED, f"{_describe(attempt)}; {_ruled(verdict)}"


def _given_up(*, job: JobView, verdict: Verdict, counts: retry.Counts) -> tuple[Phase, str, str] | None:
    """Return how the job ends if a failure leaves no further attempt, None if another may follow."""
    attempt, policy = verdict.attempt, job.failure_policy
    told = _describe(attempt)
    dead = Phase.DEAD_LETTERED if job.dead_letter else Phase.FAILED
    if verdict.final:
        return Phase.FAILED, attempt.reason, f"{told}; {_ruled(verdict)}"
    nodes = same_failure_on_nodes(attempts=job.status.attempts, last=attempt)
    if policy.same_failure_nodes is not None and nodes >= policy.same_failure_nodes:
        return (
            dead,
            Reason.SAME_FAILURE_ON_NODES,
            f"{told}, in the same way on {nodes} different nodes: the nodes aren't at fault",
        )
    if verdict.lost_node and counts.lost_nodes >= policy.quarantine_after:
        lost = counts.lost_nodes
        them = "1 attempt was lost with its node" if lost == 1 else f"{lost} attempts were lost with their nodes"
        return dead, Reason.QUARANTINED, f"{told}; {them}: the job may be what ends nodes"
    if attempt.budget is None or not retry.used_up(policy=job.retry, counts=counts, budget=attempt.budget):
        return None
    limit = retry.limit_of(policy=job.retry, budget=attempt.budget)
    reason, field = _EXHAUSTED[attempt.budget]
    told = f"{told}; retry {field} {limit} reached"
    # Without retries there is nothing to exhaust: such a job just failed.
    return (dead, reason, told) if limit else (Phase.FAILED, attempt.reason, told)


def _used(*, job: JobView, verdict: Verdict, counts: retry.Counts) -> str:
    budget = verdict.attempt.budget
    if budget is None:
        return _ruled(verdict)
    limit = retry.limit_of(policy=job.retry, budget=budget)
    return f"failure {counts.of(budget)}, retry {_EXHAUSTED[budget][1]} {limit}"


def _ruled(verdict: Verdict) -> str:
    return f"spec.failurePolicy.rules[{verdict.rule}] says {verdict.action}"


def _with_last_words(end: tuple[Phase, str, str], *, attempt: Attempt) -> tuple[Phase, str, str]:
    """Return how the job ends with the last line of its attempt's message: programs say there what went wrong."""
    phase, reason, told = end
    if attempt.reason == Reason.ATTEMPT_TIMEOUT:
        return end  # the kubelet has the last line, and says only that time ran out
    words = last_line(attempt.message, limit=_WORDS_LIMIT)
    return (phase, reason, f"{told}; last line of its message: {words}") if words and words not in told else end


def _describe(attempt: Attempt) -> str:
    code = "" if attempt.exit_code is None else f" with exit code {attempt.exit_code}"
    return f"attempt {attempt.number} failed{code} ({attempt.reason})"


def _next_attempt(*, job: JobView, verdict: Verdict, counts: retry.Counts, now: float) -> float:
    budget = verdict.attempt.budget
    return now + retry.next_delay(policy=job.retry, key=job.uid, counts=counts, budget=budget, asked=verdict.delay)
