"""F25: objects that the API server has but our code cannot take."""

from typing import Any

import pytest

from podwright.core.constants import names
from tests.faults.world import World
from tests.support.simulator.kinds import BATCH_JOB, POD
from tests.support.simulator.manifests import job, pod
from tests.support.simulator.storage import Key

Document = dict[str, Any]

# The simulator stores them as they are; a real server might after a change of the definition, or through a bug.
POISONOUS_JOBS: dict[str, Document] = {
    "template is no object": {"spec": {"template": "text"}},
    "no template": {"spec": {}},
    "no spec": {"spec": None},
    "retry out of range": {"spec": {"template": {}, "retry": {"limit": 10**30}}},
    "duration that is none": {"spec": {"template": {}, "retry": {"initial": "soon"}}},
    "huge durations": {"spec": {"template": {}, "timeouts": {"total": "99999h99999h99999h99999h"}}},
    "no containers": {"spec": {"template": {"spec": {"containers": []}}}},
    "containers are no list": {"spec": {"template": {"spec": {"containers": {"a": 1}}}}},
    "unknown phase": {"status": {"phase": "Sideways"}},
    "attempts are wrong": {"status": {"phase": "Running", "attempts": [{"number": -5}]}},
    "time that is none": {"status": {"phase": "Pending", "startTime": "yesterday"}},
    "far future": {"status": {"phase": "Retrying", "nextAttemptTime": "9999-12-31T23:59:59Z"}},
}
POISONOUS_PODS: dict[str, Document] = {
    "attempt is no number": {"metadata": {"labels": {names.LABEL_JOB_UID: "x", names.LABEL_ATTEMPT: "NaN"}}},
    "unknown phase": {"status": {"phase": "Dreaming"}},
    "statuses are no list": {"status": {"phase": "Failed", "containerStatuses": {"a": "b"}}},
    "exit code is text": {
        "status": {
            "phase": "Failed",
            "containerStatuses": [{"name": "m", "state": {"terminated": {"exitCode": "one"}}}],
        }
    },
    "time that is none": {"status": {"phase": "Running", "startTime": "soon"}},
}


@pytest.mark.parametrize("poison", POISONOUS_JOBS)
async def test_poisonous_job_does_not_stop_the_others(world: World, poison: str) -> None:
    """F25, there from the start and appearing later; the others are done meanwhile and nothing loops hot."""
    namespace, healthy = await world.new_namespace(), await world.new_namespace()
    put_job(world, namespace, "early", POISONOUS_JOBS[poison])
    operator = await world.start_operator()
    await world.submit(healthy, job("one"))
    await world.settle(healthy)
    put_job(world, namespace, "late", POISONOUS_JOBS[poison])
    await world.submit(healthy, job("two"))
    await world.settle(healthy)
    world.check(healthy)
    assert operator.exit_code is None, operator.told()
    assert len(world.proxy.history.writes(namespace)) < 20, "a hot loop"


@pytest.mark.parametrize("poison", POISONOUS_PODS)
async def test_poisonous_pod_does_not_stop_the_others(world: World, poison: str) -> None:
    """F25: the same for pods that claim to be ours."""
    namespace, healthy = await world.new_namespace(), await world.new_namespace()
    put_pod(world, namespace, "early", POISONOUS_PODS[poison])
    operator = await world.start_operator()
    await world.submit(healthy, job("one"))
    await world.settle(healthy)
    put_pod(world, namespace, "late", POISONOUS_PODS[poison])
    await world.submit(healthy, job("two"))
    await world.settle(healthy)
    world.check(healthy)
    assert operator.exit_code is None, operator.told()
    assert len(world.proxy.history.writes(namespace)) < 20, "a hot loop"


def put_job(world: World, namespace: str, name: str, poison: Document) -> None:
    """Store a job past all validation."""
    assert world.simulator is not None
    api = world.simulator.api
    stored = api.create(BATCH_JOB, namespace, job(name), user="test").document
    api.table(BATCH_JOB).put(Key(namespace, name), {**stored, **poison})


def put_pod(world: World, namespace: str, name: str, poison: Document) -> None:
    """Store a pod with our labels past all validation. Nobody's nodes run it."""
    assert world.simulator is not None
    api = world.simulator.api
    body = pod(name, labels={names.LABEL_JOB_UID: "nobody", names.LABEL_ATTEMPT: "0", names.LABEL_JOB: "nobody"})
    body["spec"]["schedulerName"] = "nobody"
    stored = api.create(POD, namespace, body, user="test").document
    metadata = {**stored["metadata"], **poison.get("metadata", {})}
    api.table(POD).put(Key(namespace, name), {**stored, **poison, "metadata": metadata})
