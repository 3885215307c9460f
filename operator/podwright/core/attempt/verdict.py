"""What an ended attempt means: how it ended, what the rules make of that, who pays, and what the task reported.

Used for a job's only task and for each task of an array. What follows for the job is decided by `ended`, with `retry`.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from podwright.core.attempt.budget import budget_of, lost_with_node
from podwright.core.attempt.ending import Ending, verdict
from podwright.core.attempt.failure_policy import Evidence, Ruling, evidence_of_end, evidence_of_wait, rule_on
from podwright.core.attempt.message_pattern import matched_line
from podwright.core.attempt.redaction import redacted
from podwright.core.attempt.report import NO_REPORT, Report, read_report
from podwright.core.attempt.retry import Counts
from podwright.core.attempt.termination_message import MESSAGE_LIMIT
from podwright.core.constants.reasons import Reason
from podwright.core.model.attempt import Attempt, Budget, Outcome
from podwright.core.model.job import JobView
from podwright.core.model.pod import PodView
from podwright.core.run.stop import Stop
from podwright.core.spec import FailureAction
from podwright.core.values.excerpt import tail

_LINE_LIMIT: Final = 256
_FAILURES: Final = frozenset({Outcome.FAILED, Outcome.LOST})


class Verdict(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An ended attempt with all that follows from it alone.

    `action` is what the failure policy says; it means something only for a failure. `rule` is the number of the rule that
    said so, from 0. `delay` is in seconds and what the task asked for.
    """

    attempt: Attempt
    action: FailureAction = FailureAction.RETRY
    rule: int | None = None
    delay: int | None = None
    out_of_memory: bool = False
    lost_node: bool = False
    report: Report = NO_REPORT

    @property
    def succeeded(self) -> bool:
        """Return whether the task is done: it succeeded, or its failure is to be ignored."""
        return self.attempt.outcome is Outcome.SUCCEEDED or (self.failed and self.action is FailureAction.IGNORE)

    @property
    def failed(self) -> bool:
        """Return whether the attempt failed or was lost."""
        return self.attempt.outcome in _FAILURES

    @property
    def final(self) -> bool:
        """Return whether the task may not be tried again, whatever its budgets."""
        return self.failed and self.action in (FailureAction.FAIL, FailureAction.FAIL_TASK)

    def counted(self, counts: Counts) -> Counts:
        """Return the counts of the task after this attempt."""
        return counts.after(budget=self.attempt.budget, out_of_memory=self.out_of_memory, lost_node=self.lost_node)


def verdict_on(*, job: JobView, pod: PodView, stop: Stop | None, now: float, ending: Ending | None = None) -> Verdict:
    """Judge a finished pod. `stop` and `ending` are the recorded reasons for which we ended it, if we did."""
    attempt = verdict(job=job, pod=pod, stop=stop, now=now, ending=ending)
    report = read_report(pod.message)
    if attempt.outcome not in _FAILURES:
        return Verdict(attempt=attempt, report=report if attempt.outcome is Outcome.SUCCEEDED else NO_REPORT)
    if ending is not None and attempt.reason == ending.reason:
        evidence = evidence_of_wait(reason=ending.reason, message=ending.message, pod=pod)
    else:
        evidence = evidence_of_end(attempt=attempt, pod=pod)
    return _ruled(
        job=job,
        attempt=attempt,
        evidence=evidence,
        pod=pod,
        report=report,
        out_of_memory=any(container.reason == Reason.OOM_KILLED for container in pod.failed)
        or pod.reason == Reason.OOM_KILLED,
        lost_node=lost_with_node(pod),
    )


def verdict_without_pod(*, job: JobView, attempt: Attempt) -> Verdict:
    """Judge a failed attempt that never had a pod."""
    evidence = evidence_of_end(attempt=attempt, pod=None)
    return _ruled(job=job, attempt=attempt, evidence=evidence, pod=None, report=NO_REPORT)


def same_failure_on_nodes(*, attempts: Iterable[Attempt], last: Attempt) -> int:
    """Return on how many different nodes attempts failed just as `last` did: for the same reason, with the same exit code.

    What the platform took away tells nothing about the job, so only failures that were charged to it count.
    """
    own = (Budget.USER, Budget.TIMEOUT)
    alike = (a for a in (*attempts, last) if (a.reason, a.exit_code) == (last.reason, last.exit_code))
    return len({a.node for a in alike if a.node and a.budget in own}) if last.budget in own else 0


def _ruled(
    *,
    job: JobView,
    attempt: Attempt,
    evidence: Evidence,
    pod: PodView | None,
    report: Report,
    out_of_memory: bool = False,
    lost_node: bool = False,
) -> Verdict:
    ruling = rule_on(rules=job.failure_policy.rules, evidence=evidence)
    free = ruling.action in (FailureAction.RETRY_FREE, FailureAction.IGNORE)
    budget = None if free else budget_of(reason=attempt.reason, pod=pod, policy=job.retry)
    attempt = msgspec.structs.replace(
        attempt, budget=budget, message=_with_match(attempt.message, job, ruling, evidence)
    )
    return Verdict(
        attempt=attempt,
        action=ruling.action,
        rule=ruling.rule,
        delay=report.delay,
        out_of_memory=out_of_memory,
        lost_node=lost_node,
        report=report,
    )


def _with_match(message: str, job: JobView, ruling: Ruling, evidence: Evidence) -> str:
    """Return the message with the line that `onMessage` matched, should that not be in the part that is kept."""
    pattern = "" if ruling.rule is None else job.failure_policy.rules[ruling.rule].message
    if not pattern:
        return message
    line = redacted(matched_line(pattern=pattern, text=evidence.message)).strip()[:_LINE_LIMIT]
    if not line or line in message:
        return message
    return f"{line}\n{tail(message, limit=MESSAGE_LIMIT - len(line) - 1)}"
