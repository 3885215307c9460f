"""What one list of metadata proves of the cache at the beginning of a term, and what proves nothing."""

import asyncio

import msgspec
import pytest

from podwright.core.values.ref import JOB, Ref
from podwright.kube.codecs.requests import ApiRequest
from podwright.kube.responses import Ambiguous, AnswerTooLarge, ApiResponse
from podwright.runtime.cache_check import PATIENCE, CacheCheck
from podwright.runtime.leader_term import LeaderTerm
from tests.support.virtual_time import in_virtual_time

TERM = LeaderTerm(shard=0, epoch=7, baseline=100)
CACHED = {"same": 5, "older": 4, "newer": 6, "gone": 5}


class Checked:
    """A check of a cache against scripted answers."""

    def __init__(self, *answers: ApiResponse | Exception) -> None:
        self._answers = list(answers)
        self.pause = 0.0
        self.requests: list[ApiRequest] = []
        self.marked: list[str] = []
        self.check = CacheCheck(
            kind=JOB,
            send=self._send,
            paths=lambda: ["/jobs"],
            version_of=CACHED.get,
            mark=lambda ref: self.marked.append(ref.uid),
            selector="status.phase!=Succeeded",
        )

    async def _send(self, request: ApiRequest) -> ApiResponse:
        self.requests.append(request)
        await asyncio.sleep(self.pause)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def run(self) -> None:
        self.check.begin(TERM)
        for uid in CACHED:
            assert self.check.waits(Ref(JOB, uid), TERM)
        await until_done(self.check, TERM)

    def confirmed(self) -> list[str]:
        return [uid for uid in CACHED if self.check.has_confirmed(uid, TERM)]


async def until_done(check: CacheCheck, term: LeaderTerm) -> None:
    for _ in range(100):
        if not check.waits(Ref(JOB, "same"), term):
            return
        await asyncio.sleep(0)
    pytest.fail("the check does not end")


def page(*uids: str, token: str = "", version: int = 1_000) -> ApiResponse:
    items = [{"metadata": {"uid": uid, "resourceVersion": "5"}} for uid in uids]
    metadata = {"resourceVersion": str(version), "continue": token}
    body = {"kind": "PartialObjectMetadataList", "metadata": metadata, "items": items}
    return ApiResponse(200, msgspec.json.encode(body))


async def test_only_what_has_the_listed_version_is_confirmed() -> None:
    checked = Checked(page("same", "older", token="next"), page("newer", "unknown"))
    await checked.run()
    assert checked.confirmed() == ["same"]
    assert [(each.query or {}).get("continue") for each in checked.requests] == [None, "next"]
    assert set(checked.marked) == set(CACHED), "the others are told that they must be read"
    assert not checked.check.has_confirmed("same", LeaderTerm(shard=0, epoch=8, baseline=100))


async def test_pages_that_are_too_large_are_asked_for_in_part() -> None:
    checked = Checked(AnswerTooLarge("too large", size=1 << 30), page("same"))
    await checked.run()
    assert checked.confirmed() == ["same"]
    assert [(each.query or {})["limit"] for each in checked.requests] == ["50", "1"]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(ApiResponse(403, b"{}"), id="refused"),
        pytest.param(ApiResponse(410, b"{}"), id="continue token expired"),
        pytest.param(ApiResponse(200, b"<html>"), id="a proxy's words"),
        pytest.param(ApiResponse(200, b'{"kind": "Status", "metadata": {}}'), id="no list"),
        pytest.param(Ambiguous("no answer"), id="no answer"),
        pytest.param(page("older", "newer", version=99), id="F8 a list from before the term"),
    ],
)
async def test_what_is_no_answer_proves_nothing_and_holds_nobody_up(answer: ApiResponse | Exception) -> None:
    checked = Checked(page("same", token="next"), answer)
    await checked.run()
    assert checked.confirmed() == ["same"]
    assert set(checked.marked) == set(CACHED)


async def test_a_further_term_begins_anew() -> None:
    checked = Checked(page("same"), page())
    await checked.run()
    term = LeaderTerm(shard=0, epoch=8, baseline=200)
    checked.check.begin(term)
    assert checked.check.waits(Ref(JOB, "same"), term)
    assert not checked.check.waits(Ref(JOB, "same"), TERM)
    await until_done(checked.check, term)
    assert not checked.check.has_confirmed("same", term)


@in_virtual_time
async def test_a_slow_check_is_waited_for_no_longer_than_its_patience() -> None:
    """Another tenant's pages come first; those of who waits behind them may take any time."""
    checked = Checked(page("older", token="2"), page("newer", token="3"), page("same"))
    checked.pause = 0.8 * PATIENCE
    checked.check.begin(TERM)
    for uid in CACHED:
        assert checked.check.waits(Ref(JOB, uid), TERM)
    await asyncio.sleep(0.99 * PATIENCE)
    assert checked.marked == []
    await asyncio.sleep(0.02 * PATIENCE)
    assert sorted(checked.marked) == sorted(CACHED), "all are told that they must be read"
    assert not checked.check.waits(Ref(JOB, "same"), TERM), "nor does anybody begin to wait"
    await asyncio.sleep(3 * PATIENCE)
    assert checked.confirmed() == ["same"], "what it tells later still spares reads"
    assert len(checked.marked) == len(CACHED)


@in_virtual_time
async def test_each_term_has_the_whole_patience() -> None:
    checked = Checked(page("same"), page("same"))
    checked.pause = 0.9 * PATIENCE
    checked.check.begin(TERM)
    await asyncio.sleep(0.8 * PATIENCE)
    term = LeaderTerm(shard=0, epoch=8, baseline=200)
    checked.check.begin(term)
    await asyncio.sleep(0.8 * PATIENCE)
    assert checked.check.waits(Ref(JOB, "same"), term)
    await asyncio.sleep(0.2 * PATIENCE)
    assert checked.marked == ["same"]
    assert checked.check.has_confirmed("same", term)
