"""The attacks. Each does, in a namespace of its own, what a user with the role `edit` may do there, and leaves it so.

An attack that admission refuses is mended, too: then the largest or worst of its kind that is still accepted is what stays.
"""

from __future__ import annotations

import json
import socket
import threading
import uuid
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from podwright.core.constants import names
from tests.cluster.api import STRATEGIC, Api
from tests.cluster.manifests import make_job, make_pod

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from podwright.devcluster import EmbeddedCluster
    from tests.cluster.api import Answer

_CONNECTIONS: Final = 8
_HOSTILE_EXPRESSION: Final = "(?:[ab]{0,40}){0,20}c"
_ACCEPTED_REFUSALS: Final = frozenset({403, 413, 422, 400, 500})
"""What an attack may be answered: refused by admission or validation, or too large for the API server itself."""


class Attacker:
    """Acts in a namespace, with several connections at once."""

    def __init__(self, cluster: EmbeddedCluster, namespace: str, *, scale: float) -> None:
        self.namespace = namespace
        self._scale = scale
        self._cluster = cluster

    def scaled(self, number: int) -> int:
        """Return how many of something there are in a run of this size."""
        return max(1, round(number * self._scale))

    def create_all(self, manifests: Iterable[Mapping[str, Any]]) -> Counter[int]:
        """Create objects; return how many were answered how."""
        return self._each(manifests, lambda api, manifest: api.create(manifest))

    def patch_all(self, kind: str, name: str, changes: Iterable[Mapping[str, Any]]) -> Counter[int]:
        """Change one object again and again; return how often the answer was which."""

        def patch(api: Api, change: Mapping[str, Any]) -> Answer:
            return api.patch(kind, self.namespace, name, change, content_type=STRATEGIC)

        return self._each(changes, patch)

    def quota(self, pods: int) -> None:
        """Let the namespace have this many pods at most."""
        body = {"metadata": {"name": "pods"}, "spec": {"hard": {"pods": str(pods)}}}
        with closing(Api.of(self._cluster).connection) as connection:
            path = f"/api/v1/namespaces/{self.namespace}/resourcequotas"
            Api(connection).request("POST", path, body).expect()

    def black_hole(self) -> Callable[[], None]:
        """Have every creation of a pod ask a webhook that never answers; return what ends that."""
        listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        webhook = {
            "name": "slow.example.com",
            "clientConfig": {"url": f"https://127.0.0.1:{listener.getsockname()[1]}/"},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": self.namespace}},
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            "failurePolicy": "Fail",
            "timeoutSeconds": 5,
        }
        body = {"metadata": {"name": self.namespace}, "webhooks": [webhook]}
        path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
        with closing(Api.of(self._cluster).connection) as connection:
            Api(connection).request("POST", path, body).expect()
        return listener.close

    def _each(self, items: Iterable[Any], act: Callable[[Api, Any], Answer]) -> Counter[int]:
        waiting, answers, lock = iter(list(items)), Counter[int](), threading.Lock()

        def work() -> None:
            with closing(Api.of(self._cluster).connection) as connection:
                while True:
                    with lock:
                        item = next(waiting, None)
                    if item is None:
                        return
                    answer = act(Api(connection), item)
                    with lock:
                        answers[answer.status] += 1

        workers = [threading.Thread(target=work) for _ in range(_CONNECTIONS)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return answers


def job(attacker: Attacker, name: str, *, annotations: Mapping[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    """Build a bad job."""
    made = make_job(namespace=attacker.namespace, name=name, **spec)
    made["metadata"]["annotations"] = dict(annotations or {})
    return made


def template(*, padding: int = 0, script: Mapping[str, str] | None = None, **pod: Any) -> dict[str, Any]:
    """Build a template whose pods play a script on fake nodes; `padding` bytes make it large."""
    annotations = {f"fake.podwright.dev/{key}": value for key, value in (script or {}).items()}
    environment = [
        {"name": f"PADDING_{number}", "value": "x" * min(10_000, padding - number)}
        for number in range(0, padding, 10_000)
    ]
    container = {"name": "main", "image": "busybox:1"} | ({"env": environment} if padding else {})
    return {"metadata": {"annotations": annotations}, "spec": {"containers": [container], **pod}}


def memory(attacker: Attacker) -> None:
    """S4: arrays that may have 10,000 pods at once, one with a large template, under a quota of one pod; large idle jobs."""
    attacker.quota(1)
    many = {"size": 10_000, "parallelism": 10_000}
    large = _largest_accepted(
        attacker,
        1_380_000,
        lambda name, size: job(attacker, name, array=many, template=template(padding=size)),
    )
    assert large, "no array with a large template is accepted"
    arrays = [job(attacker, f"many-{number}", array=many) for number in range(attacker.scaled(13))]
    assert attacker.create_all(arrays) == {201: len(arrays)}
    idle = _largest_accepted(
        attacker,
        1_380_000,
        lambda name, size: job(attacker, f"idle-{name}", suspend=True, template=template(padding=size)),
    )
    attacker.create_all(
        job(attacker, f"idle-{number}", suspend=True, template=template(padding=idle))
        for number in range(attacker.scaled(100))
    )


def expression(attacker: Attacker) -> None:
    """S5: an expression that is slow on long messages, and an array whose pods all fail with such a message, again and again."""
    tasks = attacker.scaled(300)
    rules = [{"action": "FailTask", "onMessage": _HOSTILE_EXPRESSION}]
    script = {"exit-code": "1", "termination-message": "ab" * 2_000}
    hostile = job(
        attacker,
        "hostile",
        array={"size": tasks, "parallelism": tasks},
        failurePolicy={"rules": rules},
        # Its pods alone must not keep the API server busy: that would be a matter of quotas.
        retry={"limit": 1_000, "initial": "40s", "max": "40s"},
        template=template(script=script),
    )
    (answer,) = attacker.create_all([hostile])
    assert answer in {201, *_ACCEPTED_REFUSALS}


def giants(attacker: Attacker) -> None:
    """L4: jobs so near to etcd's limit that their status can't be written, or as large as they are let in."""

    def giant(name: str, size: int) -> dict[str, Any]:
        notes = {"example.com/notes": "x" * (size // 8)}
        return job(attacker, name, annotations=notes, template=template(padding=size - size // 8))

    size = _largest_accepted(attacker, 1_570_000, giant)
    assert size, "no large job is accepted"
    manifests = [giant(f"giant-{number}", size) for number in range(attacker.scaled(150))]
    answers = attacker.create_all(manifests)
    assert answers[201] > len(manifests) // 2, answers


def phantoms(attacker: Attacker) -> None:
    """L8: one pod that claims, time after time, to belong to another job."""
    attacker.create_all([make_pod(namespace=attacker.namespace, name="one", labels={names.LABEL_JOB: "x"})])
    claims = [
        {
            "metadata": {
                "labels": {names.LABEL_JOB: f"x-{number}"},
                "ownerReferences": [_replace, _owner(str(uuid.uuid4()))],
            }
        }
        for number in range(attacker.scaled(3_000))
    ]
    answers = attacker.patch_all("Pod", "one", claims)
    assert sum(answers.values()) == len(claims)
    assert set(answers) <= {200, 404, 409, *_ACCEPTED_REFUSALS}, answers


_replace: Final = {"$patch": "replace"}


def _owner(uid: str) -> dict[str, Any]:
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.JOB_KIND,
        "name": "x",
        "uid": uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }


def five_hundred(attacker: Attacker) -> Callable[[], None]:
    """500 jobs that are refused, time out, wait for what never comes, or wait for each other."""
    share = attacker.scaled(100)
    close = attacker.black_hole()
    kinds: dict[str, Callable[[int], dict[str, Any]]] = {
        "slow": lambda _: {},
        "misspelt": lambda _: {"template": template(nodeSelectr={"a": "b"})},
        "no-account": lambda _: {"template": template(serviceAccountName="never")},
        "circle": lambda number: {"dependsOn": [{"name": f"circle-{(number + 1) % share}"}]},
        "no-class": lambda _: {"template": template(priorityClassName="never")},
    }
    manifests = [
        job(attacker, f"{kind}-{number}", **spec(number)) for number in range(share) for kind, spec in kinds.items()
    ]
    answers = attacker.create_all(manifests)
    assert answers == {201: len(manifests)}, answers
    return close


POISONS: Final[Mapping[str, Callable[[Attacker], Callable[[], None] | None]]] = {
    "S4 memory": memory,
    "S5 expression": expression,
    "L4 giants": giants,
    "L8 phantoms": phantoms,
    "500 bad jobs": five_hundred,
}


def _largest_accepted(attacker: Attacker, most: int, build: Callable[[str, int], dict[str, Any]]) -> int:
    """Find out, by halving, up to which size a job is let in, to one part in a hundred; return it, 0 if none is.

    Those that were let in stay.
    """
    lowest, refused, size = 0, most + 1, most
    while refused - lowest > max(1, most // 100):
        manifest = build(f"first-{size}", size)
        (answer,) = attacker.create_all([manifest])
        if answer == 201:
            lowest = size
        else:
            assert answer in _ACCEPTED_REFUSALS, (answer, len(json.dumps(manifest)))
            refused = size
        size = (lowest + refused) // 2
    return lowest
