"""What proves the fence, on a virtual clock against an API server that answers as told."""

import asyncio
from collections.abc import Callable

import msgspec
import pytest

from podwright.core.constants import names
from podwright.kube.codecs.requests import ApiRequest
from podwright.kube.responses import ApiResponse, Unsent
from podwright.runtime.fence import FenceMissingError, FenceUnprovenError, prove_fence
from tests.support.virtual_time import run
from tests.unit.kube.objects import dumps, status_json
from tests.unit.kube.test_errors import COMPARED, FENCE, UNLABELLED

EPOCH = 8
ADMITTED = ApiResponse(201, b"{}")


def refused(code: int, message: str) -> ApiResponse:
    return ApiResponse(code, dumps(status_json(code, reason="Forbidden", message=message)))


FENCED = refused(403, COMPARED)


def answering(former: ApiResponse, ours: ApiResponse = ADMITTED) -> Callable[[ApiRequest], ApiResponse]:
    def answer(request: ApiRequest) -> ApiResponse:
        pod = msgspec.json.decode(request.body or b"")
        assert request.query == {"dryRun": "All"}
        return former if pod["metadata"]["annotations"][names.ANNOTATION_EPOCH] == str(EPOCH - 1) else ours

    return answer


async def prove(*phases: tuple[float, Callable[[ApiRequest], ApiResponse]]) -> float:
    """Run the proof against answers that change at the given times; give the seconds that it took."""
    loop = asyncio.get_running_loop()
    began = loop.time()

    async def send(request: ApiRequest) -> ApiResponse:
        current = [answer for since, answer in phases if loop.time() - began >= since][-1]
        return current(request)

    await prove_fence(send=send, namespace="podwright-system", shard=0, epoch=EPOCH)
    return loop.time() - began


def unreachable(_request: ApiRequest) -> ApiResponse:
    raise Unsent("no route")


def test_the_policys_own_refusal_is_the_proof() -> None:
    assert run(prove((0, answering(FENCED)))) == 0


@pytest.mark.parametrize(
    "former",
    [
        pytest.param(ADMITTED, id="S7 it is let in"),
        pytest.param(refused(403, "not yet ready to handle request"), id="S7 not yet ready"),
        pytest.param(refused(403, UNLABELLED), id="S7 another policy"),
        pytest.param(refused(403, "exceeded quota: x"), id="S7 a quota"),
        pytest.param(refused(422, FENCE + "failed to configure binding: no params found"), id="S7 no Lease seen yet"),
    ],
)
def test_s7_any_other_refusal_is_no_proof(former: ApiResponse) -> None:
    with pytest.raises(FenceMissingError, match="former leader"):
        run(prove((0, answering(former))))


@pytest.mark.parametrize(
    "passing",
    [
        pytest.param(answering(refused(429, "too many requests")), id="S7 throttled"),
        pytest.param(answering(refused(500, COMPARED)), id="S7 a server error"),
        pytest.param(answering(refused(503, "unavailable")), id="S7 unavailable"),
        pytest.param(answering(ApiResponse(403, b"<html>podwright fence: 'podwright-fence'")), id="S7 a proxy"),
        pytest.param(answering(FENCED, refused(429, "too many requests")), id="S7 ours is throttled"),
        pytest.param(unreachable, id="S7 unreachable"),
    ],
)
def test_s7_what_passes_is_asked_again_and_never_proof(passing: Callable[[ApiRequest], ApiResponse]) -> None:
    # Longer than a missing fence would be put up with: such answers say nothing about the fence.
    assert 30 <= run(prove((0, passing), (30, answering(FENCED)))) < 32
    with pytest.raises(FenceUnprovenError, match="Cannot prove"):
        run(prove((0, passing)))
    with pytest.raises(FenceMissingError):
        run(prove((0, passing), (30, answering(ADMITTED))))


def test_ours_must_be_let_in() -> None:
    with pytest.raises(FenceMissingError, match="a webhook"):
        run(prove((0, answering(FENCED, refused(403, "a webhook says no")))))


@pytest.mark.parametrize(
    "words", ["exceeded quota: few, requested: pods=1", "failed quota: few: must specify limits.cpu"]
)
def test_s7_a_quota_that_refuses_ours_is_asked_after_the_policies_and_keeps_nobody_from_leading(words: str) -> None:
    quota = refused(403, f'pods "podwright-fence-x" is forbidden: {words}')
    assert run(prove((0, answering(FENCED, quota)))) == 0
    with pytest.raises(FenceMissingError, match="accepts pods of a former leader"):
        run(prove((0, answering(quota, quota))))
    with pytest.raises(FenceMissingError):
        run(prove((0, answering(FENCED, refused(403, COMPARED + words)))))


FORBIDDEN = 'pods "podwright-fence-x" is forbidden: '


@pytest.mark.parametrize(
    ("refusal", "amounts"),
    [
        pytest.param("maximum memory usage per Pod is 1Gi.  No limit is specified", {"memory": "1Gi"}, id="a maximum"),
        pytest.param(
            "[minimum cpu usage per Pod is 100m.  No request is specified, maximum cpu usage per Pod is 2.  No limit is"
            " specified, maximum memory usage per Pod is 1Gi.  No limit is specified]",
            {"cpu": "100m", "memory": "1Gi"},
            id="a minimum is enough",
        ),
        pytest.param(
            "[cpu max limit to request ratio per Pod is 2, but no request is specified or request is 0, memory max limit to"
            " request ratio per Container is 1500m, but no limit is specified or limit is 0]",
            {"cpu": "100m", "memory": "64Mi"},
            id="ratios",
        ),
        pytest.param("maximum memory usage per Pod is 1Gi, but limit is 2Gi", {}, id="an amount that was named"),
    ],
)
def test_s7_a_limit_range_without_defaults_keeps_no_operator_from_leading(
    refusal: str, amounts: dict[str, str]
) -> None:
    """It is asked before the fence, and refuses pods that name no resources; the probe then names what the refusal asks for."""

    def answer(request: ApiRequest) -> ApiResponse:
        pod = msgspec.json.decode(request.body or b"")
        resources = pod["spec"]["containers"][0].get("resources")
        if not amounts or resources != {"requests": amounts, "limits": amounts}:
            return refused(403, FORBIDDEN + refusal)
        return answering(FENCED)(request)

    if amounts:
        assert run(prove((0, answer))) < 1
    else:
        with pytest.raises(FenceMissingError):
            run(prove((0, answer)))
