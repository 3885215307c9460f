"""What follows for a job of one task from a failed attempt: the next one, or its end."""

from typing import Any

import msgspec
import pytest

from podwright.core.commands import Decision, Delete, WriteStatus
from podwright.core.model.attempt import Budget, Outcome
from podwright.core.model.job import JobStatus, JobView
from podwright.core.model.phase import Phase
from podwright.core.model.pod import FailedContainer, PodView
from podwright.core.spec import CancelMode, DeliveryMode, FailureAction, FailurePolicy, FailureRule, RetryPolicy
from tests.support.builders import CREATED, decide_on, finished, make_attempt, make_job, make_pod, running, with_status

NOW = CREATED + 100
NO_IMAGE = FailurePolicy(rules=(FailureRule(action=FailureAction.FAIL, waiting_reasons=frozenset({"ErrImagePull"})),))


def decide(job: JobView, *pods: PodView, now: float = NOW, keep_until: float = 0.0) -> Decision:
    """Look at a job."""
    return decide_on(job=job, pods=pods, refusal=None, now=now, keep_until=keep_until)


def written(decision: Decision) -> JobStatus:
    """Return the status that a decision writes, and nothing else."""
    (command,) = decision.commands
    assert isinstance(command, WriteStatus)
    assert not command.deferrable
    status: JobStatus = command.status
    return status


def failed(job: JobView, **changes: Any) -> PodView:
    """Build the failed pod of the job's current attempt."""
    return finished(make_pod(job), at=NOW, **{"exit_code": 3, **changes})


def rules(action: FailureAction) -> FailurePolicy:
    """Build a policy with one rule, on reason Error."""
    return FailurePolicy(rules=(FailureRule(action=action, reasons=frozenset({"Error"})),))


@pytest.mark.parametrize(
    ("action", "phase", "reason", "message"),
    [
        (FailureAction.RETRY, Phase.RETRYING, "Error", "failure 1, retry limit 3"),
        (FailureAction.RETRY_FREE, Phase.RETRYING, "Error", "spec.failurePolicy.rules[0] says RetryFree"),
        (FailureAction.FAIL, Phase.FAILED, "Error", "spec.failurePolicy.rules[0] says Fail"),
        (FailureAction.FAIL_TASK, Phase.FAILED, "Error", "spec.failurePolicy.rules[0] says FailTask"),
        (FailureAction.IGNORE, Phase.SUCCEEDED, "FailureIgnored", "spec.failurePolicy.rules[0] says Ignore"),
    ],
)
def test_actions(action: FailureAction, phase: Phase, reason: str, message: str) -> None:
    job = make_job(failure_policy=rules(action))
    status = written(decide(job, failed(job)))
    assert (status.phase, status.reason) == (phase, reason)
    assert status.message == f"attempt 0 failed with exit code 3 (Error); {message}"
    assert status.attempts[0].outcome is Outcome.FAILED


BUDGETS = [
    (Budget.USER, {"failed_count": 2}, {}, "RetriesExhausted", "retry limit 2 reached"),
    (
        Budget.PLATFORM,
        {"platform_failed_count": 2},
        {"disruption": "EvictionByEvictionAPI"},
        "PlatformRetriesExhausted",
        "retry platformLimit 2 reached",
    ),
    (
        Budget.TIMEOUT,
        {"timeout_count": 2},
        {"reason": "DeadlineExceeded"},
        "TimeoutRetriesExhausted",
        "retry timeoutLimit 2 reached",
    ),
]


@pytest.mark.parametrize(("budget", "counts", "pod", "reason", "told"), BUDGETS, ids=[b[0] for b in BUDGETS])
def test_each_budget_ends_the_job_by_itself(
    budget: Budget, counts: dict[str, int], pod: dict[str, Any], reason: str, told: str
) -> None:
    retry = RetryPolicy(limit=2, platform_limit=2, timeout_limit=2)
    others = {name: 2 for _, named, *_ in BUDGETS for name in named} | dict.fromkeys(counts, 1)
    job = make_job(retry=retry, attempt_timeout=30.0)
    going_on = written(decide(with_status(job, **others), failed(job, **pod)))
    assert (going_on.phase, going_on.attempts[0].budget) == (Phase.RETRYING, budget)
    status = written(decide(with_status(job, **others | counts), failed(job, **pod)))
    assert (status.phase, status.reason) == (Phase.DEAD_LETTERED, reason)
    assert status.message.endswith(told)
    without = make_job(retry=RetryPolicy(limit=0, platform_limit=0, timeout_limit=0), attempt_timeout=30.0)
    at_once = written(decide(without, failed(without, **pod)))
    assert (at_once.phase, at_once.reason) == (Phase.FAILED, at_once.attempts[0].reason)


def test_a_free_retry_counts_nothing_and_waits() -> None:
    job = with_status(make_job(failure_policy=rules(FailureAction.RETRY_FREE), retry=RetryPolicy(limit=0)))
    status = written(decide(job, failed(job)))
    assert (status.failed_count, status.platform_failed_count, status.timeout_count) == (0, 0, 0)
    assert status.next_attempt is not None
    assert status.next_attempt >= NOW + 1


def test_a_task_sets_its_own_delay() -> None:
    job = make_job()
    status = written(decide(job, failed(job, message='{"retryAfter": "1h"}')))
    assert status.next_attempt == NOW + 3600


@pytest.mark.parametrize(("dead_letter", "phase"), [(True, Phase.DEAD_LETTERED), (False, Phase.FAILED)])
def test_the_same_failure_on_many_nodes_ends_the_job(dead_letter: bool, phase: Phase) -> None:
    job = make_job(
        failure_policy=FailurePolicy(same_failure_nodes=3), retry=RetryPolicy(limit=9), dead_letter=dead_letter
    )
    before = tuple(
        make_attempt(job, number=n, node=f"other-{n}", reason="Error", exit_code=3, budget=Budget.USER)
        for n in range(2)
    )
    job = with_status(job, phase=Phase.RETRYING, attempts=before, attempt_count=2, failed_count=2)
    pod = finished(make_pod(job, attempt=2), at=NOW, exit_code=3)
    status = written(decide(job, pod))
    assert (status.phase, status.reason) == (phase, "SameFailureOnNodes")
    assert "on 3 different nodes" in status.message
    assert written(decide(job, msgspec.structs.replace(pod, exit_code=4))).phase is Phase.RETRYING


def test_a_job_whose_nodes_go_is_put_in_quarantine() -> None:
    job = with_status(make_job(), lost_node_count=1)
    collected = running(make_pod(job, disruption="DeletionByPodGC", gone=True), at=CREATED)
    status = written(decide(job, collected))
    assert (status.phase, status.lost_node_count) == (Phase.RETRYING, 2)
    job = with_status(job, lost_node_count=2)
    status = written(decide(job, collected))
    assert (status.phase, status.reason, status.lost_node_count) == (Phase.DEAD_LETTERED, "Quarantined", 3)
    assert "3 attempts were lost with their nodes: " in status.message
    job = make_job(failure_policy=FailurePolicy(quarantine_after=1))
    assert "; 1 attempt was lost with its node: " in written(decide(job, collected)).message


def test_running_out_of_memory_is_counted() -> None:
    job = with_status(make_job(), out_of_memory_count=1)
    assert written(decide(job, failed(job, exit_code=137, reason="OOMKilled"))).out_of_memory_count == 2


def test_a_success_keeps_what_it_reported() -> None:
    job = make_job()
    told = '{"outputs": {"rows": 3}, "artifacts": {"model": "s3://b/k?sig=x"}, "retryAfter": "soon"}'
    status = written(decide(job, finished(make_pod(job), at=NOW, message=told)))
    assert (status.outputs, status.artifacts) == ('{"rows":3}', (("model", "s3://b/k"),))
    assert status.message.startswith("attempt 0 succeeded; retryAfter was ignored: it must be")


def test_a_failure_keeps_no_outputs() -> None:
    job = make_job(failure_policy=rules(FailureAction.IGNORE))
    assert written(decide(job, failed(job, message='{"outputs": {"rows": 3}}'))).outputs == ""


@pytest.mark.parametrize(
    ("spec", "action", "phase"),
    [
        ({"cancel": CancelMode.GRACEFUL}, FailureAction.FAIL, Phase.CANCELLED),
        ({"cancel": CancelMode.GRACEFUL}, FailureAction.IGNORE, Phase.SUCCEEDED),
        ({"suspend": True}, FailureAction.FAIL, Phase.FAILED),
        ({"suspend": True}, FailureAction.RETRY_FREE, Phase.SUSPENDED),
    ],
)
def test_stops_and_rules(spec: dict[str, Any], action: FailureAction, phase: Phase) -> None:
    job = make_job(failure_policy=rules(action), **spec)
    assert written(decide(job, failed(job))).phase is phase


# Pods that can't start.


def pulling(job: JobView, **changes: Any) -> PodView:
    """Build a pod whose image can't be pulled."""
    return make_pod(
        job, node="node-1", waiting_reason="ErrImagePull", waiting_message="no such image; password=x", **changes
    )


def test_a_pod_that_cannot_start_is_ended_in_three_steps() -> None:
    job = make_job(failure_policy=NO_IMAGE)
    pod = pulling(job)
    intent = written(decide(job, pod))
    assert (intent.phase, intent.reason) == (Phase.PENDING, "ErrImagePull")
    assert [(a.outcome, a.reason, a.message) for a in intent.attempts] == [
        (None, "ErrImagePull", "no such image; password=[redacted]")
    ]
    job = msgspec.structs.replace(job, status=intent)
    recovered = running(msgspec.structs.replace(pod, waiting_reason=""), at=NOW)
    for seen in (pod, recovered):
        assert [type(command) for command in decide(job, seen, now=NOW + 60).commands] == [Delete]
    dying = msgspec.structs.replace(pod, deletion_requested=NOW + 1)
    assert decide(job, dying) == Decision()
    status = written(decide(job, finished(dying, at=NOW + 2, exit_code=137)))
    assert (status.phase, status.reason, status.failed_count) == (Phase.FAILED, "ErrImagePull", 1)
    assert status.attempts[0].outcome is Outcome.FAILED


@pytest.mark.parametrize(
    ("policy", "changes"),
    [(FailurePolicy(), {}), (rules(FailureAction.FAIL), {}), (NO_IMAGE, {"deletion_requested": NOW})],
    ids=["no rules", "no rule on it", "somebody else deletes it"],
)
def test_other_pods_may_wait(policy: FailurePolicy, changes: dict[str, Any]) -> None:
    job = make_job(failure_policy=policy)
    decision = decide(job, pulling(job, **changes))
    assert not any(isinstance(command, Delete) for command in decision.commands)
    assert all(not c.status.attempts[-1].reason for c in decision.commands if isinstance(c, WriteStatus))


def test_a_job_that_was_seen_to_run_does_not_go_back_to_pending() -> None:
    job = with_status(make_job(failure_policy=NO_IMAGE), phase=Phase.RUNNING)
    assert written(decide(job, running(pulling(job), at=CREATED))).phase is Phase.RUNNING


def test_a_cancellation_takes_over() -> None:
    job = make_job(failure_policy=NO_IMAGE, cancel=CancelMode.GRACEFUL)
    ongoing = make_attempt(job, outcome=None, reason="ErrImagePull")
    job = with_status(job, phase=Phase.PENDING, attempts=(ongoing,))
    status = written(decide(job, pulling(job)))
    assert (status.phase, status.attempts[0].reason) == (Phase.STOPPING, "ErrImagePull")


def test_a_suspension_keeps_the_reason_for_which_an_attempt_was_being_ended() -> None:
    job = make_job(attempt_timeout=10.0, retry=RetryPolicy(limit=3, initial=60.0))
    pod = running(make_pod(job), at=NOW - 60)
    job = msgspec.structs.replace(job, status=written(decide(job, pod)))
    assert (job.status.attempts[0].reason, job.status.attempts[0].outcome) == ("AttemptTimeout", None)
    job = msgspec.structs.replace(job, suspend=True)
    job = msgspec.structs.replace(job, status=written(decide(job, pod)))
    assert job.status.phase is Phase.STOPPING
    ended = finished(pod, at=NOW + 5, exit_code=143, deletion_requested=NOW + 1)
    status = written(decide(job, ended))
    attempt = status.attempts[0]
    assert (status.phase, status.failed_count) == (Phase.SUSPENDED, 1)
    assert (attempt.outcome, attempt.reason, attempt.budget) == (Outcome.FAILED, "AttemptTimeout", Budget.USER)
    assert "spec.timeouts.attempt (10 s)" in attempt.message
    assert status.next_attempt is not None, "its backoff"


# Jobs that can't be carried out.


def test_a_job_with_a_problem_fails_before_anything_runs() -> None:
    status = written(decide(make_job(problem="spec.array.items[1] is …")))
    assert (status.phase, status.reason, status.message) == (Phase.FAILED, "InvalidSpec", "spec.array.items[1] is …")


def test_what_runs_already_is_not_left_behind_by_a_problem() -> None:
    job = make_job(problem="p")
    pod = running(make_pod(job), at=NOW)
    assert all(not isinstance(c, WriteStatus) or c.status.phase is not Phase.FAILED for c in decide(job, pod).commands)
    unseen = with_status(job, phase=Phase.RUNNING, attempts=(make_attempt(job, outcome=None),))
    assert not any(isinstance(command, WriteStatus) for command in decide(unseen).commands)
    assert decide(job, keep_until=NOW + 5) == Decision(requeue_at=NOW + 5)
    tried = with_status(job, phase=Phase.RETRYING, attempts=(make_attempt(job),))
    assert written(decide(tried, finished(make_pod(job), at=NOW, exit_code=1))).reason == "InvalidSpec"


TRACE = "frame 1\nframe 2\n"
NO_COMMAND = 'failed to create containerd task: exec: "pyhton": executable file not found in $PATH'


@pytest.mark.parametrize(
    ("job", "message"),
    [
        pytest.param(make_job(retry=RetryPolicy(limit=0)), "retry limit 0 reached", id="B6 no retries left"),
        pytest.param(
            make_job(failure_policy=rules(FailureAction.FAIL)), "spec.failurePolicy.rules[0] says Fail", id="B6 a rule"
        ),
        pytest.param(
            make_job(delivery=DeliveryMode.AT_MOST_ONCE),
            "deliveryMode AtMostOnce allows no other attempt",
            id="B6 at most once",
        ),
    ],
)
def test_b6_the_last_line_of_the_message_is_in_the_status(job: JobView, message: str) -> None:
    status = written(decide(job, failed(job, message=f"{TRACE}FATAL disk is read-only\n")))
    told = f"attempt 0 failed with exit code 3 (Error); {message}"
    assert status.message == f"{told}; last line of its message: FATAL disk is read-only"
    assert status.attempts[0].message == f"{TRACE}FATAL disk is read-only"
    blank = written(decide(job, failed(job, message=" \n")))
    assert blank.message == told
    long = written(decide(job, failed(job, message="x" * 5000)))
    assert long.message.startswith(f"{told}; last line of its message: … xxx")
    assert len(long.message) < 400
    secret = written(decide(job, failed(job, message="password=hunter22\u202e")))
    assert secret.message.endswith(": password=[redacted]")


def test_b6_a_job_that_is_tried_again_keeps_to_the_point() -> None:
    job = make_job()
    status = written(decide(job, failed(job, message="FATAL disk is read-only")))
    assert status.message == "attempt 0 failed with exit code 3 (Error); failure 1, retry limit 3"


@pytest.mark.parametrize(
    ("policy", "phase"),
    [
        pytest.param(FailurePolicy(), Phase.RETRYING, id="U18 retried"),
        pytest.param(
            FailurePolicy(
                rules=(
                    FailureRule(
                        action=FailureAction.FAIL,
                        reasons=frozenset({"StartError"}),
                        message="executable file not found|no such file or directory",
                    ),
                )
            ),
            Phase.FAILED,
            id="U18 the rule of the guide",
        ),
    ],
)
def test_u18_a_command_that_does_not_exist(policy: FailurePolicy, phase: Phase) -> None:
    """A container that never ran has no exit code of its own, whatever the kubelet calls it."""
    job = make_job(failure_policy=policy)
    lost = FailedContainer("main", None, "", "StartError")
    pod = failed(job, exit_code=128, reason="StartError", failed=(lost,), message=NO_COMMAND)
    status = written(decide(job, msgspec.structs.replace(pod, exit_code=None)))
    assert (status.phase, status.reason) == (phase, "StartError")
    assert status.attempts[0].message == NO_COMMAND
    if phase is Phase.FAILED:
        assert status.message.endswith(f"rules[0] says Fail; last line of its message: {NO_COMMAND}")


def test_a_timeout_is_told_without_the_last_words_of_the_kubelet() -> None:
    job = make_job(retry=RetryPolicy(limit=0))
    pod = failed(job, exit_code=137, reason="DeadlineExceeded", message="Pod was active on the node longer than that")
    status = written(decide(job, pod))
    assert status.message == "attempt 0 failed with exit code 137 (AttemptTimeout); retry limit 0 reached"
    assert status.attempts[0].message == "Pod was active on the node longer than that"
