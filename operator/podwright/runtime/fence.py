"""Making sure that the fence stands before a new leader acts: pods of former epochs are refused, ours are not.

The fence is a ValidatingAdmissionPolicy whose parameter is the shard's Lease, read by the API server through a watch of its
own. Until that watch has seen our Lease, a former leader's pod could still get in, so a new leader asks twice with dry
runs, which store nothing: a pod of the former epoch must be refused, one of ours accepted. Two requests per tenure.
"""

import asyncio
import logging
from typing import Any, Final

import msgspec

from podwright.core.constants import names
from podwright.kube.client import ApiUnreachable
from podwright.kube.codecs.requests import METADATA_ONLY, ApiRequest, pods_path
from podwright.kube.errors import parse_status
from podwright.runtime.writer import Send

_PATIENCE: Final = 15.0  # seconds; the API server's watch of the Lease normally takes milliseconds
_PAUSE: Final = 0.1

_log = logging.getLogger(__name__)


class FenceMissingError(RuntimeError):
    """The API server lets pods of a former epoch in, so two leaders could both start pods."""

    def __init__(self, message: str) -> None:
        super().__init__(
            f"{message} Apply the admission policies of the installation (manifests/ or the chart) and run the operator as "
            "the service account that they name, or switch the fence off (--no-fence) where only one operator ever runs."
        )


async def prove_fence(*, send: Send, namespace: str, shard: int, epoch: int) -> None:
    """Return once the fence stands for this epoch.

    Raises:
        FenceMissingError: for a quarter of a minute a pod of a former epoch was accepted, or ours refused.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + _PATIENCE
    problem = "no answer"
    while loop.time() < until:
        try:
            former = await _refusal(send=send, namespace=namespace, shard=shard, epoch=epoch - 1)
            ours = await _refusal(send=send, namespace=namespace, shard=shard, epoch=epoch)
        except ApiUnreachable as error:
            problem = str(error)
        else:
            if former is not None and ours is None:
                return
            # Just after an installation the policies take a moment to come into force.
            problem = ours or "it accepts pods of a former leader"
        await asyncio.sleep(_PAUSE)
    raise FenceMissingError(f"The API server does not fence out former leaders: {problem}.")


async def _refusal(*, send: Send, namespace: str, shard: int, epoch: int) -> str | None:
    answer = await send(
        ApiRequest(
            method="POST",
            path=pods_path(namespace),
            query={"dryRun": "All"},
            body=msgspec.json.encode(_probe(shard=shard, epoch=epoch)),
            accept=METADATA_ONLY,
        )
    )
    if answer.status < 300:
        return None
    error = parse_status(answer.status, answer.body)
    if not error.fenced:
        _log.warning("the fence's dry run was refused for another reason: %s", error)
    return error.message


def _probe(*, shard: int, epoch: int) -> dict[str, Any]:
    """Build a pod that every Pod Security level allows."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": "podwright-fence-",
            "labels": {names.LABEL_SHARD: str(shard)},
            "annotations": {names.ANNOTATION_EPOCH: str(epoch)},
        },
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "securityContext": {"runAsNonRoot": True, "runAsUser": 65534, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {
                    "name": "never-started",
                    "image": "podwright.dev/none",
                    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                }
            ],
        },
    }
