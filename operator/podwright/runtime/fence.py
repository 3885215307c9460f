"""Making sure that the fence stands before a new leader acts: pods of former epochs are refused, ours are not.

The fence is a ValidatingAdmissionPolicy whose parameter is the shard's Lease, read by the API server through a watch of its
own. Until that watch has seen our Lease, a former leader's pod could still get in, so a new leader asks twice with dry
runs, which store nothing: a pod of the former epoch must be refused, one of ours accepted. Two requests per term.
"""

import asyncio
import enum
from collections.abc import Mapping
from typing import Final

import msgspec

from podwright.kube.codecs.requests import METADATA_ONLY, ApiRequest, pods_path
from podwright.kube.errors import parse_status
from podwright.kube.responses import ApiUnreachable
from podwright.runtime.fence_probe import demanded, probe
from podwright.runtime.writer import Send

_PATIENCE: Final = 15.0  # seconds; the API server's watch of the Lease normally takes milliseconds
_LONGEST_DOUBT: Final = 60.0  # seconds without a conclusive answer, after which another operator may try its luck
_PAUSE: Final = 0.1
_DOUBT_PAUSE: Final = 1.0
_QUOTA_REFUSALS: Final = ("exceeded quota: ", "failed quota: ")


class FenceMissingError(RuntimeError):
    """The API server lets pods of a former epoch in, so two leaders could both start pods."""

    def __init__(self, message: str) -> None:
        super().__init__(
            f"{message} Apply the admission policies of the installation (manifests/ or the chart) and run the operator as "
            "the service account that they name, or switch the fence off (--no-fence) where only one operator ever runs."
        )


class FenceUnprovenError(RuntimeError):
    """The API server gave no answer that tells whether the fence stands."""


class _Verdict(enum.Enum):
    """What an answer to a dry run proves."""

    ADMITTED = enum.auto()
    FENCED = enum.auto()
    OVER_QUOTA = (
        enum.auto()
    )  # let in by all policies: quota is asked last, so that what is refused anyway isn't charged
    REFUSED = enum.auto()  # by something else than the fence


class _Inconclusive(Exception):  # noqa: N818 - a turn of the control flow, never seen outside
    """Overload, a server error or a proxy answered: that proves nothing."""


async def prove_fence(*, send: Send, namespace: str, shard: int, epoch: int) -> None:
    """Return once the fence stands for this epoch.

    Raises:
        FenceMissingError: for a quarter of a minute a pod of a former epoch was accepted, or ours refused.
        FenceUnprovenError: for a minute no answer told.
    """
    loop = asyncio.get_running_loop()
    now = loop.time()
    resources: dict[str, str] = {}
    # Only time in which the API server gave conclusive answers counts against the fence.
    patience, asked, given_up = _PATIENCE, now, now + _LONGEST_DOUBT
    while True:
        try:
            problem = await _problem(send=send, namespace=namespace, shard=shard, epoch=epoch, resources=resources)
        except (ApiUnreachable, _Inconclusive) as error:
            if loop.time() >= given_up:
                raise FenceUnprovenError(f"Cannot prove that former leaders are fenced out: {error}") from error
            await asyncio.sleep(_DOUBT_PAUSE)
            asked = loop.time()
            continue
        if not problem:
            return
        now = loop.time()
        patience -= now - asked
        asked, given_up = now, now + _LONGEST_DOUBT
        if patience <= 0:
            raise FenceMissingError(f"The API server does not fence out former leaders: {problem}.")
        # Just after an installation the policies take a moment to come into force.
        await asyncio.sleep(_PAUSE)


async def _problem(*, send: Send, namespace: str, shard: int, epoch: int, resources: dict[str, str]) -> str:
    """Ask for both dry runs; return what is wrong, nothing if the fence stands. What a LimitRange asks for is added to `resources`.

    Raises:
        ApiUnreachable, _Inconclusive: the answers prove nothing.
    """
    former, _ = await _dry_run(send=send, namespace=namespace, shard=shard, epoch=epoch - 1, resources=resources)
    ours, words = await _dry_run(send=send, namespace=namespace, shard=shard, epoch=epoch, resources=resources)
    let_in = (_Verdict.ADMITTED, _Verdict.OVER_QUOTA)
    if ours not in let_in:
        resources |= demanded(words)
        return words
    if former in let_in:
        return "it accepts pods of a former leader"
    return "" if former is _Verdict.FENCED else "a pod of a former leader was refused, but not by the fence"


async def _dry_run(
    *, send: Send, namespace: str, shard: int, epoch: int, resources: Mapping[str, str]
) -> tuple[_Verdict, str]:
    answer = await send(
        ApiRequest(
            method="POST",
            path=pods_path(namespace),
            query={"dryRun": "All"},
            body=msgspec.json.encode(probe(shard=shard, epoch=epoch, resources=resources)),
            accept=METADATA_ONLY,
        )
    )
    if answer.status < 300:
        return _Verdict.ADMITTED, ""
    error = parse_status(answer.status, answer.body)
    if error.passing:
        raise _Inconclusive(str(error))
    if error.proves_fence:
        return _Verdict.FENCED, error.message
    if error.code == 403 and not error.fenced and any(words in error.message for words in _QUOTA_REFUSALS):
        return _Verdict.OVER_QUOTA, error.message
    return _Verdict.REFUSED, error.message
