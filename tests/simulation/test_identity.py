"""Pods that lost their marks, and jobs that claim what isn't theirs, in the running engine."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from podwright.core.constants import names
from podwright.core.constants.names import FINALIZER, LABEL_ATTEMPT, LABEL_JOB, LABEL_JOB_UID, pod_name
from podwright.core.job.identity import controller_reference
from tests.simulation.world import SYSTEM_NAMESPACE, USER, World, started_world, until
from tests.support.simulator.admission import Operation, Request, Rule
from tests.support.simulator.deletion import DeleteOptions
from tests.support.simulator.kinds import BATCH_JOB, NAMESPACE, POD
from tests.support.simulator.storage import Key


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with started_world() as running:
        yield running


def without_labels(*labels: str) -> Rule:
    """Build a mutating policy that takes labels off each pod that is created."""

    def strip(request: Request) -> None:
        if request.kind is POD and request.operation is Operation.CREATE and request.document is not None:
            for label in labels:
                request.document["metadata"].get("labels", {}).pop(label, None)

    return strip


async def test_b4_a_label_that_is_always_taken_off_is_named_by_the_status(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("podwright.core.job.repair.PAUSE", "podwright.runtime.controllers.job_decision.REPAIR_PAUSE"):
        monkeypatch.setattr(module, 0.3)
    monkeypatch.setattr("podwright.runtime.controllers.job_decision.REPORT_AFTER", 0.9)

    def strip(request: Request) -> None:
        if request.kind is POD and request.document is not None:
            request.document["metadata"].get("labels", {}).pop(LABEL_JOB_UID, None)

    world.api.rules.append(strip)
    world.submit(script={"duration": "6s"})
    await until(lambda: world.status().get("reason") == "PodLabelMissing")
    assert f"lacks {LABEL_JOB_UID} since 20" in world.status()["message"]
    told = len([request for request in world.writes if request.path.endswith("/status")])
    await asyncio.sleep(1.5)
    assert len([request for request in world.writes if request.path.endswith("/status")]) <= told + 1
    await until(world.is_over, seconds=20)
    assert (world.status()["phase"], world.status()["attemptCount"]) == ("Succeeded", 1)
    assert world.written("POST") == ["pods"]


@pytest.mark.parametrize("lost", [(LABEL_JOB_UID,), (LABEL_JOB_UID, LABEL_JOB, LABEL_ATTEMPT)], ids=["uid", "all"])
async def test_b4_s3_labels_that_a_policy_takes_off_are_put_back(world: World, lost: tuple[str, ...]) -> None:
    world.api.rules.append(without_labels(*lost))
    world.submit()
    await until(world.is_over, seconds=20)
    (pod,) = world.pod_objects()
    assert world.status()["phase"] == "Succeeded"
    assert set(lost) <= pod["metadata"]["labels"].keys()
    assert world.written("POST") == ["pods"]


async def test_s3_a_pod_without_label_behind_a_409_is_adopted_and_labelled() -> None:
    """The leader that created it died before it saw what a policy had made of the pod."""
    async with started_world(start=False) as world:
        world.kubelet.pause()
        uid = world.submit()
        name = pod_name(job_name="job", job_uid=uid, task_index=0, attempt=0)
        reference = controller_reference(name="job", uid=uid)
        pod = {
            "metadata": {"name": name, "ownerReferences": [reference], "finalizers": [FINALIZER]},
            "spec": {"containers": [{"name": "main", "image": "busybox:1"}]},
        }
        world.api.create(POD, "default", pod, user=USER)
        engine = asyncio.create_task(world.engine.run())
        try:
            await until(lambda: LABEL_JOB_UID in world.pod_objects()[0]["metadata"].get("labels", {}))
            world.kubelet.resume()
            world.end_pod(name, exit_code=0)
            await until(world.is_over)
        finally:
            engine.cancel()
        assert (world.status()["phase"], len(world.pod_objects())) == ("Succeeded", 1)


async def test_a_label_taken_off_a_running_pod_is_put_back_and_starts_nothing(world: World) -> None:
    world.kubelet.pause()
    world.submit()
    await until(lambda: len(world.pod_objects()) == 1)
    (pod,) = world.pod_objects()
    key = Key("default", pod["metadata"]["name"])

    def unlabelled(pod: dict[str, Any]) -> dict[str, Any]:
        return {**pod, "metadata": {**pod["metadata"], "labels": {}}}

    world.api.update(POD, key, unlabelled, user="user", subresource="", by_put=False)
    await until(lambda: LABEL_JOB_UID in world.pod_objects()[0]["metadata"].get("labels", {}))
    world.end_pod(key.name, exit_code=0)
    await until(world.is_over)
    assert (world.status()["phase"], world.status()["attemptCount"]) == ("Succeeded", 1)


@pytest.mark.parametrize("taken", ["label", "all marks", "finalizer"])
async def test_a_running_pod_that_a_relist_lacks_is_read_before_it_counts_as_lost(world: World, taken: str) -> None:
    """While no watch was open its label was taken off; or it was deleted by force, and its finalizer taken off by hand."""
    world.kubelet.pause()
    world.submit()
    await until(lambda: len(world.pod_objects()) == 1 and len(world.store.pods(world.job()["metadata"]["uid"])) == 1)
    (pod,) = world.pod_objects()
    key = Key("default", pod["metadata"]["name"])
    change: dict[str, Any] = {"finalizers": []} if taken == "finalizer" else {"labels": {}}
    if taken == "all marks":
        change["ownerReferences"] = []
    async with world.simulator.away():
        world.api.update(
            POD,
            key,
            lambda pod: {**pod, "metadata": {**pod["metadata"], **change}},
            user="user",
            subresource="",
            by_put=False,
        )
        if taken == "finalizer":
            world.api.delete(POD, key, DeleteOptions(grace_period_seconds=0), user="user")
        world.api.table(POD).compact()
    if taken != "finalizer":
        await until(lambda: LABEL_JOB_UID in world.pod_objects()[0]["metadata"].get("labels", {}), seconds=20)
        world.end_pod(key.name, exit_code=0)
        await until(world.is_over)
        assert (world.status()["phase"], world.status()["attemptCount"]) == ("Succeeded", 1)
        assert world.written("POST") == ["pods"]
    else:
        await until(lambda: len(world.status().get("attempts", [])) > 0, seconds=20)
        assert world.status()["attempts"][0]["reason"] == "DeletedBeforeStart"


def keys_of(world: World) -> set[str]:
    """Return the idempotency keys that the programs of all pods are told."""
    variables = [variable for pod in world.pod_objects() for variable in pod["spec"]["containers"][0]["env"]]
    return {variable["value"] for variable in variables if variable["name"] == names.ENV_IDEMPOTENCY_KEY}


async def test_l14_the_idempotency_key_of_another_namespaces_job_is_not_given_away(world: World) -> None:
    world.api.create(NAMESPACE, "", {"metadata": {"name": "attacker"}}, user="system:admin")
    victim = world.submit(startAt="2099-01-01T00:00:00Z")
    await until(lambda: world.status().get("phase") == "Pending")
    forged = {
        "apiVersion": names.API_VERSION,
        "kind": names.JOB_KIND,
        "metadata": {"name": "forged", "annotations": {names.ANNOTATION_WORK: victim}},
        "spec": {"template": {"spec": {"containers": [{"name": "main", "image": "busybox:1"}]}}},
    }
    world.api.create(BATCH_JOB, "attacker", forged, user="user")

    def status() -> dict[str, Any]:
        found: dict[str, Any] = world.api.get(BATCH_JOB, Key("attacker", "forged")).document.get("status", {})
        return found

    await until(lambda: "finishTime" in status())
    assert (status()["phase"], status()["reason"], world.pod_objects()) == ("Failed", "InvalidSpec", [])
    assert "names a job of another namespace" in status()["message"]


async def test_l14_nor_is_the_key_of_one_that_was_deleted(world: World) -> None:
    world.api.create(NAMESPACE, "", {"metadata": {"name": "attacker"}}, user="system:admin")
    victim = world.submit()
    await until(world.is_over)
    (key,) = keys_of(world)
    assert key == f"default/{victim}/0"
    world.delete_job()
    await until(lambda: not world.exists("job") and not world.pod_objects())
    template = {"spec": {"containers": [{"name": "main", "image": "busybox:1"}]}}
    for namespace, name in (("attacker", "forged"), ("default", "copy")):
        job = {
            "apiVersion": names.API_VERSION,
            "kind": names.JOB_KIND,
            "metadata": {"name": name, "annotations": {names.ANNOTATION_WORK: victim}},
            "spec": {"template": template},
        }
        world.api.create(BATCH_JOB, namespace, job, user="user")
    await until(lambda: len(world.pod_objects()) == 2)
    assert keys_of(world) == {f"attacker/{victim}/0", key}


async def test_an_array_that_claims_what_it_may_not_while_it_runs_keeps_the_count_of_its_attempts(world: World) -> None:
    """The schema refuses a status in which attempts are taken back, so that its end would never be written."""
    world.api.create(NAMESPACE, "", {"metadata": {"name": "other"}}, user="system:admin")
    victim = world.submit("victim", namespace="other", startAt="2099-01-01T00:00:00Z")
    world.kubelet.pause()
    world.submit(array={"size": 3, "parallelism": 1}, retention={"podSeconds": 0})
    await until(lambda: len(world.pod_objects()) == 1)
    world.end_pod(world.pod_objects()[0]["metadata"]["name"], exit_code=0)
    await until(lambda: world.status().get("attemptCount") == 1)
    await until(lambda: [pod.get("status", {}).get("phase") for pod in world.pod_objects()] == ["Pending"])

    def claiming(job: dict[str, Any]) -> dict[str, Any]:
        annotations = {**job["metadata"].get("annotations", {}), names.ANNOTATION_WORK: victim}
        return {**job, "metadata": {**job["metadata"], "annotations": annotations}}

    world.api.update(BATCH_JOB, Key("default", "job"), claiming, user="user", subresource="", by_put=False)
    world.end_pod(world.pod_objects()[0]["metadata"]["name"], exit_code=0)
    await until(world.is_over)
    status = world.status()
    assert (status["phase"], status["reason"], status["attemptCount"]) == ("Failed", "InvalidSpec", 2)
    assert status["progress"] == "2/3"
    assert all(pod["metadata"]["labels"][names.LABEL_TASK_INDEX] != "2" for pod in world.pod_objects())


async def test_l15_jobs_in_the_operators_namespace_fail_even_without_the_policy(world: World) -> None:
    spec = {"template": {"spec": {"containers": [{"name": "main", "image": "busybox:1"}]}}}
    job = {"apiVersion": names.API_VERSION, "kind": names.JOB_KIND, "metadata": {"name": "inside"}, "spec": spec}
    world.api.create(BATCH_JOB, SYSTEM_NAMESPACE, job, user="user")

    def status() -> dict[str, Any]:
        found: dict[str, Any] = world.api.get(BATCH_JOB, Key(SYSTEM_NAMESPACE, "inside")).document.get("status", {})
        return found

    await until(lambda: "finishTime" in status())
    assert (status()["reason"], world.pod_objects()) == ("InvalidSpec", [])


async def test_k4_l4_a_job_that_leaves_no_room_for_its_status_starts_nothing(world: World) -> None:
    world.submit(array={"items": [f"{n:0148}" for n in range(9900)]})
    await until(lambda: "finishTime" in world.status(), seconds=20)
    assert (world.status()["reason"], world.pod_objects()) == ("InvalidSpec", [])
    assert "leaves no room for its status" in world.status()["message"]
