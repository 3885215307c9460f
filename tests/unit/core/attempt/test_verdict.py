"""What an ended attempt means, whether it is a job's only task or one of many."""

from typing import Any

import msgspec
import pytest

from podwright.core.attempt.ending import Ending, collided, recorded_ending
from podwright.core.attempt.verdict import Verdict, same_failure_on_nodes, verdict_on, verdict_without_pod
from podwright.core.model.attempt import Attempt, Budget, Outcome
from podwright.core.model.job import JobStatus, JobView
from podwright.core.model.pod import FailedContainer, PodView
from podwright.core.run.stop import Stop
from podwright.core.spec import FailureAction, FailurePolicy, FailureRule, RetryPolicy
from tests.support.builders import finished, make_attempt, make_job, make_pod, running

PENDING = make_pod(make_job())
RUNNING = running(PENDING, at=100.0)
PULLING = msgspec.structs.replace(PENDING, node="node-1", waiting_reason="ErrImagePull")
ENDING = Ending(reason="ErrImagePull", message="no such image")
KILLED = FailedContainer("main", 137, "SIGKILL", "OOMKilled")


def job_with(*rules: FailureRule, **changes: Any) -> JobView:
    """Build a job with these rules."""
    return make_job(failure_policy=FailurePolicy(rules=rules), **changes)


def judge(
    pod: PodView, *rules: FailureRule, stop: Stop | None = None, ending: Ending | None = None, **changes: Any
) -> Verdict:
    """Judge a pod of a job with these rules."""
    return verdict_on(job=job_with(*rules, **changes), pod=pod, stop=stop, now=200.0, ending=ending)


def rule(action: FailureAction, **matchers: Any) -> FailureRule:
    """Build a rule."""
    return FailureRule(action=action, **matchers)


def test_a_plain_failure_is_the_users_and_retried() -> None:
    verdict = judge(finished(RUNNING, at=110, exit_code=3))
    assert (verdict.action, verdict.rule, verdict.attempt.budget) == (FailureAction.RETRY, None, Budget.USER)
    assert verdict.failed
    told = (verdict.succeeded, verdict.final, verdict.out_of_memory, verdict.lost_node)
    assert told == (False, False, False, False)


@pytest.mark.parametrize(
    ("action", "budget", "succeeded", "final"),
    [
        (FailureAction.RETRY, Budget.USER, False, False),
        (FailureAction.RETRY_FREE, None, False, False),
        (FailureAction.FAIL, Budget.USER, False, True),
        (FailureAction.FAIL_TASK, Budget.USER, False, True),
        (FailureAction.IGNORE, None, True, False),
    ],
)
def test_actions(action: FailureAction, budget: Budget | None, succeeded: bool, final: bool) -> None:
    pod = finished(RUNNING, at=110, exit_code=3)
    verdict = judge(pod, rule(action, reasons=frozenset({"Error"})))
    assert (verdict.attempt.budget, verdict.succeeded, verdict.final) == (budget, succeeded, final)
    assert (verdict.attempt.outcome, verdict.rule) == (Outcome.FAILED, 0)


@pytest.mark.parametrize(
    ("pod", "stop"),
    [
        (finished(RUNNING, at=110), None),
        (finished(RUNNING, at=110, exit_code=143, deletion_requested=109), Stop.SUSPENDED),
    ],
    ids=["succeeded", "stopped"],
)
def test_rules_are_asked_about_failures_only(pod: PodView, stop: Stop | None) -> None:
    verdict = judge(pod, rule(FailureAction.FAIL, exit_codes=frozenset({5}), exit_codes_inverted=True), stop=stop)
    assert (verdict.rule, verdict.attempt.budget, verdict.final) == (None, None, False)


def test_timeouts_have_their_own_budget_if_it_has_a_limit() -> None:
    pod = finished(RUNNING, at=131, exit_code=137, reason="DeadlineExceeded")
    assert judge(pod, attempt_timeout=30.0).attempt.budget is Budget.USER
    own = judge(pod, attempt_timeout=30.0, retry=RetryPolicy(timeout_limit=0))
    assert (own.attempt.budget, own.attempt.reason) == (Budget.TIMEOUT, "AttemptTimeout")


def test_out_of_memory_and_lost_nodes_are_told() -> None:
    killed = finished(RUNNING, at=110, exit_code=137, reason="OOMKilled", failed=(KILLED,))
    assert judge(killed).out_of_memory
    second = finished(RUNNING, at=110, exit_code=1, failed=(FailedContainer("a", 1, "", "Error"), KILLED))
    assert judge(second).out_of_memory
    collected = msgspec.structs.replace(RUNNING, disruption="DeletionByPodGC", gone=True)
    lost = judge(collected)
    assert (lost.attempt.outcome, lost.attempt.budget, lost.lost_node) == (Outcome.LOST, Budget.PLATFORM, True)


# Pods that were ended because they could not start.


def dying(pod: PodView) -> PodView:
    """Let the pod be deleted at 105."""
    return msgspec.structs.replace(pod, deletion_requested=105.0)


@pytest.mark.parametrize(
    ("pod", "want"),
    [
        (finished(dying(PULLING), at=106, exit_code=137), (Outcome.FAILED, "ErrImagePull")),
        (finished(dying(PULLING), at=106), (Outcome.FAILED, "ErrImagePull")),
        (msgspec.structs.replace(dying(PULLING), gone=True), (Outcome.FAILED, "ErrImagePull")),
        (msgspec.structs.replace(PULLING, gone=True), (Outcome.FAILED, "ErrImagePull")),
        (dying(PENDING), (Outcome.FAILED, "ErrImagePull")),
        (finished(PULLING, at=104), (Outcome.SUCCEEDED, "Completed")),
        (finished(dying(PULLING), at=94), (Outcome.SUCCEEDED, "Completed")),
        (finished(PULLING, at=104, exit_code=3), (Outcome.FAILED, "Error")),
    ],
    ids=[
        "killed by the deletion",
        "gave up when told to",
        "gone after the deletion",
        "gone, and nobody saw the deletion",
        "never had a node",
        "could start after all, and succeeded",
        "succeeded before it was deleted",
        "failed by itself before it was deleted",
    ],
)
def test_an_attempt_that_was_ended_for_its_wait(pod: PodView, want: tuple[Outcome, str]) -> None:
    first = rule(FailureAction.IGNORE, exit_codes=frozenset({137, 143}))
    second = rule(FailureAction.FAIL, waiting_reasons=frozenset({"ImagePullBackOff"}), message="no such")
    verdict = judge(pod, first, second, ending=ENDING)
    assert (verdict.attempt.outcome, verdict.attempt.reason) == want
    ended_by_us = verdict.attempt.reason == "ErrImagePull"
    assert (verdict.rule == 1, verdict.final) == (ended_by_us, ended_by_us)
    assert (verdict.attempt.message == "no such image") is ended_by_us


def test_an_attempt_that_was_being_ended_when_its_job_was_stopped_failed_for_that() -> None:
    deleted = finished(RUNNING, at=110, exit_code=143, deletion_requested=105.0)
    both = judge(deleted, stop=Stop.SUSPENDED, ending=ENDING).attempt
    assert (both.outcome, both.reason, both.message) == (Outcome.FAILED, ENDING.reason, ENDING.message)
    alone = judge(deleted, stop=Stop.SUSPENDED).attempt
    assert (alone.outcome, alone.reason) == (Outcome.STOPPED, "Suspended")


def test_only_the_record_of_this_very_pod_tells_why_it_is_ended() -> None:
    ongoing = make_attempt(make_job(), outcome=None, reason="ErrImagePull", message="m")
    status = JobStatus(attempts=(ongoing,))
    assert recorded_ending(status=status, pod=PENDING) == Ending(reason="ErrImagePull", message="m")
    assert recorded_ending(status=status, pod=make_pod(make_job(), uid="another")) is None
    assert recorded_ending(status=JobStatus(), pod=PENDING) is None
    for other in (
        msgspec.structs.replace(ongoing, reason=""),
        msgspec.structs.replace(ongoing, outcome=Outcome.FAILED),
    ):
        assert recorded_ending(status=JobStatus(attempts=(other,)), pod=PENDING) is None


# Reports and messages.


def test_a_failure_may_ask_for_its_delay() -> None:
    pod = finished(RUNNING, at=110, exit_code=3, message='{"retryAfter": "2m", "outputs": {"a": 1}}')
    assert (judge(pod).delay, judge(finished(RUNNING, at=110, exit_code=3)).delay) == (120, None)


def test_messages_are_shown_without_secrets_and_by_their_end() -> None:
    pod = finished(RUNNING, at=110, exit_code=3, message="password=hunter2 " + "x" * 2000 + " the end")
    verdict = judge(pod)
    assert verdict.attempt.message.startswith("… xxx")
    assert verdict.attempt.message.endswith("the end"), "B6"
    assert "hunter2" not in verdict.attempt.message
    assert len(verdict.attempt.message) == 1024


def test_of_a_success_the_report_is_kept_and_the_message_is_not() -> None:
    verdict = judge(finished(RUNNING, at=110, message='{"outputs": {"a": 1}}'))
    assert (verdict.report.outputs, verdict.attempt.message) == ('{"a":1}', "")


def test_an_attempt_without_a_pod_is_judged_too() -> None:
    attempt = collided(number=0, pod_name="p", message="token=abc", now=1.0)
    verdict = verdict_without_pod(
        job=job_with(rule(FailureAction.RETRY_FREE, reasons=frozenset({"NameCollision"}))), attempt=attempt
    )
    assert (verdict.rule, verdict.attempt.budget, verdict.attempt.message) == (0, None, "token=[redacted]")


# The same failure everywhere.


def failure(node: str, *, reason: str = "Error", exit_code: int = 3, budget: Budget | None = Budget.USER) -> Attempt:
    """Build the record of a failure."""
    return make_attempt(make_job(), node=node, reason=reason, exit_code=exit_code, budget=budget)


@pytest.mark.parametrize(
    ("attempts", "last", "want"),
    [
        ([], failure("a"), 1),
        ([failure("a"), failure("b")], failure("c"), 3),
        ([failure("a"), failure("b")], failure("a"), 2),
        ([failure("a", exit_code=4), failure("b")], failure("c"), 2),
        ([failure("a", reason="OOMKilled"), failure("b")], failure("c"), 2),
        ([failure("a", budget=None), failure("b")], failure("c"), 2),
        ([failure("", budget=Budget.USER)], failure("c"), 1),
        ([failure("a", budget=Budget.PLATFORM)], failure("b", budget=Budget.PLATFORM), 0),
        ([failure("a", budget=None)], failure("b", budget=None), 0),
    ],
    ids=[
        "the first",
        "everywhere",
        "again on the same node",
        "another exit code",
        "another reason",
        "a free one",
        "one without a node",
        "the platform's own",
        "free ones only",
    ],
)
def test_same_failure(attempts: list[Attempt], last: Attempt, want: int) -> None:
    assert same_failure_on_nodes(attempts=attempts, last=last) == want


def test_b6_what_a_rule_matched_is_visible() -> None:
    text = "x\nFATAL password=hunter2 is wrong\n" + "a line of the trace\n" * 70
    verdict = judge(finished(RUNNING, at=110, exit_code=3, message=text), rule(FailureAction.FAIL, message="FATAL"))
    lines = verdict.attempt.message.splitlines()
    assert lines[0] == "FATAL password=[redacted] is wrong"
    assert (lines[1], lines[-1]) == ("… a line of the trace", "a line of the trace")
    assert len(verdict.attempt.message) <= 1024
