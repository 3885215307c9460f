"""What holds jobs back before their first pod, through the engine and the simulated API server."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from podwright.core.constants.names import array_pod_name, key_lease_name, pod_name
from podwright.core.job.pod.attempt_pod import AttemptPod
from podwright.core.job.pod.template import build_pod
from podwright.kube.codecs.answer import decode_job
from podwright.kube.codecs.requests import ApiRequest
from podwright.kube.codecs.times import format_micro_time
from podwright.kube.responses import Ambiguous, ApiResponse
from podwright.runtime import keys
from podwright.runtime.feeds import PodFeed
from podwright.runtime.leader_term import LeaderTerm
from podwright.runtime.writer import Send
from tests.simulation.world import SYSTEM_NAMESPACE, Object, World, started_world, until
from tests.support.simulator.deletion import DeleteOptions
from tests.support.simulator.kinds import BATCH_JOB, LEASE, POD
from tests.support.simulator.storage import Key

KEY = "order-4711"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with started_world() as running:
        yield running


def lease_key(key: str = KEY) -> Key:
    """Return the place of a key's Lease."""
    return Key(SYSTEM_NAMESPACE, key_lease_name(namespace="default", key=key))


def lease(world: World, key: str = KEY) -> Object:
    """Return a key's Lease as it is stored."""
    return world.api.get(LEASE, lease_key(key)).document


def edit_lease(world: World, **spec: Any) -> None:
    """Change the Lease of the key as an administrator."""
    world.api.update(
        LEASE, lease_key(), lambda old: {**old, "spec": {**old["spec"], **spec}}, user="admin", by_put=False
    )


def jobs_over(world: World) -> dict[str, Object]:
    """Return the status of each job that is over."""
    stored = {key.name: job.document.get("status", {}) for key, job in world.api.table(BATCH_JOB).objects.items()}
    return {name: status for name, status in stored.items() if "finishTime" in status}


def phases(world: World) -> dict[str, str]:
    """Return the phase of each job that is over."""
    return {name: status["phase"] for name, status in jobs_over(world).items()}


# Dependencies.


async def test_a_chain_runs_in_its_order_whatever_the_order_of_submission(world: World) -> None:
    world.submit("third", dependsOn=[{"name": "second"}])
    world.submit("second", dependsOn=[{"name": "first"}])
    world.submit("first")
    await until(lambda: len(phases(world)) == 3)
    assert set(phases(world).values()) == {"Succeeded"}
    starts = [
        max(pod["metadata"]["creationTimestamp"] for pod in world.pod_objects() if owner(pod) == name)
        for name in ("first", "second", "third")
    ]
    assert starts == sorted(starts)
    created = [request.path for request in world.writes if request.method == "POST"]
    assert len(created) == 3


async def test_a_failure_ends_all_that_comes_after_it_as_each_wants(world: World) -> None:
    world.submit("first", script={"exit-code": "1"}, retry={"limit": 0})
    world.submit("fails", dependsOn=[{"name": "first"}])
    world.submit("skips", dependsOn=[{"name": "first", "otherwise": "Skip"}])
    world.submit("runs", dependsOn=[{"name": "first", "otherwise": "Run"}])
    world.submit("cleans", dependsOn=[{"name": "first", "condition": "Failed"}])
    world.submit("after-fails", dependsOn=[{"name": "fails", "condition": "Finished"}])
    await until(lambda: len(phases(world)) == 6)
    assert phases(world) == {
        "first": "Failed",
        "fails": "Failed",
        "skips": "Skipped",
        "runs": "Succeeded",
        "cleans": "Succeeded",
        "after-fails": "Succeeded",
    }
    assert world.status("fails")["reason"] == world.status("skips")["reason"] == "DependencyFailed"
    assert {c["type"] for c in world.status("skips")["conditions"]} == {"Finished", "Skipped"}


async def test_started_is_met_while_the_other_runs_and_before_its_status_says_so(world: World) -> None:
    world.submit("server", script={"duration": "forever"})
    world.submit("client", dependsOn=[{"name": "server", "condition": "Started"}])
    await until(lambda: "client" in phases(world), seconds=1.5)
    assert world.status("server").get("phase") is None


async def test_every_member_of_a_circle_says_so_until_one_is_deleted(world: World) -> None:
    world.submit("b", dependsOn=[{"name": "c"}])
    world.submit("c", dependsOn=[{"name": "a"}])
    await until(lambda: world.status("c").get("reason") == "DependencyMissing")
    world.submit("a", dependsOn=[{"name": "b"}])
    await until(lambda: {world.status(name).get("reason") for name in "abc"} == {"DependencyCycle"})
    assert "a → b → c → a" in world.status("a")["message"]
    assert "c → a → b → c" in world.status("c")["message"]
    writes = len(world.writes)
    await asyncio.sleep(0.3)
    assert len(world.writes) == writes, "waiting must not write again and again"
    world.delete_job("a")
    await until(lambda: world.status("c")["reason"] == "DependencyMissing")
    await until(lambda: world.status("b")["reason"] == "DependencyWaiting")
    world.submit("a")
    await until(lambda: len(phases(world)) == 3)


async def test_a_finished_job_outlives_its_time_while_others_wait_for_how_it_ended(world: World) -> None:
    world.submit("first", ttlSecondsAfterFinished=0)
    world.submit("long", script={"duration": "1s"})
    world.submit("last", dependsOn=[{"name": "first"}, {"name": "long"}])
    await until(lambda: phases(world).get("last") == "Succeeded")
    await until(lambda: Key("default", "first") not in world.api.table(BATCH_JOB).objects)


async def test_tasks_start_as_their_counterparts_succeed_and_are_given_up_when_those_fail(world: World) -> None:
    world.kubelet.pause()
    uid = world.submit("first", array={"size": 3}, retry={"limit": 0})
    world.submit("second", array={"size": 3}, retry={"limit": 0}, dependsOn=[{"name": "first", "tasks": "NToN"}])
    await until(lambda: len(world.pod_objects()) == 3)

    def started() -> set[str]:
        return {pod["metadata"]["name"].split("-")[-2] for pod in world.pod_objects() if owner(pod) == "second"}

    pods = [array_pod_name(job_name="first", job_uid=uid, index=index, attempt=0) for index in range(3)]
    world.end_pod(pods[1], exit_code=0)
    await until(lambda: len(started()) == 1)
    world.end_pod(pods[0], exit_code=1)
    await until(lambda: world.status("second").get("array", {}).get("failedIndexes") == "0")
    world.end_pod(pods[2], exit_code=0)
    await until(lambda: len(started()) == 2)
    world.kubelet.resume()
    await until(lambda: phases(world) == {"first": "Failed", "second": "Failed"})
    status = world.status("second")
    assert status["array"]["succeededIndexes"] == "1-2"
    assert (
        status["message"] == "1 task failed: 0; all of them without having run, as tasks of job first did not succeed"
    )


async def test_an_array_that_was_cancelled_while_it_ran_has_started(world: World) -> None:
    """For jobs that ask once it is over, and only the record can tell: all its attempts were stopped."""
    world.submit("first", array={"size": 2}, script={"duration": "1h"})
    await until(lambda: [pod["status"].get("phase") for pod in world.pod_objects()] == ["Running"] * 2)
    world.edit("first", cancel="Graceful")
    await until(lambda: phases(world).get("first") == "Cancelled")
    world.submit("job", dependsOn=[{"name": "first", "condition": "Started"}])
    world.submit("array", array={"size": 2}, dependsOn=[{"name": "first", "condition": "Started", "tasks": "NToN"}])
    await until(lambda: phases(world) == {"first": "Cancelled", "job": "Succeeded", "array": "Succeeded"})


async def test_tasks_that_are_skipped_are_counted(world: World) -> None:
    world.submit("first", array={"size": 3}, script={"exit-code": "1"}, retry={"limit": 0})
    wanted = {"name": "first", "tasks": "NToN", "otherwise": "Skip"}
    world.submit("second", array={"size": 3}, dependsOn=[wanted])
    await until(lambda: phases(world) == {"first": "Failed", "second": "Skipped"})
    counted = world.metrics.registry.get_sample_value
    assert counted("podwright_array_tasks_finished_total", {"outcome": "skipped"}) == 3


async def test_an_array_is_held_back_like_any_job(world: World) -> None:
    world.submit("first", script={"duration": "3s"}, idempotencyKey=KEY)
    world.submit("array", array={"size": 3}, dependsOn=[{"name": "first"}])
    world.submit("twice", array={"size": 3}, idempotencyKey=KEY)
    await until(lambda: world.status("array").get("reason") == "DependencyWaiting")
    assert world.status("array")["progress"] == "0/3"
    await until(lambda: phases(world) == {"first": "Succeeded", "array": "Succeeded", "twice": "Skipped"})


# Start time and queue timeout.


async def test_a_job_starts_at_its_time_and_waits_no_longer_than_it_is_allowed_to(world: World) -> None:
    world.submit("later", startAt=format_micro_time(time.time() + 3.0))
    world.submit("never", dependsOn=[{"name": "nobody"}], timeouts={"queue": "1s"})
    await until(lambda: world.status("later").get("reason") == "Delayed")
    await until(lambda: phases(world) == {"never": "Failed", "later": "Succeeded"})
    assert world.status("never")["reason"] == "QueueTimeout"
    assert not [pod for pod in world.pod_objects() if owner(pod) == "never"]


async def test_a_new_leader_looks_for_a_first_pod_that_it_was_not_told_of_before_it_ends_a_job(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The former leader created it and died; the watch is late."""
    monkeypatch.setattr(PodFeed, "changed", lambda self, item: None)
    async with started_world(start=False) as world:
        world.submit("job", timeouts={"queue": "1s"})
        job = decode_job(world.api.get(BATCH_JOB, Key("default", "job")).encoded)
        name = pod_name(job_name="job", job_uid=job.uid, task_index=0, attempt=0)
        attempt = AttemptPod(task_index=0, attempt=0)
        body = msgspec.json.decode(build_pod(job=job, name=name, attempt=attempt, shard=0, epoch=1))
        world.api.create(POD, "default", body, user="former leader")
        world.terms.current = LeaderTerm(shard=0, epoch=2, baseline=10**9)
        await asyncio.sleep(2.0)
        running = asyncio.create_task(world.engine.run())
        await until(lambda: "finishTime" in world.status())
        running.cancel()
        assert (world.status()["phase"], world.status()["attemptCount"]) == ("Succeeded", 1)


# Keys.


async def test_of_a_thousand_jobs_with_one_key_one_runs(world: World) -> None:
    for number in range(1000):
        world.submit(f"job-{number}", idempotencyKey=KEY)
    await until(lambda: len(jobs_over(world)) == 1000, seconds=60)
    over = jobs_over(world)
    (first,) = [name for name, status in over.items() if status["phase"] == "Succeeded"]
    others = [status for name, status in over.items() if name != first]
    assert {(s["phase"], s["reason"], s["duplicateOf"]) for s in others} == {("Skipped", "Duplicate", first)}
    assert len(world.pod_objects()) == 1
    claims = [request for request in world.writes if "leases" in request.path]
    assert len(claims) == 1, "one claim serves them all"


@pytest.mark.parametrize("tasks", [None, "NToN"])
@pytest.mark.parametrize(
    ("spec", "edits"),
    [
        pytest.param({}, [{"cancel": "Graceful"}], id="D14 cancelled"),
        pytest.param({}, [{"suspend": True}, {"cancel": "Graceful"}], id="D14 suspended, then cancelled"),
        pytest.param({"timeouts": {"total": "1s"}}, [], id="D14 out of time"),
        pytest.param({"timeouts": {"start": "1s"}, "retry": {"limit": 0}}, [], id="D14 start timeout"),
    ],
)
@pytest.mark.parametrize("starts", [False, True])
async def test_d14_an_array_that_never_started(
    world: World, spec: dict[str, Any], edits: list[dict[str, Any]], tasks: str | None, starts: bool
) -> None:
    if starts and "start" in spec.get("timeouts", {}):
        spec = {"timeouts": {"attempt": "1s"}, "retry": {"limit": 0}}
    script = {"duration": "1h"} if starts else {"pending": "1h"}
    world.submit("first", array={"size": 2}, script=script, **spec)
    phase = "Running" if starts else "Pending"
    await until(lambda: [pod["status"].get("phase") for pod in world.pod_objects()] == [phase] * 2)
    for edit in edits:
        world.edit("first", **edit)
        if "suspend" in edit:
            await until(lambda: world.status("first").get("phase") == "Suspended")
    await until(lambda: world.is_over("first"))
    assert world.status("first")["array"].get("neverStarted", False) is not starts
    wanted = {"name": "first", "condition": "Started", **({"tasks": tasks} if tasks else {})}
    array: dict[str, Any] = {"array": {"size": 2}} if tasks else {}
    world.submit("second", dependsOn=[wanted], **array)
    await until(lambda: world.is_over("second"))
    ended = (world.status("second")["phase"], world.status("second")["reason"])
    assert ended == (
        ("Succeeded", "Completed") if starts else ("Failed", "TasksFailed" if tasks else "DependencyFailed")
    )


async def test_a_key_costs_one_write_and_no_key_none(world: World) -> None:
    world.submit("with", idempotencyKey=KEY)
    await until(lambda: world.is_over("with"))
    world.submit("without")
    await until(lambda: world.is_over("without"))
    assert [request.method for request in world.writes] == ["POST", "POST", "PATCH", "PATCH", "POST", "PATCH", "PATCH"]


async def test_keys_of_other_namespaces_and_other_keys_do_not_meet(world: World) -> None:
    world.submit("one", idempotencyKey="a")
    world.submit("two", idempotencyKey="b")
    await until(lambda: phases(world) == {"one": "Succeeded", "two": "Succeeded"})
    assert key_lease_name(namespace="a", key="b") != key_lease_name(namespace="b", key="b")


async def test_a_key_outlives_its_job_for_the_window_after_the_end(world: World) -> None:
    uid = world.submit("first", idempotencyKey=KEY, dedupWindow="1h")
    await until(lambda: world.is_over("first"))
    ended = world.status("first")["finishTime"]
    world.delete_job("first")
    await until(lambda: "renewTime" in lease(world)["spec"])
    assert lease(world)["spec"]["renewTime"][:19] == ended[:19], "the end counts, not the deletion"
    world.submit("again", idempotencyKey=KEY)
    await until(lambda: phases(world) == {"again": "Skipped"})
    assert world.status("again")["duplicateOf"] == "first"
    assert lease(world)["spec"]["holderIdentity"] == uid


async def test_after_the_window_the_next_job_takes_the_key_over(world: World) -> None:
    world.submit("first", idempotencyKey=KEY, dedupWindow="1s")
    await until(lambda: world.is_over("first"))
    world.submit("early", idempotencyKey=KEY)
    await until(lambda: world.is_over("early"))
    await asyncio.sleep(1.2)
    uid = world.submit("late", idempotencyKey=KEY)
    await until(lambda: phases(world) == {"first": "Succeeded", "early": "Skipped", "late": "Succeeded"})
    assert lease(world)["spec"]["holderIdentity"] == uid


async def test_a_clock_that_jumps_forward_neither_frees_a_key_nor_deletes_a_job() -> None:
    """Both would be for good: the next job with the key would run the work a second time."""
    async with started_world(holds_back=True) as world:
        world.submit("first", idempotencyKey=KEY, dedupWindow="1h", ttlSecondsAfterFinished=3600)
        await until(lambda: world.is_over("first"))
        world.clock_error = 10 * 365 * 86_400.0
        world.engine.mark_all()
        await world.key_sweep._page()
        world.submit("second", idempotencyKey=KEY)
        await until(lambda: "finishTime" in world.status("second"))
        assert world.status("second")["reason"] == "Duplicate"
        assert world.exists("first")
        assert len(world.api.table(LEASE).objects) == 1


async def test_a_key_whose_job_was_deleted_while_it_ran_is_held_until_its_pods_are_gone(world: World) -> None:
    world.submit("first", idempotencyKey=KEY, dedupWindow="0s", script={"duration": "forever"})
    await until(lambda: bool(world.pod_objects()))
    world.kubelet.pause()
    await until(lambda: any(pod["status"].get("phase") == "Running" for pod in world.pod_objects()))
    world.delete_job("first")
    world.submit("second", idempotencyKey=KEY)
    await until(lambda: phases(world) == {"second": "Skipped"})
    world.kubelet.resume()
    await until(lambda: not world.pod_objects())
    await until(lambda: "renewTime" in lease(world)["spec"])
    await asyncio.sleep(keys._READING_LIFE)
    world.submit("third", idempotencyKey=KEY)
    await until(lambda: phases(world).get("third") == "Succeeded")


async def test_the_old_lease_of_a_key_is_deleted_and_the_end_of_a_lost_holder_recorded(world: World) -> None:
    world.submit("first", idempotencyKey=KEY, dedupWindow="1h")
    await until(lambda: world.is_over("first"))
    edit_lease(world, holderIdentity="somebody-gone")
    await world.key_sweep._page()
    recorded = lease(world)["spec"]["renewTime"]
    await world.key_sweep._page()
    assert lease(world)["spec"]["renewTime"] == recorded
    edit_lease(world, renewTime=format_micro_time(time.time() - 3600 - 299))
    await world.key_sweep._page()
    assert lease_key() in world.api.table(LEASE).objects
    edit_lease(world, renewTime=format_micro_time(time.time() - 3600 - 301))
    await world.key_sweep._page()
    assert lease_key() not in world.api.table(LEASE).objects


async def test_an_unanswered_claim_is_found_again(world: World) -> None:
    """The Lease was created, and we never learnt of it."""
    lost: list[ApiRequest] = []

    async def lose_answer(request: ApiRequest, send: Send) -> ApiResponse:
        answer = await send(request)
        if "leases" in request.path and not lost:
            lost.append(request)
            raise Ambiguous("cut off")
        return answer

    world.fault = lose_answer
    world.submit("first", idempotencyKey=KEY)
    await until(lambda: world.is_over("first"))
    assert world.status("first")["phase"] == "Succeeded"
    assert len([request for request in world.writes if "leases" in request.path]) == 1


async def test_a_damaged_lease_is_told_and_its_deletion_frees_the_key(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "ASK_AGAIN", 3.0)
    monkeypatch.setattr("podwright.core.job.gates.idempotency.ASK_AGAIN", 3.0)
    body = {"metadata": {"name": lease_key().name}, "spec": {}}
    world.api.create(LEASE, SYSTEM_NAMESPACE, body, user="admin")
    world.submit("first", idempotencyKey=KEY)
    await until(lambda: world.status("first").get("reason") == "KeyNotClaimable")
    assert lease_key().name in world.status("first")["message"]
    world.api.delete(LEASE, lease_key(), DeleteOptions(), user="admin")
    await until(lambda: world.is_over("first"))
    assert world.status("first")["phase"] == "Succeeded"


async def test_l16_the_keys_of_a_namespace_are_bounded_and_further_jobs_wait(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("podwright.core.constants.limits.MOST_KEYS", 3)
    monkeypatch.setattr("podwright.core.job.gates.idempotency.ASK_AGAIN", 0.5)
    for number in range(3):
        world.submit(f"early-{number}", idempotencyKey=f"key-{number}", dedupWindow="1h")
        await until(lambda: world.is_over(f"early-{number}"))  # noqa: B023 - awaited within the loop
    world.submit("late", idempotencyKey="key-3", dedupWindow="1h")
    world.submit("twin", idempotencyKey="key-0")
    world.submit("without")
    await until(lambda: world.status("late").get("reason") == "TooManyKeys")
    await until(lambda: world.is_over("without") and world.is_over("twin"))
    assert (world.status("without")["phase"], world.status("twin")["phase"]) == ("Succeeded", "Skipped")
    assert len(world.api.table(LEASE).objects) == 3
    claims = len([request for request in world.writes if "leases" in request.path])
    await asyncio.sleep(1.5)
    assert len([request for request in world.writes if "leases" in request.path]) == claims <= 3

    world.api.delete(
        LEASE, Key(SYSTEM_NAMESPACE, key_lease_name(namespace="default", key="key-1")), DeleteOptions(), user="admin"
    )
    await world.key_sweep._page()
    await until(lambda: world.is_over("late"))
    assert world.status("late")["phase"] == "Succeeded"


async def test_l16_a_new_leader_learns_from_its_walk_that_a_namespace_is_full(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.submit("early", idempotencyKey="key-0", dedupWindow="1h")
    await until(lambda: world.is_over("early"))
    world.key_sweep._keys.count.walk_ended()  # as if nothing had been claimed by this process
    monkeypatch.setattr("podwright.core.constants.limits.MOST_KEYS", 1)
    await world.key_sweep._page()
    world.submit("late", idempotencyKey="key-1")
    await until(lambda: world.status("late").get("reason") == "TooManyKeys")


def owner(pod: Object) -> str:
    """Return the name of a pod's job."""
    name: str = pod["metadata"]["labels"]["podwright.dev/job"]
    return name
