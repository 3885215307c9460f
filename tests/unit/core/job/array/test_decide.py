"""Decisions on whole arrays that hang on more than one policy."""

import time
from typing import Any

import msgspec
import pytest

from podwright.core.attempt.ending import ongoing
from podwright.core.commands import Confirm, CreateChild, Decision, Delete, WriteStatus
from podwright.core.job import decide as job_policy
from podwright.core.job.array.by_task import permitted
from podwright.core.job.gates.dependency import Dependencies
from podwright.core.model.array import ArrayRecord, RetryGroup
from podwright.core.model.attempt import Refusal, RefusalKind
from podwright.core.model.job import JobStatus, JobView
from podwright.core.model.phase import Phase
from podwright.core.model.pod import FailedContainer, PodView
from podwright.core.model.units import units_of
from podwright.core.spec import (
    ArraySpec,
    DeliveryMode,
    Dependency,
    Escalation,
    FailureAction,
    FailurePolicy,
    FailureRule,
    RetryPolicy,
)
from podwright.core.values.index_set import IndexSet
from tests.support.builders import CREATED, finished, running, with_status
from tests.unit.core.job.array.builders import array_job, make_array, record_of, snapshot_of, unit_pod

NOW = CREATED + 100
JOB = array_job(make_array(6, parallelism=3))


def decide(job: JobView, *pods: PodView, now: float = NOW, **look: Any) -> Decision:
    return job_policy.decide(snapshot_of(job, *pods, now=now, **look))


def written(decision: Decision) -> JobStatus:
    """Return the status that the decision's only command writes."""
    (command,) = decision.commands
    assert isinstance(command, WriteStatus)
    status: JobStatus = command.status
    return status


def created(decision: Decision) -> list[int]:
    """Return the units whose pods a decision asks for."""
    return [command.spec.task_index for command in decision.commands if isinstance(command, CreateChild)]


# A spec that can't be carried out.


def test_an_array_with_a_problem_fails_and_tells_how_far_it_came() -> None:
    job = msgspec.structs.replace(JOB, problem="p")
    status = written(decide(job))
    assert (status.phase, status.reason, status.progress) == (Phase.FAILED, "InvalidSpec", "0/6")
    record = ArrayRecord(succeeded=IndexSet.parse("0-1"), running=IndexSet.parse("2"))
    status = written(decide(with_status(job, phase=Phase.RUNNING, array=record)))
    assert (status.progress, status.array) == ("2/6", record_of(succeeded="0-1"))
    tried = with_status(job, phase=Phase.RUNNING, array=record, attempt_count=5, failed_count=3)
    status = written(decide(tried))
    assert (status.attempt_count, status.failed_count) == (5, 3), "a count that falls would be refused for ever"


def test_indexes_beyond_the_size_of_an_array_are_no_tasks() -> None:
    array = make_array(6, tasks=IndexSet.parse("4-9999"))
    assert written(decide(array_job(array, problem="p"))).progress == "0/2"


def test_nothing_more_of_an_array_with_a_problem_is_started() -> None:
    job = msgspec.structs.replace(JOB, problem="p")
    pod = running(unit_pod(job, 0), at=NOW)
    assert created(decide(job, pod)) == []
    assert created(decide(JOB, pod)) == [1, 2]


def test_a_start_time_that_is_moved_holds_the_other_tasks_back_and_says_so() -> None:
    job = with_status(JOB, phase=Phase.RUNNING, reason="TasksRunning", array=record_of(succeeded="0"))
    job = msgspec.structs.replace(job, start_at=NOW + 60)
    decision = decide(job)
    assert (decision.requeue_at, created(decision)) == (NOW + 60, [])
    status = written(decision)
    assert (status.phase, status.reason) == (Phase.RUNNING, "Delayed")
    assert status.message.startswith("the job starts at ")
    assert decide(msgspec.structs.replace(job, status=status)) == Decision(requeue_at=NOW + 60)
    assert created(decide(job, now=NOW + 60)) == [1, 2, 3]


# AtMostOnce.

ONCE = array_job(make_array(6, parallelism=3), delivery=DeliveryMode.AT_MOST_ONCE)


def intending(units: str, **changes: Any) -> JobView:
    """Build an array that has recorded which units it is about to start."""
    job = msgspec.structs.replace(ONCE, **changes)
    return with_status(job, phase=Phase.PENDING, array=ArrayRecord(started=IndexSet.parse(units)))


def refused(*, ago: float) -> Refusal:
    return Refusal(
        task_index=0,
        attempt=0,
        kind=RefusalKind.RETRYABLE,
        reason="QuotaExceeded",
        message="exceeded quota",
        at=NOW - ago,
        count=1,
    )


def started(status: JobStatus) -> str:
    """Return what is on record as started."""
    assert status.array is not None
    return str(status.array.started)


def test_while_pods_are_refused_no_intent_is_on_record() -> None:
    status = written(decide(intending("0-2"), intended=frozenset({0, 1, 2}), refusal=refused(ago=0)))
    assert (status.reason, started(status)) == ("QuotaExceeded", "")


def test_after_a_refusal_one_unit_is_tried_with_one_intent() -> None:
    waited = refused(ago=60)
    status = written(decide(ONCE, refusal=waited))
    assert started(status) == "0"
    job = msgspec.structs.replace(ONCE, status=status)
    assert created(decide(job, intended=frozenset({0}), refusal=waited)) == [0]


def test_a_problem_takes_unused_intents_back_and_nothing_is_started() -> None:
    job = intending("0-2", problem="p")
    status = written(decide(job, intended=frozenset({0, 1, 2})))
    assert (status.phase, status.reason, started(status)) == (Phase.FAILED, "InvalidSpec", "")


def test_a_problem_takes_unused_intents_back_while_others_run() -> None:
    job = intending("0-2", problem="p")
    pod = running(unit_pod(job, 0), at=NOW)
    assert started(written(decide(job, pod, intended=frozenset({1, 2})))) == "0"


def test_a_problem_waits_for_tasks_that_may_have_been_started() -> None:
    job = intending("0-2", problem="p")
    job = msgspec.structs.replace(job, status=written(decide(job, intended=frozenset({0}))))
    assert started(job.status) == "1-2", "an own intent is taken back first"
    decision = decide(job)
    assert created(decision) == []
    assert sum(isinstance(command, Confirm) for command in decision.commands) == 2
    gone = [unit_pod(job, unit, gone=True, held=False, node="unknown") for unit in (1, 2)]
    job = msgspec.structs.replace(job, status=written(decide(job, *gone)))
    assert job.status.array is not None
    assert (job.status.phase, str(job.status.array.failed), started(job.status)) == (Phase.PENDING, "1-2", "")
    status = written(decide(job))
    assert (status.phase, status.reason) == (Phase.FAILED, "InvalidSpec")


def test_a_suspension_takes_unused_intents_back() -> None:
    job = intending("0-2", suspend=True)
    status = written(decide(job, intended=frozenset({1, 2})))
    assert (status.phase, started(status)) == (Phase.SUSPENDED, "0")
    pod = finished(unit_pod(job, 0), at=NOW)
    status = written(decide(job, pod, intended=frozenset({1, 2})))
    assert (status.phase, status.progress) == (Phase.SUSPENDED, "1/6")


# Names that are taken.


def test_a_unit_whose_name_is_taken_is_not_asked_for_again_before_that_is_recorded() -> None:
    taken = Refusal(attempt=0, kind=RefusalKind.COLLISION, reason="NameCollision", message="taken", at=NOW, count=1)
    waiting = decide(JOB, refusal=taken, recorded_at=NOW)
    assert created(waiting) == [1, 2, 3]
    status = next(c for c in decide(JOB, refusal=taken).commands if isinstance(c, WriteStatus)).status
    assert (status.attempts[0].index, status.attempts[0].reason) == (0, "NameCollision")


MORE = Refusal(
    task_index=1,
    attempt=1,
    kind=RefusalKind.PERMANENT,
    reason="PodRejected",
    message="maximum memory usage per Container is 100Mi, but limit is 128Mi",
    at=NOW,
    count=1,
)


GROWING = msgspec.structs.replace(
    JOB, failure_policy=FailurePolicy(escalation=Escalation(factor=2.0, max_memory="1Gi"))
)


def out_of_memory(indexes: str, *, times: int = 1, due: float | None = None) -> RetryGroup:
    """Build the group of units that ran out of memory."""
    return RetryGroup(indexes=IndexSet.parse(indexes), attempts=times, failed=times, out_of_memory=times, due=due)


def test_b18_those_that_need_as_much_memory_are_over_with_the_one_that_was_refused() -> None:
    groups = (out_of_memory("0-1"), out_of_memory("2", times=2), out_of_memory("3", due=NOW + 60))
    job = with_status(GROWING, phase=Phase.RUNNING, array=record_of(retries=groups))
    status = next(c for c in decide(job, refusal=MORE).commands if isinstance(c, WriteStatus)).status
    assert status.array == record_of(failed="0-2", retries=(out_of_memory("3", due=NOW + 60),))
    assert (status.phase, status.failed_count) == (Phase.RUNNING, 0)  # of attempts that never were
    assert [attempt.message for attempt in status.attempts] == [
        f"OOMKilled; more memory was refused: {MORE.message}"
    ] * 3
    # What is on record is not the end of the others, though the refusal is still known.
    later = decide(msgspec.structs.replace(job, status=status), refusal=MORE, recorded_at=NOW)
    assert created(later) == [4, 5]


def test_b18_one_of_which_a_pod_appears_after_all_is_not_over() -> None:
    job = with_status(GROWING, phase=Phase.RUNNING, array=record_of(retries=(out_of_memory("1"),)))
    decision = decide(job, running(unit_pod(job, 1, attempt=1), at=NOW), refusal=MORE)
    assert created(decision) == [0, 2]


def test_b18_a_pack_fails_with_all_that_is_left_of_it() -> None:
    job = msgspec.structs.replace(GROWING, array=make_array(6, parallelism=3, pack=3))
    record = record_of(succeeded="0-3", retries=(out_of_memory("1"),))
    status = written(decide(with_status(job, phase=Phase.RUNNING, array=record), refusal=MORE))
    assert (status.phase, status.reason) == (Phase.DEAD_LETTERED, "TasksFailed")
    assert status.array == record_of(succeeded="0-3", failed="4-5")
    assert status.message == f"2 tasks failed: 4-5; OOMKilled; more memory was refused: {MORE.message}"


def test_b18_a_refusal_of_what_never_ran_out_of_memory_ends_the_array() -> None:
    job = with_status(GROWING, phase=Phase.RUNNING, array=record_of(retries=(out_of_memory("0"),)))
    first = msgspec.structs.replace(MORE, attempt=0)
    status = written(decide(job, refusal=first))
    assert (status.phase, status.reason) == (Phase.FAILED, "PodRejected")


def test_a_task_that_needs_more_memory_than_there_is_holds_up_none_that_needs_less() -> None:
    groups = (out_of_memory("0-1"), out_of_memory("2", times=2))
    record = record_of(retries=groups)
    never = msgspec.structs.replace(
        MORE, kind=RefusalKind.RETRYABLE, reason="QuotaUnsatisfiable", message="exceeded quota", at=NOW - 60
    )
    job = with_status(GROWING, phase=Phase.RUNNING, array=record)
    assert created(decide(job, refusal=never)) == [3], "the one that probes"
    assert created(decide(job, refusal=never, granted=3)) == [3, 4, 5]
    assert created(decide(job, refusal=msgspec.structs.replace(never, task_index=2, attempt=2))) == [0]
    rest = with_status(
        GROWING, phase=Phase.RUNNING, array=msgspec.structs.replace(record, succeeded=IndexSet.parse("3-5"))
    )
    assert created(decide(rest, refusal=never)) == [0], "nothing else is left"
    alike = msgspec.structs.replace(job, failure_policy=FailurePolicy())
    few = with_status(
        GROWING, phase=Phase.RUNNING, array=msgspec.structs.replace(record, succeeded=IndexSet.parse("3-4"))
    )
    assert created(decide(few, refusal=never, granted=3)) == [5, 0, 1]
    assert created(decide(alike, refusal=never)) == [0], "without growth all need the same"


# Pods that can't start.


def test_of_many_pods_that_must_not_wait_all_are_ended_in_turn() -> None:
    """The reasons of ten at a time are on record; the others' turn comes when those have ended."""
    rule = FailureRule(action=FailureAction.FAIL_TASK, waiting_reasons=frozenset({"ErrImagePull"}))
    job = array_job(make_array(12), failure_policy=FailurePolicy(rules=(rule,)))
    pods = {unit: unit_pod(job, unit, waiting_reason="ErrImagePull", node="node-1") for unit in range(12)}
    for now in range(int(NOW), int(NOW) + 70, 10):
        for command in decide(job, *pods.values(), now=now).commands:
            if isinstance(command, WriteStatus):
                job = msgspec.structs.replace(job, status=command.status)
            elif isinstance(command, Delete):
                (pod,) = (pod for pod in pods.values() if pod.uid == command.target.uid)
                pods[pod.task_index] = finished(pod, at=now, exit_code=137, deletion_requested=now)
        assert len(job.status.attempts) <= 10
    assert job.status.array == record_of(failed="0-11", not_retried=12)
    assert {attempt.reason for attempt in job.status.attempts} == {"ErrImagePull"}


def test_why_an_attempt_is_being_ended_is_not_crowded_out_by_failures() -> None:
    job = array_job(make_array(30))
    pod = unit_pod(job, 0)
    reason = msgspec.structs.replace(ongoing(pod), index=0, reason="ErrImagePull")
    job = with_status(job, phase=Phase.RUNNING, attempts=(reason,))
    failures = [finished(unit_pod(job, unit), at=NOW, exit_code=1) for unit in range(1, 15)]
    decision = decide(job, pod, *failures)
    status = next(command.status for command in decision.commands if isinstance(command, WriteStatus))
    assert status.attempts[0] == reason
    assert [attempt.index for attempt in status.attempts[1:]] == list(range(6, 15))


# A million tasks.


def test_packs_that_run_are_told_of_quickly() -> None:
    """Ten thousand of them: each look must not put their tasks together one by one."""
    job = array_job(make_array(1_000_000, pack=50, parallelism=10_000))
    pods = [running(unit_pod(job, unit), at=NOW - 60) for unit in range(0, 20_000, 2)]
    before = time.process_time()
    status = next(c.status for c in decide(job, *pods).commands if isinstance(c, WriteStatus))
    assert status.array is not None
    assert status.array.running_unlisted == 500_000
    assert time.process_time() - before < 2


def test_packs_that_wait_task_by_task_are_told_apart_quickly() -> None:
    array = make_array(1_000_000, pack=10)
    other = with_status(
        array_job(make_array(1_000_000), name="first"),
        array=ArrayRecord(succeeded=IndexSet.of(range(0, 50_000, 2))),
    )
    job = array_job(array, dependencies=(Dependency(name="first", task_by_task=True),))
    before = time.process_time()
    ready = permitted(job=job, array=array, units=units_of(None), dependencies=Dependencies(jobs={"first": other}))
    assert not ready
    assert time.process_time() - before < 2


# How arrays end.


def fatal(job: JobView, unit: int) -> PodView:
    return finished(unit_pod(job, unit), at=NOW, exit_code=7, failed=(FailedContainer("main", 7, "", "Error"),))


def ruled(action: FailureAction, array: ArraySpec, **changes: Any) -> JobView:
    rule = FailureRule(action=action, exit_codes=frozenset({7}))
    return array_job(array, failure_policy=FailurePolicy(rules=(rule,)), **changes)


def test_d3_a_rule_that_ends_the_job_is_not_forgotten_while_a_creation_is_unanswered() -> None:
    job = ruled(FailureAction.FAIL, make_array(6, parallelism=1))
    status = written(decide(job, fatal(job, 0), keep_until=NOW + 60))
    assert (status.phase, status.reason) == (Phase.STOPPING, "OutcomeDecided")
    job = msgspec.structs.replace(job, status=status)
    assert decide(job, keep_until=NOW + 60) == Decision(requeue_at=NOW + 60)
    status = written(decide(job, now=NOW + 60))
    assert (status.phase, status.reason) == (Phase.FAILED, "TaskFailed")


@pytest.mark.parametrize(
    ("action", "array", "want"),
    [
        pytest.param(FailureAction.FAIL, make_array(1), (Phase.FAILED, "TaskFailed"), id="D4 Fail, one task"),
        pytest.param(
            FailureAction.FAIL, make_array(3, sequential=True), (Phase.FAILED, "TaskFailed"), id="D4 Fail, sequential"
        ),
        pytest.param(
            FailureAction.FAIL, make_array(3, most_failed=0), (Phase.FAILED, "TaskFailed"), id="D4 Fail, too many"
        ),
        pytest.param(FailureAction.FAIL_TASK, make_array(1), (Phase.FAILED, "TasksFailed"), id="D4 FailTask"),
    ],
)
def test_d4_what_a_rule_ends_is_no_dead_letter(
    action: FailureAction, array: ArraySpec, want: tuple[Phase, str]
) -> None:
    job = ruled(action, array)
    status = written(decide(job, fatal(job, 0)))
    assert (status.phase, status.reason) == want


def test_d4_platform_retries_that_are_used_up_make_a_dead_letter_without_retries_of_its_own() -> None:
    job = array_job(make_array(1), retry=RetryPolicy(limit=0, platform_limit=1))
    group = RetryGroup(indexes=IndexSet.of([0]), attempts=1, platform=1)
    job = with_status(job, phase=Phase.RUNNING, array=record_of(retries=(group,)))
    pod = finished(unit_pod(job, 0, attempt=1), at=NOW, exit_code=137, disruption="DeletionByTaintManager")
    assert written(decide(job, pod)).phase is Phase.DEAD_LETTERED


@pytest.mark.parametrize("suspend", [False, True])
def test_d5_a_name_that_is_taken_is_counted_once(suspend: bool) -> None:
    """The refusal is remembered until a pod is created; the record has the end of the attempt that it was about."""
    job = array_job(make_array(2, parallelism=1), retry=RetryPolicy(limit=0), suspend=suspend)
    taken = Refusal(attempt=0, kind=RefusalKind.COLLISION, reason="NameCollision", message="taken", at=NOW, count=1)
    for _ in range(5):
        for command in decide(job, refusal=taken).commands:
            if isinstance(command, WriteStatus):
                job = msgspec.structs.replace(job, status=command.status)
    assert (job.status.attempt_count, job.status.failed_count) == (1, 1)
    assert not [c for c in decide(job, refusal=taken).commands if isinstance(c, WriteStatus)]


def test_d19_one_creation_without_an_answer_does_not_hold_up_an_at_most_once_array() -> None:
    job = intending("0", attempt_timeout=10.0, total_timeout=150.0)
    ended, overdue = finished(unit_pod(job, 1), at=NOW), running(unit_pod(job, 2), at=NOW - 80)
    decision = decide(job, ended, overdue, keep_until=NOW + 75)
    statuses = [c.status for c in decision.commands if isinstance(c, WriteStatus)]
    assert any(status.array is not None and 1 in status.array.succeeded for status in statuses)
    full = msgspec.structs.replace(job, array=make_array(6, parallelism=2))
    waiting = decide(full, running(unit_pod(job, 2), at=NOW), keep_until=NOW + 75, recorded_at=NOW)
    assert waiting.requeue_at is not None
    assert waiting.requeue_at <= CREATED + 150


def test_d21_quarantine_comes_before_platform_retries_that_are_used_up() -> None:
    policy = FailurePolicy(quarantine_after=2)
    job = array_job(make_array(1), retry=RetryPolicy(platform_limit=1), failure_policy=policy)
    group = RetryGroup(indexes=IndexSet.of([0]), attempts=1, platform=1, lost_nodes=1)
    job = with_status(job, phase=Phase.RUNNING, array=record_of(retries=(group,)))
    pod = finished(unit_pod(job, 0, attempt=1), at=NOW, exit_code=255, disruption="DeletionByTaintManager")
    status = written(decide(job, msgspec.structs.replace(pod, exit_code=None)))
    assert (status.phase, status.reason) == (Phase.DEAD_LETTERED, "Quarantined")


# Waiting for tasks of a job that is gone.


def test_d9_what_tasks_wait_for_is_said_when_it_is_gone() -> None:
    job = with_status(array_job(make_array(3)), phase=Phase.RUNNING, array=record_of(succeeded="0"))
    waiting = decide(job, allowed=IndexSet(), missing="first")
    status = written(waiting)
    assert status.reason == "DependencyMissing"
    assert "there is no job first" in status.message
    job = msgspec.structs.replace(job, status=status)
    assert decide(job, allowed=IndexSet(), missing="first") == Decision()


def test_d9_tasks_that_wait_for_what_is_gone_wait_no_longer_than_the_queue_limit() -> None:
    job = with_status(
        array_job(make_array(3), queue_timeout=200.0), phase=Phase.RUNNING, array=record_of(succeeded="0")
    )
    assert decide(job, allowed=IndexSet(), missing="first").requeue_at == CREATED + 200
    status = written(decide(job, allowed=IndexSet(), missing="first", now=CREATED + 200))
    assert (status.phase, status.reason) == (Phase.FAILED, "QueueTimeout")


def test_an_array_whose_running_tasks_are_too_scattered_to_be_listed_is_quiet() -> None:
    array = make_array(10_000, tasks=IndexSet.of(range(0, 10_000, 2)), parallelism=2_500)
    job = array_job(array)
    pods = [running(unit_pod(job, unit), at=CREATED) for unit in range(0, 5_000, 2)]
    status = written(decide(job, *pods))
    assert status.array is not None
    assert (status.array.running, status.array.running_unlisted) == (IndexSet(), 2_500)
    job = msgspec.structs.replace(job, status=status)
    assert job.status.has_begun
    assert decide(job, *pods, now=NOW + 60) == Decision()
    stopping = msgspec.structs.replace(job, suspend=True)
    fewer = written(decide(stopping, *pods[1:], finished(pods[0], at=NOW), now=NOW + 120))
    assert fewer.array is not None
    assert (fewer.array.running, fewer.array.running_unlisted) == (IndexSet(), 2_499)
