"""Each mark of a pod that a tenant could change, alone, in pairs and all together, with no admission policy: no victim changes (S1, L1).

The real API server's part, with its policies, is in tests/cluster/operated/test_forgery.py.
"""

import asyncio
import functools
import itertools
from typing import Any

from podwright.core.constants import names
from podwright.core.job.identity import controller_reference
from tests.simulation.world import World, now_text, started_world, until
from tests.support.simulator.kinds import NAMESPACE, POD
from tests.support.simulator.storage import Key

FOREVER = {"duration": "1h"}
VICTIMS: dict[str, tuple[str, dict[str, Any]]] = {
    "running": ("Running", {"script": FOREVER}),
    "later": ("Pending", {"startAt": "2099-01-01T00:00:00Z"}),
    "depends": ("Pending", {"dependsOn": [{"name": "running"}]}),
    "once": ("Running", {"script": FOREVER, "deliveryMode": "AtMostOnce"}),
    "array": ("Running", {"script": FOREVER, "array": {"size": 3}}),
    "retrying": ("Retrying", {"script": {"exit-code": "1"}, "retry": {"limit": 3, "initial": "1h", "max": "1h"}}),
    "suspended": ("Suspended", {"suspend": True}),
    "done": ("Succeeded", {}),
}


def marks_of(uid: str, name: str) -> dict[str, dict[str, Any]]:
    """Build the metadata by which a pod could claim to be a job's, by mark."""
    return {
        "uid": {"labels": {names.LABEL_JOB_UID: uid}},
        "job": {"labels": {names.LABEL_JOB: name}},
        "attempt": {"labels": {names.LABEL_ATTEMPT: "0", names.LABEL_TASK_INDEX: "0"}},
        "owner": {"ownerReferences": [controller_reference(name=name, uid=uid)]},
        "epoch": {"annotations": {names.ANNOTATION_EPOCH: "99"}},
        "finalizer": {"finalizers": [names.FINALIZER]},
    }


def combined(*parts: dict[str, Any]) -> dict[str, Any]:
    """Put marks together."""
    together: dict[str, Any] = {"labels": {}, "annotations": {}, "ownerReferences": [], "finalizers": []}
    for part in parts:
        for key, value in part.items():
            together[key] = {**together[key], **value} if isinstance(value, dict) else [*together[key], *value]
    return together


def with_field(field: str, changes: dict[str, Any], pod: dict[str, Any]) -> dict[str, Any]:
    """Return a pod with a part of it changed."""
    return {**pod, field: {**pod.get(field, {}), **changes}}


def place_ended(world: World, key: Key, *, exit_code: int) -> None:
    """Create a pod of the attacker's, which has ended."""
    body = {"metadata": {"name": key.name}, "spec": {"containers": [{"name": "main", "image": "busybox:1"}]}}
    world.api.create(POD, key.namespace, body, user="mallory")
    ended = {"name": "main", "state": {"terminated": {"exitCode": exit_code, "finishedAt": now_text()}}}
    status = {"phase": "Failed" if exit_code else "Succeeded", "containerStatuses": [ended]}
    change = functools.partial(with_field, "status", status)
    world.api.update(POD, key, change, user="node", subresource="status", by_put=False)


def is_in(world: World, name: str, phase: str) -> bool:
    return world.status(name).get("phase") == phase


def facts(world: World) -> dict[str, Any]:
    """Return all victims' statuses, and which of their pods there are."""
    pods = sorted(
        pod["metadata"]["uid"] for pod in world.pod_objects() if not pod["metadata"]["name"].startswith("forged")
    )
    return {"pods": pods, **{name: world.status(name) for name in VICTIMS}}


async def test_s1_l1_no_mark_alone_in_pairs_or_together_changes_a_victim() -> None:
    async with started_world() as world:
        world.api.create(NAMESPACE, "", {"metadata": {"name": "mallory"}}, user="system:admin")
        uids = {name: world.submit(name, **spec) for name, (_, spec) in VICTIMS.items()}
        for name, (phase, _) in VICTIMS.items():
            await until(functools.partial(is_in, world, name, phase))
        await asyncio.sleep(0.5)
        world.kubelet.pause()
        keys = []
        for namespace, attempt in itertools.product(("default", "mallory"), (0, 1)):
            keys.append(Key(namespace, f"forged-{attempt}"))
            place_ended(world, keys[-1], exit_code=attempt)
        before, writes, forgeries = facts(world), len(world.writes), 0
        for name, uid in uids.items():
            marks = list(marks_of(uid, name).values())
            for parts in (*itertools.combinations(marks, 1), *itertools.combinations(marks, 2), tuple(marks)):
                metadata = combined(*parts)
                for key in keys:
                    if (
                        key not in world.api.table(POD).objects
                    ):  # the garbage collector knows no owner in another namespace
                        place_ended(world, key, exit_code=int(key.name[-1]))
                    world.api.update(
                        POD,
                        key,
                        functools.partial(with_field, "metadata", metadata),
                        user="mallory",
                        subresource="",
                        by_put=False,
                    )
                    forgeries += 1
                await asyncio.sleep(0.005)
        await asyncio.sleep(1.0)
        assert forgeries == len(VICTIMS) * 22 * len(keys)
        assert facts(world) == before
        assert len(world.writes) == writes, "a forgery made the operator write"
