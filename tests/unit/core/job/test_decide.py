"""One look at a job: state in, decision out."""

from typing import Any

import msgspec
import pytest

from podwright.core.commands import Confirm, CreateChild, Decision, Delete, Release, WriteStatus
from podwright.core.job import decide as job_policy
from podwright.core.job.single.unfinished import LEFT_WAIT
from podwright.core.job.snapshot import Snapshot
from podwright.core.job.status import SETTLE
from podwright.core.model.attempt import Budget, Outcome, Refusal, RefusalKind
from podwright.core.model.job import JobView
from podwright.core.model.phase import Phase
from podwright.core.model.pod import PodView
from podwright.core.spec import CancelMode, Retention, RetryPolicy
from tests.support.builders import (
    CREATED,
    decide_on,
    finished,
    kept_for,
    make_attempt,
    make_job,
    make_pod,
    running,
    with_status,
)

NOW = CREATED + 100


def decide(job: JobView, *pods: PodView, refusal: Refusal | None = None, now: float = NOW) -> Decision:
    """Look at a job at `now`."""
    return job_policy.decide(Snapshot(job=job, pods=pods, refusal=refusal, now=now))


def only_status(decision: Decision) -> WriteStatus:
    """Return the decision's only command, a status write."""
    (command,) = decision.commands
    assert isinstance(command, WriteStatus)
    return command


def refused(kind: RefusalKind, *, attempt: int = 0, at: float = NOW, count: int = 1) -> Refusal:
    """Build a refusal of the pod of an attempt."""
    return Refusal(attempt=attempt, kind=kind, reason="QuotaExceeded", message="exceeded quota", at=at, count=count)


def test_a_new_job_gets_its_first_pod_and_nothing_else() -> None:
    job = make_job()
    (create,) = decide(job).commands
    assert isinstance(create, CreateChild)
    assert (create.spec.attempt, create.name) == (0, make_pod(job).name)


def test_a_start_time_that_is_moved_holds_the_next_attempt_back_and_says_so() -> None:
    job = make_job(start_at=NOW + 60)
    job = with_status(job, phase=Phase.RETRYING, reason="Error", attempts=(make_attempt(job),))
    decision = decide(job)
    status = only_status(decision).status
    assert (status.phase, status.reason, decision.requeue_at) == (Phase.RETRYING, "Delayed", NOW + 60)
    assert decide(msgspec.structs.replace(job, status=status)) == Decision(requeue_at=NOW + 60)
    (create,) = decide(job, now=NOW + 60).commands
    assert isinstance(create, CreateChild)


def test_a_pod_that_just_started_is_not_worth_a_write_yet() -> None:
    job = make_job()
    pod = running(make_pod(job), at=NOW)
    assert decide(job, pod) == Decision(requeue_at=NOW + SETTLE)
    status = only_status(decide(job, pod, now=NOW + SETTLE))
    assert status.deferrable
    assert (status.status.phase, status.status.reason) == (Phase.RUNNING, "PodRunning")
    assert [(a.number, a.pod_uid, a.outcome) for a in status.status.attempts] == [(0, pod.uid, None)]


def test_a_status_that_already_says_so_is_not_written_again() -> None:
    job = make_job()
    pod = running(make_pod(job), at=CREATED)
    told = msgspec.structs.replace(job, status=only_status(decide(job, pod)).status)
    assert decide(told, pod) == Decision()


def test_b28_an_injected_container_that_runs_on_is_news_once() -> None:
    job = make_job()
    pod = running(make_pod(job), at=CREATED)
    told = msgspec.structs.replace(job, status=only_status(decide(job, pod)).status)
    left = msgspec.structs.replace(pod, completed=NOW, running_on=("proxy",))
    assert decide(told, left, now=NOW + 1) == Decision(requeue_at=NOW + LEFT_WAIT)
    write = only_status(decide(told, left, now=NOW + LEFT_WAIT))
    assert write.deferrable
    assert write.status.reason == "PodRunning"
    assert write.status.message == (
        f"container main ended with exit code 0; container proxy still runs; pod {pod.name} runs on node node-1"
    )
    told = msgspec.structs.replace(job, status=write.status)
    assert decide(told, left, now=NOW + 2 * LEFT_WAIT) == Decision()
    another = msgspec.structs.replace(left, completed=NOW + 40, running_on=("shipper",))
    assert decide(told, another, now=NOW + 3 * LEFT_WAIT) == Decision()


def test_b28_a_container_of_the_template_that_runs_on_costs_no_write_of_its_own() -> None:
    job = make_job(template=msgspec.json.encode({"spec": {"containers": [{"name": "main"}, {"name": "proxy"}]}}))
    pod = running(make_pod(job), at=CREATED)
    left = msgspec.structs.replace(pod, completed=CREATED + 1, running_on=("proxy",))
    first = only_status(decide(job, left)).status
    assert first.message.startswith("container main ended with exit code 0; container proxy still runs; pod ")
    told = msgspec.structs.replace(job, status=only_status(decide(job, pod)).status)
    assert decide(told, left) == Decision()


def test_a_pod_that_waits_without_a_reason_is_no_news_for_a_while() -> None:
    job = make_job()
    pod = make_pod(job)
    assert decide(job, pod, now=CREATED + 29) == Decision(requeue_at=CREATED + 30)
    assert only_status(decide(job, pod, now=CREATED + 30)).status.reason == "PodPending"


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff"])
def test_why_a_pod_waits_is_told_once(reason: str) -> None:
    job = make_job()
    pod = make_pod(job, waiting_reason=reason, waiting_message="no such image")
    status = only_status(decide(job, pod)).status
    assert (status.phase, status.reason, status.message) == (Phase.PENDING, "ImagePullBackOff", "no such image")
    told = msgspec.structs.replace(job, status=status)
    assert decide(told, msgspec.structs.replace(pod, waiting_reason="ErrImagePull")).commands == ()


def test_success_is_recorded_before_the_pod_is_released() -> None:
    job = make_job()
    pod = finished(make_pod(job), at=NOW - 1)
    write = only_status(decide(job, pod))
    assert not write.deferrable
    assert (write.status.phase, write.status.progress) == (Phase.SUCCEEDED, "1/1")
    done = msgspec.structs.replace(job, status=write.status)
    assert decide(done, pod).commands == (Release(of=job.ref, target=pod.ref, namespace="default", name=pod.name),)
    assert decide(done, msgspec.structs.replace(pod, held=False)) == Decision()


def test_a_failure_is_recorded_then_released_then_retried_in_its_time() -> None:
    job = make_job()
    pod = finished(make_pod(job), at=NOW - 1, exit_code=3)
    status = only_status(decide(job, pod)).status
    assert (status.phase, status.failed_count, status.reason) == (Phase.RETRYING, 1, "Error")
    assert status.message == "attempt 0 failed with exit code 3 (Error); failure 1, retry limit 3"
    assert status.next_attempt is not None
    failed = msgspec.structs.replace(job, status=status)
    waiting = decide(failed, pod)
    assert [type(command) for command in waiting.commands] == [Release]
    assert waiting.requeue_at == status.next_attempt
    released = msgspec.structs.replace(pod, held=False)
    (create,) = decide(failed, released, now=status.next_attempt).commands
    assert isinstance(create, CreateChild)
    assert create.spec.attempt == 1


@pytest.mark.parametrize(
    ("limit", "dead_letter", "phase", "reason"),
    [
        (0, True, Phase.FAILED, "Error"),
        (1, True, Phase.DEAD_LETTERED, "RetriesExhausted"),
        (1, False, Phase.FAILED, "RetriesExhausted"),
    ],
)
def test_the_last_failure_ends_the_job(limit: int, dead_letter: bool, phase: Phase, reason: str) -> None:
    job = with_status(make_job(retry=RetryPolicy(limit=limit), dead_letter=dead_letter), failed_count=limit)
    status = only_status(decide(job, finished(make_pod(job), at=NOW, exit_code=1))).status
    assert (status.phase, status.reason) == (phase, reason)


def test_no_attempt_while_the_former_pod_may_still_run() -> None:
    job = make_job()
    pod = running(make_pod(job, deletion_requested=CREATED), at=CREATED)
    assert not any(isinstance(command, CreateChild) for command in decide(job, pod).commands)


# Stopping.


@pytest.mark.parametrize(
    ("spec", "phase", "reason"),
    [
        ({"suspend": True}, Phase.SUSPENDED, "Suspended"),
        ({"cancel": CancelMode.GRACEFUL}, Phase.CANCELLED, "Cancelled"),
        ({"total_timeout": 50.0}, Phase.FAILED, "TotalTimeout"),
    ],
)
def test_stopping_a_job_that_does_not_run(spec: dict[str, Any], phase: Phase, reason: str) -> None:
    status = only_status(decide(make_job(**spec))).status
    assert (status.phase, status.reason, status.attempts) == (phase, reason, ())


@pytest.mark.parametrize(
    ("spec", "waits"),
    [({"cancel": CancelMode.GRACEFUL}, True), ({"total_timeout": 50.0}, True), ({"suspend": True}, False)],
)
def test_a_job_does_not_end_while_a_creation_may_be_on_its_way(spec: dict[str, Any], waits: bool) -> None:
    job = make_job(**spec)
    decision = decide_on(job=job, pods=(), refusal=None, now=NOW, keep_until=NOW + 30)
    assert (decision == Decision(requeue_at=NOW + 30)) is waits
    settled = decide_on(job=job, pods=(), refusal=None, now=NOW + 30, keep_until=NOW + 30)
    assert isinstance(settled.commands[0], WriteStatus)


def test_a_running_job_is_stopped_in_three_steps() -> None:
    job = make_job(cancel=CancelMode.IMMEDIATE)
    pod = running(make_pod(job), at=CREATED)
    intent = only_status(decide(job, pod))
    assert (intent.status.phase, intent.status.reason) == (Phase.STOPPING, "Cancelled")
    job = msgspec.structs.replace(job, status=intent.status)
    delete = Delete(of=job.ref, target=pod.ref, namespace="default", name=pod.name, grace=1)
    assert decide(job, pod).commands == (delete,)
    dying = msgspec.structs.replace(pod, deletion_requested=NOW, deletion_grace=1)
    assert decide(job, dying) == Decision()
    ended = finished(dying, at=NOW + 1, exit_code=143)
    status = only_status(decide(job, ended)).status
    assert (status.phase, status.attempts[0].outcome, status.failed_count) == (Phase.CANCELLED, Outcome.STOPPED, 0)


def test_cancelling_at_once_shortens_a_long_grace() -> None:
    job = with_status(make_job(cancel=CancelMode.IMMEDIATE), phase=Phase.STOPPING, reason="Cancelled")
    pod = running(make_pod(job, deletion_requested=NOW, deletion_grace=600), at=CREATED)
    (delete,) = decide(job, pod).commands
    assert isinstance(delete, Delete)
    assert delete.grace == 1


def test_work_that_was_done_before_the_stop_counts() -> None:
    job = with_status(make_job(cancel=CancelMode.GRACEFUL), phase=Phase.STOPPING, reason="Cancelled")
    pod = finished(make_pod(job, deletion_requested=NOW), at=NOW - 15)
    assert only_status(decide(job, pod)).status.phase is Phase.SUCCEEDED


def test_resuming_records_the_new_start_before_anything_runs() -> None:
    job = with_status(make_job(total_timeout=10.0), phase=Phase.SUSPENDED, reason="Suspended")
    write = only_status(decide(job))
    assert (write.status.phase, write.status.started, write.deferrable) == (Phase.PENDING, NOW, False)


def test_a_recorded_suspension_is_carried_out_even_if_taken_back() -> None:
    job = with_status(
        make_job(), phase=Phase.STOPPING, reason="Suspended", attempts=(make_attempt(make_job(), outcome=None),)
    )
    pod = running(make_pod(job), at=CREATED)
    assert [type(command) for command in decide(job, pod).commands] == [Delete]
    ended = finished(msgspec.structs.replace(pod, deletion_requested=NOW), at=NOW + 1, exit_code=143)
    status = only_status(decide(job, ended)).status
    assert (status.phase, status.reason, status.started, status.failed_count) == (Phase.PENDING, "Resumed", NOW, 0)


def test_a_deadline_that_passed_is_not_waited_for() -> None:
    job = with_status(make_job(total_timeout=50.0), phase=Phase.STOPPING, reason="TotalTimeout")
    pod = running(make_pod(job, deletion_requested=NOW), at=CREATED)
    assert decide(job, pod) == Decision()


def test_d7_an_attempt_whose_kubelet_does_not_end_it_is_deleted_once_its_record_says_why() -> None:
    job = make_job(attempt_timeout=30.0)
    pod = running(make_pod(job, termination_grace=5.0), at=NOW - 38)
    status = only_status(decide(job, pod)).status
    assert (status.attempts[-1].reason, status.attempts[-1].outcome) == ("AttemptTimeout", None)
    job = msgspec.structs.replace(job, status=status)
    assert [type(command) for command in decide(job, pod).commands] == [Delete]
    dying = msgspec.structs.replace(pod, deletion_requested=NOW)
    assert decide(job, dying).commands == ()
    # Whatever has become of the limit meanwhile.
    edited = msgspec.structs.replace(job, attempt_timeout=None)
    status = only_status(decide(edited, finished(dying, at=NOW + 1, exit_code=143))).status
    assert [(a.reason, a.budget) for a in status.attempts] == [("AttemptTimeout", Budget.USER)]


@pytest.mark.parametrize("began", [False, True], ids=["D7 never began", "D7 began while it was being deleted"])
def test_d7_what_is_ended_for_not_starting_says_what_it_waited_for(began: bool) -> None:
    job = make_job(start_timeout=10.0)
    pod = make_pod(job, node="node-1", waiting_reason="ErrImagePull", waiting_message="no such image")
    status = only_status(decide(job, pod)).status
    assert (status.attempts[-1].reason, status.phase) == ("ErrImagePull", Phase.PENDING)
    job = msgspec.structs.replace(job, status=status)
    dead = finished(msgspec.structs.replace(pod, deletion_requested=NOW), at=NOW + 1, exit_code=137, message="gone")
    dead = msgspec.structs.replace(dead, containers_started=NOW if began else None)
    (attempt,) = only_status(decide(job, dead)).status.attempts
    assert (attempt.reason, attempt.budget) == ("ErrImagePull", Budget.USER)
    assert attempt.message.startswith("ErrImagePull: no such image; ")


def test_d7_a_pod_that_somebody_else_deletes_late_is_no_start_timeout() -> None:
    """A reboot after an hour, say, of a node whose container runtime forgot when the containers began."""
    job = make_job(start_timeout=10.0)
    pod = running(make_pod(job), at=CREATED + 1)
    gone = finished(msgspec.structs.replace(pod, deletion_requested=NOW), at=NOW, exit_code=137)
    (attempt,) = only_status(decide(job, msgspec.structs.replace(gone, containers_started=None))).status.attempts
    assert (attempt.reason, attempt.budget) == ("DeletedWhileRunning", Budget.PLATFORM)


# What is seen of edits.


SEEN = {"observed_generation": 1, "reason": "Completed", "message": "attempt 0 succeeded"}


@pytest.mark.parametrize(
    ("phase", "suspend"),
    [pytest.param(Phase.SUCCEEDED, False, id="D8 finished"), pytest.param(Phase.SUSPENDED, True, id="D8 suspended")],
)
def test_d8_an_edit_is_said_to_be_seen_by_one_write(phase: Phase, suspend: bool) -> None:
    finish = NOW if phase.terminal else None
    job = with_status(make_job(generation=2, suspend=suspend), phase=phase, finished=finish, **SEEN)
    write = only_status(decide(job))
    assert write.deferrable
    assert write.status == msgspec.structs.replace(job.status, observed_generation=2)
    assert decide(msgspec.structs.replace(job, status=write.status)) == Decision()


def test_d8_a_job_without_edits_costs_no_write() -> None:
    assert decide(with_status(make_job(), phase=Phase.SUCCEEDED, finished=NOW, **SEEN)) == Decision()


# Pods that go early.


def test_b5_the_pods_of_former_attempts_go_early_if_they_are_not_to_stay() -> None:
    job = make_job(retention=Retention(pods=0.0))
    job = with_status(job, phase=Phase.RETRYING, attempts=(make_attempt(job),), next_attempt=NOW + 9, attempt_count=1)
    pod = finished(make_pod(job), at=NOW - 5, exit_code=1)
    (delete,) = decide(job, pod).commands
    assert isinstance(delete, Delete)
    assert delete.cleanup
    (release,) = decide(job, msgspec.structs.replace(pod, deletion_requested=NOW)).commands
    assert isinstance(release, Release)


# Refusals.


def test_a_pod_that_can_never_be_created_fails_the_job_in_the_servers_words() -> None:
    status = only_status(decide(make_job(), refusal=refused(RefusalKind.PERMANENT))).status
    assert (status.phase, status.message) == (Phase.FAILED, "exceeded quota")


def test_a_pod_that_may_be_created_later_is_explained_once_and_waited_for() -> None:
    job = make_job()
    decision = decide(job, refusal=refused(RefusalKind.RETRYABLE, count=3))
    write = only_status(decision)
    assert (write.status.phase, write.status.reason, write.deferrable) == (Phase.PENDING, "QuotaExceeded", True)
    assert write.status.attempt_count == 0
    told = msgspec.structs.replace(job, status=write.status)
    waiting = decide(told, refusal=refused(RefusalKind.RETRYABLE, count=3))
    assert waiting.commands == ()
    assert waiting.requeue_at is not None
    (create,) = decide(told, refusal=refused(RefusalKind.RETRYABLE, count=3), now=waiting.requeue_at).commands
    assert isinstance(create, CreateChild)


def test_a_taken_name_costs_the_attempt_and_the_next_has_another() -> None:
    job = make_job()
    status = only_status(decide(job, refusal=refused(RefusalKind.COLLISION))).status
    assert (status.phase, status.attempts[0].reason, status.failed_count) == (Phase.RETRYING, "NameCollision", 1)
    failed = msgspec.structs.replace(job, status=status)
    (create,) = decide(failed, refusal=refused(RefusalKind.COLLISION), now=NOW + 1000).commands
    assert isinstance(create, CreateChild)
    assert create.spec.attempt == 1


# What may have happened behind our back.


def test_a_pod_that_the_cache_lacks_is_not_taken_for_lost() -> None:
    job = with_status(make_job(), phase=Phase.RUNNING, attempts=(make_attempt(make_job(), outcome=None),))
    (confirm,) = decide(job).commands
    assert isinstance(confirm, Confirm)
    assert confirm.name == make_pod(job).name


def test_a_pod_that_is_gone_for_sure_is_a_lost_attempt() -> None:
    job = with_status(make_job(), phase=Phase.RUNNING, attempts=(make_attempt(make_job(), outcome=None),))
    status = only_status(decide(job, running(make_pod(job, gone=True, held=False), at=CREATED))).status
    assert (status.phase, status.attempts[0].outcome) == (Phase.RETRYING, Outcome.LOST)


def test_a_pod_beyond_the_record_is_the_current_one() -> None:
    """The record that permitted it may just not have reached us; to delete or to double it would be wrong."""
    job = make_job()
    decision = decide(job, finished(make_pod(job), at=NOW, exit_code=1), running(make_pod(job, attempt=1), at=NOW))
    assert [type(command) for command in decision.commands] == [Release], "the former one, whose record permitted this"


def test_a_second_pod_of_a_recorded_attempt_is_ended_before_the_next_attempt_starts() -> None:
    job = with_status(make_job(), phase=Phase.RETRYING, attempts=(make_attempt(make_job()),), next_attempt=NOW - 50)
    double = running(make_pod(job, uid="another"), at=NOW)
    assert [type(command) for command in decide(job, double).commands] == [Delete]
    dying = msgspec.structs.replace(double, deletion_requested=NOW)
    assert decide(job, dying) == Decision()
    ended = finished(dying, at=NOW + 1, exit_code=143)
    assert {type(command) for command in decide(job, ended).commands} == {Release, CreateChild}


# After the end.


def test_a_stray_pod_of_a_finished_job_is_ended_and_let_go() -> None:
    job = with_status(make_job(), phase=Phase.SUCCEEDED, finished=NOW)
    stray = running(make_pod(job, attempt=5), at=NOW)
    assert [type(command) for command in decide(job, stray).commands] == [Delete]
    dying = msgspec.structs.replace(stray, deletion_requested=NOW)
    assert [type(command) for command in decide(job, dying).commands] == [Release]


def test_a_refusal_that_lasts_ends_no_job_whose_pod_may_be_on_its_way() -> None:
    """An earlier creation, whose answer was lost, may still be carried out."""
    job, lasting = make_job(), refused(RefusalKind.PERMANENT)
    waiting = decide_on(job=job, pods=(), refusal=lasting, now=NOW, keep_until=NOW + 30)
    assert waiting == Decision(requeue_at=NOW + 30)
    settled = decide_on(job=job, pods=(), refusal=lasting, now=NOW + 30, keep_until=NOW + 30)
    assert only_status(settled).status.phase is Phase.FAILED
    suspended = decide_on(job=make_job(suspend=True), pods=(), refusal=lasting, now=NOW, keep_until=NOW + 30)
    assert only_status(suspended).status.phase is Phase.SUSPENDED


@pytest.mark.parametrize(
    ("now", "keep_until", "want"),
    [(NOW + 59, 0.0, NOW + 60), (NOW + 60, 0.0, None), (NOW + 60, NOW + 80, NOW + 80)],
    ids=["too early", "expired", "a creation may still be on its way"],
)
def test_expiry(now: float, keep_until: float, want: float | None) -> None:
    job = with_status(make_job(retention=kept_for(60.0)), phase=Phase.SUCCEEDED, finished=NOW)
    decision = decide_on(job=job, pods=(), refusal=None, now=now, keep_until=keep_until)
    if want is None:
        assert [type(command) for command in decision.commands] == [Delete]
    else:
        assert decision == Decision(requeue_at=want)


def test_an_expired_job_waits_for_its_pods_to_be_accounted() -> None:
    job = with_status(
        make_job(retention=kept_for(0.0)), phase=Phase.FAILED, finished=NOW, attempts=(make_attempt(make_job()),)
    )
    assert [type(c) for c in decide(job, finished(make_pod(job), at=NOW, exit_code=1)).commands] == [Release]


def test_the_pods_of_a_job_that_is_being_deleted_are_let_go() -> None:
    job = make_job(deleting=True)
    pods = (running(make_pod(job), at=NOW), make_pod(job, attempt=1, held=False), make_pod(job, attempt=2, gone=True))
    assert [type(command) for command in decide(job, *pods).commands] == [Release]


# Stops and suspensions.


def test_d1_a_total_limit_that_is_taken_away_while_stopping_leaves_the_recorded_end() -> None:
    job = make_job(total_timeout=1.0)
    pod = running(make_pod(job), at=CREATED)
    stopping = msgspec.structs.replace(job, status=only_status(decide(job, pod)).status, total_timeout=None)
    gone = finished(msgspec.structs.replace(pod, deletion_requested=NOW), at=NOW, exit_code=143)
    status = only_status(decide(stopping, gone)).status
    assert (status.phase, status.reason) == (Phase.FAILED, "TotalTimeout")
    assert "(1 s)" in status.message


SUSPENDED = with_status(make_job(total_timeout=50.0), phase=Phase.SUSPENDED, reason="Suspended")


@pytest.mark.parametrize("ended", [False, True], ids=["D12 a late pod runs", "D12 a late pod has failed"])
def test_d12_a_pod_that_comes_after_the_suspension_is_no_obstacle_to_the_resumption(ended: bool) -> None:
    pod = running(make_pod(SUSPENDED), at=NOW - 60)
    pod = finished(pod, at=NOW - 1, exit_code=1) if ended else pod
    status = only_status(decide(SUSPENDED, pod)).status
    assert (status.phase, status.reason, status.started) == (Phase.PENDING, "Resumed", NOW)
    status = only_status(decide(msgspec.structs.replace(SUSPENDED, status=status), pod)).status
    assert (status.phase, status.started) == (Phase.RETRYING if ended else Phase.RUNNING, NOW)


def test_d15_the_total_clock_stands_still_while_the_pod_of_a_suspended_job_ends() -> None:
    job = make_job(total_timeout=50.0, suspend=True)
    pod = running(make_pod(job), at=CREATED)
    stopping = msgspec.structs.replace(job, status=only_status(decide(job, pod, now=CREATED + 10)).status)
    resumed = msgspec.structs.replace(stopping, suspend=False)
    dying = msgspec.structs.replace(pod, deletion_requested=CREATED + 11)
    assert decide(resumed, dying).commands == ()
    status = only_status(decide(resumed, finished(dying, at=NOW, exit_code=143))).status
    assert (status.phase, status.reason, status.started) == (Phase.PENDING, "Resumed", NOW)


def test_d18_a_suspension_does_not_shorten_the_wait_for_the_next_attempt() -> None:
    due = NOW + 500
    job = make_job(suspend=True)
    job = with_status(job, phase=Phase.RETRYING, attempts=(make_attempt(job),), next_attempt=due, attempt_count=1)
    suspended = msgspec.structs.replace(job, status=only_status(decide(job)).status)
    assert (suspended.status.phase, suspended.status.next_attempt) == (Phase.SUSPENDED, due)
    resumed = msgspec.structs.replace(suspended, suspend=False)
    resumed = msgspec.structs.replace(resumed, status=only_status(decide(resumed)).status)
    assert decide(resumed) == Decision(requeue_at=due)
    (create,) = decide(resumed, now=due).commands
    assert isinstance(create, CreateChild)


def test_d18_what_a_task_asked_for_is_waited_though_it_ended_while_its_job_was_being_suspended() -> None:
    job = make_job(suspend=True)
    job = with_status(job, phase=Phase.STOPPING, reason="Suspended", attempts=(make_attempt(job, outcome=None),))
    pod = finished(make_pod(job), at=NOW, exit_code=1, message='{"retryAfter": 600}')
    status = only_status(decide(job, pod)).status
    assert (status.phase, status.next_attempt) == (Phase.SUSPENDED, NOW + 600)
