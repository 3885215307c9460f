"""F18: jobs, their pods and whole namespaces are deleted while work goes on."""

import pytest

from podwright.core.constants import names
from tests.faults.actions import Hold
from tests.faults.world import World, jobs_path, pods_path
from tests.support.simulator.manifests import job, script


async def submit_running(world: World, namespace: str, *jobs: str) -> None:
    for name in jobs:
        await world.submit(namespace, job(name, annotations=script(duration="forever")))
    await world.log.until(
        lambda: sum(pod.status.get("phase") == "Running" for pod in world.log.present_pods(namespace)) == len(jobs),
        seconds=15,
        what="the jobs run",
    )


async def namespace_goes(world: World) -> None:
    """F18: a namespace with running and waiting jobs is deleted; it must go, and the operator must go on."""
    operator = await world.start_operator()
    doomed, other = await world.new_namespace(), await world.new_namespace()
    await submit_running(world, doomed, "a", "b")
    await world.submit(
        doomed, job("retries", annotations=script(exit_code="1"), retry={"limit": 50, "initial": "1ms", "max": "1ms"})
    )
    answer = await world.rest.send("DELETE", f"/api/v1/namespaces/{doomed}")
    assert answer.code == 200, answer
    await world.rest.until_gone(f"/api/v1/namespaces/{doomed}", seconds=60)
    await world.submit(other, job("unaffected"))
    await world.settle(other)
    world.check(other)
    world.check(doomed, deleted_by_user=["a", "b", "retries"])
    assert operator.exit_code is None
    refused = [known for known in world.proxy.history.writes(doomed) if known.code == 403]
    assert len(refused) < 30, f"{len(refused)} refusals: a hot loop"


async def test_namespace_deleted_under_running_jobs_goes(world: World) -> None:
    """F18, simulated."""
    await namespace_goes(world)


async def test_namespace_deleted_under_running_jobs_goes_on_the_real_server(real_world: World) -> None:
    """F18."""
    await namespace_goes(real_world)


@pytest.mark.parametrize("policy", ["Background", "Foreground", "Orphan"])
async def test_job_deleted_under_its_running_pod_leaves_nothing_held(world: World, policy: str) -> None:
    """F18: the pod goes with the job; if the user wants it orphaned it stays, but we let go of it."""
    await world.start_operator()
    namespace = await world.new_namespace()
    await submit_running(world, namespace, "deleted")
    await world.ask("DELETE", jobs_path(namespace, "deleted"), {"propagationPolicy": policy})
    if policy == "Orphan":
        await world.log.until(
            lambda: (
                not world.log.present_jobs(namespace)
                and all(
                    names.FINALIZER not in pod.metadata.get("finalizers", ())
                    for pod in world.log.present_pods(namespace)
                )
            ),
            seconds=15,
            what="the orphaned pod is let go",
        )
        assert [pod.status["phase"] for pod in world.log.present_pods(namespace)] == ["Running"]
        return
    await world.settle(namespace)
    world.check(namespace, deleted_by_user=["deleted"])


async def test_job_deleted_while_its_pod_is_being_created(world: World) -> None:
    """F18: the creation arrives when the job is gone already; the pod must not stay, nor be held."""
    await world.start_operator()
    namespace = await world.new_namespace()
    hold = Hold()
    world.proxy.add(hold, verb="create", resource="pods", namespace=namespace, count=1)
    await world.submit(namespace, job("short-lived", annotations=script(duration="forever")))
    await world.log.until(lambda: hold.holding == 1, seconds=10, what="the pod is being created")
    await world.ask("DELETE", jobs_path(namespace, "short-lived"))
    hold.release()
    await world.log.until(
        lambda: any(pod.deleted for pod in world.log.pods if pod.namespace == namespace),
        seconds=15,
        what="the pod that came late is gone",
    )
    await world.settle(namespace)
    world.check(namespace, deleted_by_user=["short-lived"])


async def test_job_deleted_and_created_again_under_its_name_is_another_job(world: World) -> None:
    """F18: nothing of the first is taken for the second."""
    await world.start_operator()
    namespace = await world.new_namespace()
    for _ in range(5):
        await submit_running(world, namespace, "same-name")
        await world.ask("DELETE", jobs_path(namespace, "same-name"))
        await world.log.until(lambda: not world.log.present_pods(namespace), seconds=15, what="its pod is gone")
    await world.submit(namespace, job("same-name"))
    await world.settle(namespace)
    world.check(namespace, deleted_by_user=["same-name"])
    assert [known.status["attemptCount"] for known in world.log.present_jobs(namespace)] == [1]


async def test_pod_deleted_by_a_user_is_counted(world: World) -> None:
    """F18: somebody deletes the running pod, also without grace; the attempt is recorded as ended, and the next one follows."""
    await world.start_operator()
    namespace = await world.new_namespace()
    await world.submit(
        namespace,
        job("robbed", annotations=script(duration="forever"), retry={"limit": 5, "initial": "1ms", "max": "1ms"}),
    )
    options: tuple[dict[str, int], ...] = ({}, {"gracePeriodSeconds": 0})
    for attempt, how in enumerate(options):
        await until_attempt_runs(world, namespace, attempt)
        [pod] = [known for known in world.log.present_pods(namespace) if known.status.get("phase") == "Running"]
        await world.ask("DELETE", pods_path(namespace, pod.name), dict(how))
    await until_attempt_runs(world, namespace, len(options))
    await world.change(namespace, "robbed", {"cancel": "Immediate"})
    await world.settle(namespace)
    world.check(namespace)
    [robbed] = world.log.present_jobs(namespace)
    assert [attempt["outcome"] for attempt in robbed.status["attempts"]] == ["Failed", "Failed", "Stopped"]


async def until_attempt_runs(world: World, namespace: str, attempt: int) -> None:
    await world.log.until(
        lambda: any(
            pod.status.get("phase") == "Running" and pod.metadata["labels"][names.LABEL_ATTEMPT] == str(attempt)
            for pod in world.log.present_pods(namespace)
        ),
        seconds=15,
        what=f"attempt {attempt} runs",
    )
