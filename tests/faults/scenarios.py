"""Stories of jobs, told by a user: what is submitted and changed, and how it ends when nothing goes wrong.

Every step waits for a state that the API server shows, never for time, so a story is the same whoever is killed meanwhile.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from podwright.core.constants.names import parse_pod_name
from tests.faults.history import Version
from tests.faults.world import World, jobs_path
from tests.support.simulator.manifests import job, script

Document = dict[str, Any]

_STEP_SECONDS: Final = 30.0
QUICK_RETRY: Final = {"limit": 2, "initial": "10ms", "max": "20ms"}


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One story. `tell` plays the user; `deleted` and `waiting` name jobs that it means to lose, or to leave unfinished."""

    name: str
    tell: Callable[[World, str], Awaitable[None]]
    deleted: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()


async def _succeeds(world: World, namespace: str) -> None:
    await world.submit(namespace, job("succeeds"))


async def _retried(world: World, namespace: str) -> None:
    await world.submit(namespace, job("fails", annotations=script(exit_code="3"), retry=QUICK_RETRY))


async def _cancelled(world: World, namespace: str) -> None:
    await world.submit(namespace, job("cancelled", annotations=script(duration="forever")))
    await until_pod_runs(world, namespace)
    await world.change(namespace, "cancelled", {"cancel": "Graceful"})


async def _suspended_and_resumed(world: World, namespace: str) -> None:
    await world.submit(namespace, job("paused", annotations=script(duration="forever")))
    await until_pod_runs(world, namespace)
    await world.change(namespace, "paused", {"suspend": True})
    await _until_phase(world, namespace, "paused", "Suspended")
    await world.change(namespace, "paused", {"suspend": False})
    await world.log.until(
        lambda: sum(pod.status.get("phase") == "Running" for pod in world.log.present_pods(namespace)) == 1,
        seconds=_STEP_SECONDS,
        what="the resumed job runs",
    )
    await world.change(namespace, "paused", {"cancel": "Immediate"})


async def _deleted(world: World, namespace: str) -> None:
    await world.submit(namespace, job("deleted", annotations=script(duration="forever")))
    await until_pod_runs(world, namespace)
    await world.ask("DELETE", jobs_path(namespace, "deleted"))


async def _expires(world: World, namespace: str) -> None:
    await world.submit(namespace, job("expires", ttlSecondsAfterFinished=0))
    await world.log.until(
        lambda: any(version.deleted and version.namespace == namespace for version in world.log.jobs),
        seconds=_STEP_SECONDS,
        what="the finished job is deleted",
    )


async def _several(world: World, namespace: str) -> None:
    for number in range(3):
        await world.submit(
            namespace,
            job(f"one-of-{number}", annotations=script(exit_code=str(number % 2)), retry={**QUICK_RETRY, "limit": 1}),
        )


async def _one_key(world: World, namespace: str) -> None:
    # One after the other, so that who is first does not depend on who is killed.
    await world.submit(namespace, job("first", idempotencyKey="order"))
    await _until_phase(world, namespace, "first", "Succeeded")
    await world.submit(namespace, job("second", idempotencyKey="order"))


async def _key_of_a_deleted_job(world: World, namespace: str) -> None:
    await world.submit(namespace, job("first", idempotencyKey="order", annotations=script(duration="forever")))
    await until_pod_runs(world, namespace)
    await world.ask("DELETE", jobs_path(namespace, "first"))
    await world.submit(namespace, job("second", idempotencyKey="order"))


async def _one_after_the_other(world: World, namespace: str) -> None:
    await world.submit(namespace, job("third", dependsOn=[{"name": "second", "otherwise": "Skip"}]))
    await world.submit(
        namespace, job("second", dependsOn=[{"name": "first"}], annotations=script(exit_code="1"), retry={"limit": 0})
    )
    await world.submit(namespace, job("first"))


async def _array(world: World, namespace: str) -> None:
    array = {"size": 2}
    await world.submit(
        namespace, job("array", annotations=script(exit_code="3"), retry={**QUICK_RETRY, "limit": 1}, array=array)
    )


async def _array_cancelled(world: World, namespace: str) -> None:
    array = {"size": 5, "parallelism": 2}
    await world.submit(namespace, job("array", annotations=script(duration="forever"), array=array))
    await until_pod_runs(world, namespace, number=2)
    await world.change(namespace, "array", {"cancel": "Graceful"})


async def _once(world: World, namespace: str) -> None:
    await world.submit(namespace, job("once", deliveryMode="AtMostOnce"))


async def _once_failing(world: World, namespace: str) -> None:
    await world.submit(namespace, job("fails", annotations=script(exit_code="3"), deliveryMode="AtMostOnce"))


async def _once_stopped(world: World, namespace: str) -> None:
    """The job is stopped as soon as it says that it starts: before, while, or after its pod is created."""
    await world.submit(namespace, job("stopped", annotations=script(pending="1s"), deliveryMode="AtMostOnce"))
    await world.log.until(
        lambda: any(known.status.get("phase") for known in world.log.present_jobs(namespace)),
        seconds=_STEP_SECONDS,
        what="it starts",
    )
    await world.change(namespace, "stopped", {"suspend": True})
    await world.log.until(
        lambda: any(
            known.status.get("phase") in ("Suspended", "Failed", "Succeeded")
            for known in world.log.present_jobs(namespace)
        ),
        seconds=_STEP_SECONDS,
        what="the stop has taken effect",
    )
    await world.change(namespace, "stopped", {"suspend": False})


async def _packed_array(world: World, namespace: str) -> None:
    """Every pack reports the same: task 1 fails each time it is tried, and what it says of other pods' tasks is nothing."""
    told = script(exit_code="1", termination_message="podwright pack: succeeded 0,2-3; exit 3: 1.")
    array = {"size": 4, "pack": 2}
    await world.submit(
        namespace, job("packed", command=["true"], annotations=told, retry={**QUICK_RETRY, "limit": 1}, array=array)
    )


async def _array_once(world: World, namespace: str) -> None:
    await world.submit(namespace, job("once", deliveryMode="AtMostOnce", array={"size": 2}))


SCENARIOS: Final = (
    Scenario(name="succeeds", tell=_succeeds),
    Scenario(name="fails twice", tell=_retried),
    Scenario(name="cancelled", tell=_cancelled),
    Scenario(name="suspended and resumed", tell=_suspended_and_resumed),
    Scenario(name="deleted while running", tell=_deleted, deleted=("deleted",)),
    Scenario(name="expires", tell=_expires),
    Scenario(name="several at once", tell=_several),
    Scenario(name="one key twice", tell=_one_key),
    Scenario(name="key of a deleted job", tell=_key_of_a_deleted_job, deleted=("first",)),
    Scenario(name="one after the other", tell=_one_after_the_other),
    Scenario(name="retrying array", tell=_array),
    Scenario(name="cancelled array", tell=_array_cancelled),
    Scenario(name="packed array", tell=_packed_array),
)

# Their end depends on where the operator was killed: a job that may have run is not run again.
AT_MOST_ONCE: Final = (
    Scenario(name="once", tell=_once),
    Scenario(name="once, failing", tell=_once_failing),
    Scenario(name="once, stopped and resumed", tell=_once_stopped),
    Scenario(name="array once", tell=_array_once),
)


def end_state(world: World, namespace: str) -> Document:
    """Return how it ended, without what differs from run to run: uids, versions, times and where pods ran."""
    return {
        "jobs": {version.name: _job_end(version) for version in world.log.present_jobs(namespace)},
        "pods": sorted(_pod_end(version) for version in world.log.present_pods(namespace)),
    }


def _job_end(version: Version) -> Document:
    status = version.status
    attempts = [
        {key: attempt.get(key) for key in ("index", "number", "outcome", "exitCode", "reason")}
        # Those of an array are recorded in the order in which they ended.
        for attempt in sorted(status.get("attempts", ()), key=lambda known: (known.get("index", 0), known["number"]))
    ]
    conditions = sorted((known["type"], known["status"], known["reason"]) for known in status.get("conditions", ()))
    kept = {
        key: status.get(key) for key in ("phase", "reason", "attemptCount", "failedCount", "progress", "duplicateOf")
    }
    tasks = {key: status.get("array", {}).get(key) for key in ("succeededIndexes", "failedIndexes", "retries")}
    return {**kept, **tasks, "attempts": attempts, "conditions": conditions}


def _pod_end(version: Version) -> tuple[str, str, str]:
    labels = version.metadata["labels"]
    held = ",".join(version.metadata.get("finalizers", ()))
    index, attempt = parse_pod_name(version.name) or (0, 0)
    return labels["podwright.dev/job"], f"{index} {attempt} {version.status.get('phase')}", held


async def until_pod_runs(world: World, namespace: str, *, number: int = 1) -> None:
    await world.log.until(
        lambda: sum(pod.status.get("phase") == "Running" for pod in world.log.present_pods(namespace)) >= number,
        seconds=_STEP_SECONDS,
        what=f"{number} pods run",
    )


async def _until_phase(world: World, namespace: str, name: str, phase: str) -> None:
    await world.log.until(
        lambda: any(
            known.name == name and known.status.get("phase") == phase for known in world.log.present_jobs(namespace)
        ),
        seconds=_STEP_SECONDS,
        what=f"{name} is {phase}",
    )
