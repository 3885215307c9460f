"""What an ended pod says about the tasks that it ran. Pure reading; `record` counts it."""

from typing import Final

import msgspec

from podwright.core.attempt.budget import budget_of
from podwright.core.attempt.ending import Ending, collided, recorded_ending
from podwright.core.attempt.failure_policy import Evidence, rule_on
from podwright.core.attempt.refusal import refused_memory
from podwright.core.attempt.signals import signal_name
from podwright.core.attempt.termination_message import MESSAGE_LIMIT, is_report
from podwright.core.attempt.verdict import Verdict, verdict_on, verdict_without_pod
from podwright.core.constants.names import array_pod_name
from podwright.core.constants.reasons import Reason
from podwright.core.job.pack.report import NOTHING, parse_report, runner_container
from podwright.core.model.attempt import Attempt, Budget, Outcome, Refusal
from podwright.core.model.job import JobView
from podwright.core.model.pod import FailedContainer, PodView
from podwright.core.run.stop import Stop
from podwright.core.spec import FailureAction
from podwright.core.values.index_set import EMPTY, IndexSet

_PLAIN_FAILURE: Final = Reason.ERROR  # what every container that ended with another code than 0 has as its reason


class UnitEnd(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The end of one attempt of a unit.

    Attributes:
        unit: its index.
        verdict: what the attempt as a whole means.
        succeeded: tasks that are known to have succeeded, or whose failure is to be ignored.
        failed: tasks of a pack that ended with a failure of their own, which counts.
        given_up: those of a pack that must not be tried again, whatever their budgets.
        free: tasks of a pack that failed and may be tried again for free.
        unstarted: tasks of a pack that surely never started.
        reported: whether each task of the pack told how it ended, so that the pod's own end means nothing more.
        exhausted: whether no further attempt can help, so that it counts as one whose retries are used up.
        fatal: why the failure policy ends the whole job, "" if it doesn't.
    """

    unit: int
    verdict: Verdict
    succeeded: IndexSet = EMPTY
    failed: IndexSet = EMPTY
    given_up: IndexSet = EMPTY
    free: IndexSet = EMPTY
    unstarted: IndexSet = EMPTY
    reported: bool = False
    exhausted: bool = False
    fatal: str = ""


def unit_end(*, job: JobView, pod: PodView, tasks: IndexSet, stop: Stop | None, now: float) -> UnitEnd:
    """Judge a finished pod that ran `tasks`. `stop` is the recorded reason for which we ended all pods, if we did."""
    ending: Ending | None = recorded_ending(status=job.status, pod=pod)
    verdict = verdict_on(job=job, pod=pod, stop=stop, now=now, ending=ending)
    attempt = msgspec.structs.replace(verdict.attempt, index=pod.task_index)
    verdict = msgspec.structs.replace(verdict, attempt=attempt)
    if job.array is not None and job.array.pack > 1:
        return _pack_end(job=job, pod=pod, verdict=verdict, tasks=tasks, ending=ending)
    return UnitEnd(
        unit=pod.task_index,
        verdict=verdict,
        succeeded=tasks if verdict.succeeded else EMPTY,
        fatal=_fatal(f"task {pod.task_index}", verdict.attempt.reason, verdict.action, verdict.rule)
        if verdict.failed
        else "",
    )


def _pack_end(*, job: JobView, pod: PodView, verdict: Verdict, tasks: IndexSet, ending: Ending | None) -> UnitEnd:
    # The runner always reports. Without its word for it no task is called done, whatever the exit code.
    report = parse_report(pod.message, tasks=tasks) if is_report(pod.message) else NOTHING
    runner = runner_container(job.template)
    if verdict.failed and (ending is None or verdict.attempt.reason != ending.reason):
        verdict = _pack_verdict(job=job, pod=pod, verdict=verdict, runner=runner)
    verdict = _counted(job=job, pod=pod, verdict=verdict)
    end = UnitEnd(unit=pod.task_index, verdict=verdict, succeeded=report.succeeded, unstarted=report.unstarted)
    codes = [(f"exit code {code}", code, indexes) for code, indexes in report.failed.items()]
    known = report.succeeded
    for words, code, indexes in (*codes, (Reason.TASK_TIMEOUT, 0, report.timed_out)):
        if indexes:
            known = known | indexes
            end = _with_failures(end, job=job, container=runner, words=words, code=code, indexes=indexes)
    if verdict.attempt.outcome is Outcome.SUCCEEDED and tasks - report.succeeded:
        verdict = _counted(job=job, pod=None, verdict=_untold(job=job, verdict=verdict))
        end = msgspec.structs.replace(end, verdict=verdict)
    # A pack that was ended from outside pays as a whole; one that ended by itself has reported all there is.
    if known and verdict.attempt.budget is Budget.USER and not tasks - known - report.unstarted:
        return msgspec.structs.replace(end, reported=True)
    fatal = end.fatal or (_fatal(f"pack {end.unit}", verdict.attempt.reason, verdict.action, verdict.rule))
    return msgspec.structs.replace(end, fatal=fatal if verdict.failed else end.fatal)


def _pack_verdict(*, job: JobView, pod: PodView, verdict: Verdict, runner: str) -> Verdict:
    """Judge what befell a pack as a whole: by what is known of its pod, not by how its runner ended.

    The runner ends with 1 whenever any task did not succeed, or was stopped, so its code says nothing about a task. Nor can
    a rule make a success of tasks that nobody saw the end of: what is to be ignored is a failure like any other there.
    """
    attempt = verdict.attempt
    others = tuple(container for container in pod.failed if container.name != runner)
    reasons = {attempt.reason, pod.reason, pod.disruption, *(container.reason for container in pod.failed)}
    evidence = Evidence(
        reasons=frozenset(reasons - {"", _PLAIN_FAILURE} | {container.reason for container in others}),
        failed=others,
        pod_conditions=pod.conditions,
        message="" if is_report(pod.message) else pod.message,
    )
    ruling = rule_on(rules=job.failure_policy.rules, evidence=evidence)
    action = FailureAction.RETRY if ruling.action is FailureAction.IGNORE else ruling.action
    free = action is FailureAction.RETRY_FREE
    budget = None if free else budget_of(reason=attempt.reason, pod=pod, policy=job.retry)
    return msgspec.structs.replace(
        verdict, attempt=msgspec.structs.replace(attempt, budget=budget), action=action, rule=ruling.rule
    )


def _counted(*, job: JobView, pod: PodView | None, verdict: Verdict) -> Verdict:
    """Count a failure of a pack that a rule would have ignored: it made no task succeed, and free retries would never end."""
    if verdict.action is not FailureAction.IGNORE:
        return verdict
    budget = budget_of(reason=verdict.attempt.reason, pod=pod, policy=job.retry)
    attempt = msgspec.structs.replace(verdict.attempt, budget=budget)
    return msgspec.structs.replace(verdict, attempt=attempt, action=FailureAction.RETRY)


def _untold(*, job: JobView, verdict: Verdict) -> Verdict:
    """Judge a pod that ended well and did not say that all its tasks did: a failure, or it would be repeated for ever."""
    failed = msgspec.structs.replace(
        verdict.attempt,
        outcome=Outcome.FAILED,
        reason=Reason.INCOMPLETE_REPORT,
        message="the pod ended with exit code 0, but its termination message doesn't say that all its tasks succeeded",
    )
    return verdict_without_pod(job=job, attempt=failed)


def _with_failures(end: UnitEnd, *, job: JobView, container: str, words: str, code: int, indexes: IndexSet) -> UnitEnd:
    """Apply the failure policy to tasks of a pack that ended alike. Their messages are not known, only how they ended."""
    signal = signal_name(signal=None, exit_code=code)
    reason = Reason.TASK_TIMEOUT if words == Reason.TASK_TIMEOUT else _PLAIN_FAILURE
    failed = (FailedContainer(container, code, signal, reason),) if code else ()
    ruling = rule_on(rules=job.failure_policy.rules, evidence=Evidence(reasons=frozenset({reason}), failed=failed))
    match ruling.action:
        case FailureAction.IGNORE:
            return msgspec.structs.replace(end, succeeded=end.succeeded | indexes)
        case FailureAction.RETRY_FREE:
            return msgspec.structs.replace(end, free=end.free | indexes)
        case FailureAction.RETRY:
            return msgspec.structs.replace(end, failed=end.failed | indexes)
        case _:
            fatal = _fatal(f"task {indexes}", words, ruling.action, ruling.rule)
            return msgspec.structs.replace(end, given_up=end.given_up | indexes, fatal=end.fatal or fatal)


def _fatal(what: str, reason: str, action: FailureAction, rule: int | None) -> str:
    if action is not FailureAction.FAIL:
        return ""
    return f"{what} failed ({reason}), which spec.failurePolicy.rules[{rule}] makes the end of the job"


def collided_end(*, job: JobView, refusal: Refusal, now: float) -> UnitEnd:
    """Describe an attempt that never got a pod, because an object that is not ours holds its name."""
    name = array_pod_name(job_name=job.name, job_uid=job.uid, index=refusal.task_index, attempt=refusal.attempt)
    attempt = collided(number=refusal.attempt, pod_name=name, message=refusal.message, now=now)
    verdict = verdict_without_pod(job=job, attempt=msgspec.structs.replace(attempt, index=refusal.task_index))
    return UnitEnd(unit=refusal.task_index, verdict=verdict)


def refused_end(*, job: JobView, refusal: Refusal, unit: int, attempt: int, now: float) -> UnitEnd:
    """Describe an attempt that gets no pod, because the memory that it was given more of after running out of it is refused."""
    refused = Attempt(
        index=unit,
        number=attempt,
        pod_name=array_pod_name(job_name=job.name, job_uid=job.uid, index=unit, attempt=attempt),
        ended=now,
        outcome=Outcome.FAILED,
        reason=Reason.OOM_KILLED,
        message=refused_memory(refusal)[:MESSAGE_LIMIT],
    )
    # No rule is asked: what it may say of running out of memory it has said of the attempt before.
    return UnitEnd(unit=unit, verdict=Verdict(attempt=refused), exhausted=True)
