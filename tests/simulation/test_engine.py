"""The engine against the simulated API server: whole lives of jobs, and what may go wrong on the way."""

import asyncio
import functools
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest

from podwright.core.constants.names import pod_name
from podwright.core.job import decide as job_policy
from podwright.core.job.snapshot import Snapshot
from podwright.core.model.phase import Phase
from podwright.kube.codecs.requests import ApiRequest
from podwright.kube.responses import Ambiguous, ApiResponse, Unsent
from podwright.runtime import engine
from podwright.runtime.cache_check import CacheCheck
from podwright.runtime.leader_term import LeaderTerm
from podwright.runtime.writer import Send
from tests.simulation.world import Object, World, decoded, started_world, until
from tests.support.simulator.admission import Operation, Request
from tests.support.simulator.errors import ApiError, forbidden
from tests.support.simulator.kinds import BATCH_JOB, NAMESPACE, POD
from tests.support.simulator.storage import Key
from tests.support.virtual_time import in_virtual_time

# Admission that is final at once; a policy's denial is asked again for a minute.
LIMIT_RANGE = "maximum memory usage per Container is 100Mi, but limit is 128Mi"
QUICK_RETRY = {"limit": 2, "initial": "10ms", "max": "10ms"}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with started_world() as running:
        yield running


def first_pod(uid: str, attempt: int = 0, name: str = "job") -> str:
    """Return the name of a pod of an attempt."""
    return pod_name(job_name=name, job_uid=uid, task_index=0, attempt=attempt)


async def pod_exists(world: World, name: str) -> None:
    """Wait for a pod."""
    await until(lambda: Key("default", name) in world.api.table(POD).objects)


async def test_a_job_that_succeeds_takes_three_writes(world: World) -> None:
    world.submit()
    await until(world.is_over)
    status = world.status()
    assert (status["phase"], status["progress"], status["attempts"][0]["exitCode"]) == ("Succeeded", "1/1", 0)
    assert {c["type"] for c in status["conditions"]} == {"Finished", "Complete", "Ready"}
    await asyncio.sleep(0.1)
    assert [request.method for request in world.writes] == ["POST", "PATCH", "PATCH"]
    assert world.written("PATCH")[0] == "status"


async def test_a_failing_job_is_retried_up_to_its_limit(world: World) -> None:
    world.submit(script={"exit-code": "3"}, retry=QUICK_RETRY)
    await until(world.is_over)
    status = world.status()
    assert (status["phase"], status["reason"], status["failedCount"]) == ("DeadLettered", "RetriesExhausted", 3)
    assert [(a["number"], a["exitCode"], a["outcome"]) for a in status["attempts"]] == [
        (n, 3, "Failed") for n in range(3)
    ]
    assert len(world.writes) == 9


async def test_a_pod_whose_image_cannot_be_pulled_is_ended_if_a_rule_says_so(world: World) -> None:
    rule = {"action": "Fail", "onWaitingReasons": ["ErrImagePull"]}
    uid = world.submit(script={"pending": "1h"}, failurePolicy={"rules": [rule]}, retry=QUICK_RETRY)
    await pod_exists(world, first_pod(uid))
    world.let_wait(first_pod(uid), reason="ErrImagePull", message="no such image: https://me:secret@registry/x")
    await until(world.is_over)
    status = world.status()
    assert (status["phase"], status["reason"], status["failedCount"]) == ("Failed", "ErrImagePull", 1)
    (attempt,) = status["attempts"]
    assert (attempt["outcome"], attempt["budget"]) == ("Failed", "User")
    assert attempt["message"] == "no such image: https://[redacted]@registry/x"


async def test_what_a_task_reports_lands_in_status(world: World) -> None:
    told = '{"outputs": {"rows": 3, "none": null}, "artifacts": {"model": "s3://bucket/key?signature=x"}}'
    world.submit(script={"termination-message": told})
    await until(world.is_over)
    status = world.status()
    assert status["outputs"] == {"rows": 3}
    assert status["artifacts"] == [{"name": "model", "url": "s3://bucket/key"}]


async def test_what_the_platform_takes_away_has_a_budget_of_its_own(world: World) -> None:
    world.kubelet.pause()
    uid = world.submit(retry={**QUICK_RETRY, "limit": 0})
    await pod_exists(world, first_pod(uid))
    evicted = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}
    world.end_pod(first_pod(uid), exit_code=143, conditions=[evicted])
    await pod_exists(world, first_pod(uid, 1))
    world.end_pod(first_pod(uid, 1), exit_code=0)
    await until(world.is_over)
    status = world.status()
    assert (status["phase"], status["failedCount"], status["platformFailedCount"]) == ("Succeeded", 0, 1)


async def test_a_job_whose_expression_is_none_fails_before_anything_runs(world: World) -> None:
    world.submit(failurePolicy={"rules": [{"action": "Fail", "onMessage": "(a"}]})
    await until(world.is_over)
    status = world.status()
    assert (status["phase"], status["reason"]) == ("Failed", "InvalidSpec")
    assert status["message"].startswith("spec.failurePolicy.rules[0].onMessage is no regular expression")
    assert not world.pod_objects()


async def test_a_retry_may_succeed(world: World) -> None:
    world.kubelet.pause()
    uid = world.submit(retry=QUICK_RETRY)
    for attempt, code in enumerate([1, 137, 0]):
        await pod_exists(world, first_pod(uid, attempt))
        world.end_pod(first_pod(uid, attempt), exit_code=code)
    await until(world.is_over)
    assert [a["outcome"] for a in world.status()["attempts"]] == ["Failed", "Failed", "Succeeded"]


async def test_a_running_job_tells_so(world: World) -> None:
    world.submit(script={"duration": "forever"})
    await until(lambda: world.status().get("phase") == "Running")
    assert world.status()["attempts"][0]["node"].startswith("fake-")
    world.edit(cancel="Graceful")
    await until(world.is_over)
    status = world.status()
    assert (status["phase"], status["attempts"][0]["outcome"], status["failedCount"]) == ("Cancelled", "Stopped", 0)


async def test_suspending_stops_and_resuming_starts_anew(world: World) -> None:
    uid = world.submit(script={"duration": "forever"})
    await until(lambda: bool(world.pod_objects()))
    world.edit(suspend=True)
    await until(lambda: world.status().get("phase") == "Suspended" and not world.held())
    assert "startTime" not in world.status()
    world.edit(suspend=False)
    await until(lambda: Key("default", first_pod(uid, 1)) in world.api.table(POD).objects)
    assert world.status()["failedCount"] == 0


async def test_a_job_that_is_born_suspended_waits(world: World) -> None:
    world.submit(suspend=True)
    await until(lambda: world.status().get("phase") == "Suspended")
    assert not world.pod_objects()
    world.edit(suspend=False)
    await until(world.is_over)


async def test_a_job_that_runs_too_long_is_ended(world: World) -> None:
    world.submit(script={"duration": "forever"}, timeouts={"total": "1s"})
    await until(world.is_over)
    assert (world.status()["phase"], world.status()["reason"]) == ("Failed", "TotalTimeout")


async def test_an_attempt_that_runs_too_long_is_ended_and_retried(world: World) -> None:
    world.submit(script={"duration": "forever"}, timeouts={"attempt": "1s"}, retry={**QUICK_RETRY, "limit": 1})
    await until(world.is_over)
    assert [a["reason"] for a in world.status()["attempts"]] == ["AttemptTimeout", "AttemptTimeout"]


async def test_a_finished_job_is_deleted_in_its_time(world: World) -> None:
    world.submit(ttlSecondsAfterFinished=1)
    await until(lambda: not world.api.table(BATCH_JOB).objects and not world.pod_objects())


async def test_the_pods_of_a_deleted_job_go_with_it(world: World) -> None:
    world.submit(script={"duration": "forever"})
    await until(lambda: bool(world.pod_objects()))
    world.delete_job()
    await until(lambda: not world.pod_objects())


@in_virtual_time
async def test_thousands_of_jobs() -> None:
    names = [f"job-{n}" for n in range(1000)]
    async with started_world() as world:
        for name in names:
            world.submit(name)
        await until(lambda: all("finishTime" in world.status(name) for name in names) and not world.held(), seconds=30)
        assert len(world.writes) <= 3000


async def test_s11_all_jobs_are_marked_in_pieces(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_MARKED_AT_ONCE", 10)
    for number in range(35):
        world.submit(f"job-{number}", suspend=True)
    queue = world.engine._queue

    def at_rest() -> bool:
        """Return whether all have been seen suspended, so that nothing else marks them."""
        jobs = [world.store.job(uid) for uid in world.store.uids()]
        suspended = [job for job in jobs if job is not None and job.status.phase is Phase.SUSPENDED]
        of = world.controller.expectations.of
        return len(suspended) == 35 and not any(of(job.ref).outstanding for job in suspended) and not queue

    await until(at_rest)
    marked: list[tuple[str, int]] = []
    monkeypatch.setattr(world.engine, "_reconcile_safely", lambda ref: marked.append((ref.uid, len(queue))))
    world.engine.mark_all()
    await until(lambda: len(marked) >= 35)
    assert {uid for uid, _ in marked} == world.store.uids()
    assert max(waiting for _, waiting in marked) < 10


async def test_a_pod_that_is_gone_with_its_finalizer_is_released_once(world: World) -> None:
    world.submit(script={"duration": "forever"})
    await until(lambda: bool(world.pod_objects()))
    world.edit(cancel="Immediate")
    await until(lambda: "finishTime" in world.status() and not world.pod_objects())
    await asyncio.sleep(0.1)
    assert [request.method for request in world.writes].count("PATCH") == 3, "two of the status, one of the finalizer"


# Refusals.


def refuse_pods(world: World, error: Callable[[Request], ApiError]) -> None:
    """Let admission refuse every pod of the operator."""

    def rule(request: Request) -> None:
        if request.kind is POD and request.operation is Operation.CREATE:
            raise error(request)

    world.api.rules.append(rule)


async def test_a_full_quota_is_waited_for_and_explained(world: World) -> None:
    refuse_pods(world, lambda request: forbidden("pods", request.name, "exceeded quota: q, used: pods=5"))
    world.submit()
    await until(lambda: world.status().get("reason") == "QuotaExceeded")
    status = world.status()
    assert (status["phase"], status["attemptCount"]) == ("Pending", 0)
    assert status["conditions"][0]["reason"] == "QuotaExceeded"
    assert "exceeded quota: q" in status["message"]
    await asyncio.sleep(1.0)
    assert len(world.writes) <= 5, "a hot loop"
    world.api.rules.pop()
    await until(world.is_over, seconds=15)
    assert world.status()["phase"] == "Succeeded"


async def test_a_forbidden_pod_fails_the_job_in_the_servers_words(world: World) -> None:
    refuse_pods(world, lambda request: forbidden("pods", request.name, LIMIT_RANGE))
    world.submit()
    await until(lambda: "finishTime" in world.status())
    assert (world.status()["phase"], world.status()["reason"]) == ("Failed", "PodRejected")
    assert LIMIT_RANGE in world.status()["message"]
    assert len(world.writes) == 2


async def test_a_taken_name_costs_an_attempt(world: World) -> None:
    world.terms.current = None
    uid = world.submit(retry=QUICK_RETRY)
    squatter = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": first_pod(uid)},
        "spec": {"containers": [{"name": "a", "image": "b"}]},
    }
    world.api.create(POD, "default", squatter, user="somebody")
    world.terms.current = LeaderTerm(shard=0, epoch=1, baseline=0)
    world.engine.mark_all()
    await until(lambda: world.status().get("phase") == "Succeeded")
    assert [a["reason"] for a in world.status()["attempts"]] == ["NameCollision", "Completed"]


# Faults.


async def test_a_creation_of_unknown_outcome_is_repeated_under_its_name(world: World) -> None:
    uid = world.submit()
    lost: list[str] = []

    async def lose_answers(request: ApiRequest, send: Send) -> ApiResponse:
        answer = await send(request)
        if request.method == "POST" and len(lost) < 2:
            lost.append(request.path)
            raise Ambiguous("the connection broke")
        return answer

    world.fault = lose_answers
    await until(world.is_over)
    assert [pod["metadata"]["name"] for pod in world.pod_objects()] == [first_pod(uid)]
    assert world.status()["attemptCount"] == 1


@pytest.mark.parametrize(
    ("carried_out", "failure"),
    [
        (False, Unsent("no connection")),
        (True, Ambiguous("no answer")),
        (False, Ambiguous("no answer")),
        (False, ApiResponse(500, b"")),
        (True, ApiResponse(504, b"")),
        (False, ApiResponse(429, b"", retry_after=0.05)),
        (False, ApiResponse(503, b"garbage")),
        (True, ApiResponse(200, b'{"metadata": {"na')),
        (False, ApiResponse(200, b"<html>Welcome to the network!</html>")),
        (False, RuntimeError("an error of ours")),
    ],
    ids=[
        "unsent",
        "executed, no answer",
        "lost, no answer",
        "500",
        "executed, 504",
        "429",
        "503",
        "executed, cut",
        "not executed, 200",
        "broken",
    ],
)
async def test_every_write_may_fail(world: World, carried_out: bool, failure: Any) -> None:
    """F1 and F13 in small: every other write to each path fails, before or after it was carried out."""
    tries: Counter[str] = Counter()

    async def fail(request: ApiRequest, send: Send) -> ApiResponse:
        tries[request.path] += 1
        if tries[request.path] % 2 == 0:
            return await send(request)
        if carried_out:
            await send(request)
        if isinstance(failure, ApiResponse):
            return failure
        raise failure

    world.fault = fail
    world.submit(script={"exit-codes": "1,0"}, retry={**QUICK_RETRY, "limit": 1})
    await until(world.is_over, seconds=30)
    status = world.status()
    assert (status["phase"], status["failedCount"], len(world.pod_objects())) == ("Succeeded", 1, 2)


async def test_others_may_change_the_job_all_the_time(world: World) -> None:
    """F12."""
    world.submit()

    def labelled(n: int, job: Object) -> Object:
        return {**job, "metadata": {**job["metadata"], "labels": {"n": str(n)}}}

    async def label() -> None:
        for n in range(200):
            world.api.update(
                BATCH_JOB,
                Key("default", "job"),
                functools.partial(labelled, n),
                user="labeler",
                subresource="",
                by_put=False,
            )
            await asyncio.sleep(0.005)

    labelling = asyncio.create_task(label())
    await until(world.is_over)
    labelling.cancel()
    assert len(world.writes) < 20
    assert len(world.pod_objects()) == 1


async def test_nothing_is_written_without_a_term(world: World) -> None:
    world.terms.current = None
    world.submit()
    await asyncio.sleep(0.2)
    assert world.writes == []
    world.terms.current = LeaderTerm(shard=0, epoch=4, baseline=0)
    world.engine.mark_all()
    await until(world.is_over)
    assert decoded(world.writes[0])["metadata"]["annotations"]["podwright.dev/epoch"] == "4"


async def test_a_new_leader_reads_an_old_job_before_it_starts_a_pod(world: World) -> None:
    world.terms.current = None
    world.submit()
    await asyncio.sleep(0.05)
    reads = world.simulator.requests["operator", "get", "batchjobs"]
    world.api.create(NAMESPACE, "", {"metadata": {"name": "other"}}, user="system:admin")  # a revision that no job has
    world.terms.current = LeaderTerm(shard=0, epoch=2, baseline=world.api.revisions.last)
    world.engine.mark_all()
    await until(world.is_over)
    assert world.simulator.requests["operator", "get", "batchjobs"] == reads + 1
    world.submit("newer")
    await until(lambda: world.is_over("newer"))
    assert world.simulator.requests["operator", "get", "batchjobs"] == reads + 1


async def test_l4_a_new_leader_confirms_all_jobs_by_one_list_of_metadata(world: World) -> None:
    """Reading each of them would take the API server seconds, as many large ones may be among them."""
    term = await wait_under_the_next_term(world, jobs=60)
    lists = world.simulator.requests["operator", "list", "batchjobs"]
    world.engine.begin_term(term)
    await until(lambda: all(world.is_over(f"waits-{number}") for number in range(60)))
    assert world.simulator.requests["operator", "get", "batchjobs"] == 0
    assert world.simulator.requests["operator", "list", "batchjobs"] == lists + 2, "a first page of 50, and the rest"


async def test_what_the_cache_lacks_of_a_job_is_read_before_anything_is_started(world: World) -> None:
    """The former leader recorded an end that our watch has not told of yet."""
    term = await wait_under_the_next_term(world, jobs=2)
    known = world.store.job(world.job("waits-0")["metadata"]["uid"])
    assert known is not None
    older = msgspec.structs.replace(known, resource_version=known.resource_version - 1)
    world.store._jobs[known.uid] = older
    world.engine.begin_term(term)
    await until(lambda: all(world.is_over(f"waits-{number}") for number in range(2)))
    assert world.simulator.requests["operator", "get", "batchjobs"] == 1


async def test_jobs_are_read_one_by_one_where_no_list_is_to_be_had(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(self: CacheCheck, path: str) -> None:
        raise Unsent("no connection")

    monkeypatch.setattr(CacheCheck, "_list", fails)
    term = await wait_under_the_next_term(world, jobs=3)
    world.engine.begin_term(term)
    await until(lambda: all(world.is_over(f"waits-{number}") for number in range(3)))
    assert world.simulator.requests["operator", "get", "batchjobs"] >= 1


async def wait_under_the_next_term(world: World, *, jobs: int) -> LeaderTerm:
    """Have jobs wait for a leader, and one take office at a revision that no job has, so that none is newer than its term."""
    world.terms.current = None
    for number in range(jobs):
        world.submit(f"waits-{number}")
    await until(lambda: len(world.store.uids()) == jobs)
    world.api.create(NAMESPACE, "", {"metadata": {"name": "other"}}, user="system:admin")
    term = world.terms.current = LeaderTerm(shard=0, epoch=2, baseline=world.api.revisions.last)
    return term


async def test_a_pod_that_is_torn_away_counts_as_lost(world: World) -> None:
    world.kubelet.pause()
    uid = world.submit(retry=QUICK_RETRY)
    key = Key("default", first_pod(uid))
    await until(lambda: key in world.api.table(POD).objects)
    node = {"phase": "Running", "startTime": "2026-01-01T00:00:00Z"}
    world.api.update(
        POD,
        key,
        lambda pod: {**pod, "spec": {**pod["spec"], "nodeName": "n"}, "status": {**pod["status"], **node}},
        user="node",
        subresource="status",
        by_put=False,
    )
    world.api._remove(POD, key)
    await until(lambda: Key("default", first_pod(uid, 1)) in world.api.table(POD).objects)
    assert world.status()["attempts"][0]["outcome"] in ("Lost", "Failed")


async def test_a_job_that_breaks_our_code_stops_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """F25."""

    decide = job_policy.decide

    def broken(snapshot: Snapshot) -> Any:
        if snapshot.job.name == "poison":
            raise ZeroDivisionError("boom")
        return decide(snapshot)

    monkeypatch.setattr("podwright.core.job.decide.decide", broken)
    world.submit("poison")
    world.submit("healthy")
    await until(lambda: world.is_over("healthy"))
    await until(lambda: world.status("poison").get("reason") == "InternalError")
    assert "boom" in world.status("poison")["message"]
    await asyncio.sleep(0.3)
    assert len(world.writes) <= 5


async def test_a_job_that_cannot_be_understood_is_told_so(world: World) -> None:
    """F25, by an object that the API server lets pass and we cannot read."""
    world.submit("odd", retry={"limit": 1, "initial": "soon"})
    world.submit("healthy")
    await until(lambda: world.is_over("healthy"))
    await until(lambda: world.status("odd").get("reason") == "InternalError")
    assert "soon" in world.status("odd")["message"]
    await asyncio.sleep(0.2)
    assert world.written("PATCH").count("status") == 2


@pytest.mark.parametrize("slow", ["PATCH", "POST"], ids=["K9 the release comes last", "K9 the next attempt comes last"])
async def test_k9_the_next_attempt_and_the_release_of_the_former_pod_follow_the_record_of_its_end(
    world: World, slow: str
) -> None:
    """In no order between them: the former pod has ended, and neither waits for the other."""
    done: list[str] = []

    async def log(request: ApiRequest, send: Send) -> ApiResponse:
        what = "status" if request.path.endswith("/status") else request.method
        if what == slow and done:
            await asyncio.sleep(0.5)
        answer = await send(request)
        done.append(what)
        return answer

    world.fault = log
    uid = world.submit(script={"exit-code": "1"}, retry={"limit": 1, "initial": "0s", "max": "0s"})
    await until(world.is_over)
    assert done[:2] == ["POST", "status"]
    assert done[2:4] == (["POST", "PATCH"] if slow == "PATCH" else ["PATCH", "POST"])
    first = world.status()["attempts"][0]
    assert (first["podName"], first["outcome"]) == (first_pod(uid), "Failed")


async def test_a_pod_that_does_not_start_in_time_costs_an_attempt(world: World) -> None:
    world.submit(script={"pending": "1h"}, timeouts={"start": "1s"}, retry={**QUICK_RETRY, "limit": 1})
    await until(world.is_over, seconds=20)
    assert [(a["outcome"], a["reason"]) for a in world.status()["attempts"]] == [("Failed", "StartTimeout")] * 2
