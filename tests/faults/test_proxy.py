"""The proxy itself, with a tiny client in the place of an operator."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from tests.faults import actions
from tests.faults.actions import Moment
from tests.faults.proxy import FaultProxy
from tests.support.rest import Rest, Server
from tests.support.simulator.api import Api
from tests.support.simulator.kinds import BATCH_JOB
from tests.support.simulator.manifests import JOBS, PODS, job, pod
from tests.support.simulator.server import Simulator
from tests.support.simulator.storage import Key


@pytest_asyncio.fixture(loop_scope="session")
async def simulator() -> AsyncIterator[Simulator]:
    async with Simulator(Api(), bookmark_seconds=0.05) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def proxy(simulator: Simulator) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(Server(simulator.url)) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def rest(proxy: FaultProxy) -> AsyncIterator[Rest]:
    async with Rest(Server(proxy.url, "somebody")) as made:
        yield made


def stored(simulator: Simulator, name: str) -> bool:
    return Key("default", name) in simulator.api.table(BATCH_JOB).objects


async def test_everything_is_forwarded_and_noted(rest: Rest, proxy: FaultProxy, simulator: Simulator) -> None:
    created = await rest.send("POST", JOBS, job("a"))
    assert created.code == 201
    missing = await rest.send("DELETE", f"{JOBS}/b")
    assert missing.reason == "NotFound"
    await rest.send("POST", PODS, pod("p"), query={"dryRun": "All"})
    await rest.send("GET", JOBS)
    noted = [(known.verb, known.resource, known.name, known.code, known.writes) for known in proxy.history.exchanges]
    assert noted == [
        ("create", "batchjobs", "a", 201, True),
        ("delete", "batchjobs", "b", 404, True),
        ("create", "pods", "p", 201, False),
        ("list", "batchjobs", "", 200, False),
    ]
    assert proxy.history.exchanges[0].uid == created.body["metadata"]["uid"]
    assert simulator.requests["somebody", "create", "batchjobs"] == 1


async def test_watch_is_passed_on_line_by_line(rest: Rest, proxy: FaultProxy) -> None:
    async with asyncio.timeout(5):
        events = rest.watch(JOBS, query={"resourceVersion": "1"})
        for name in ("a", "b"):
            await rest.send("POST", JOBS, job(name))
            assert (await anext(events))["object"]["metadata"]["name"] == name


@pytest.mark.parametrize(
    ("action", "code", "is_stored"),
    [
        (actions.Answer(503), 503, False),
        (actions.AnswerAfterwards(504), 504, True),
        (actions.Drop(), None, False),
        (actions.DropReply(), None, True),
        (actions.Truncate(), None, True),
        (actions.Delay(0.01), 201, True),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_bad_answers_to_a_write(
    rest: Rest, proxy: FaultProxy, simulator: Simulator, action: actions.Action, code: int | None, is_stored: bool
) -> None:
    proxy.add(action, verb="create", count=1)
    try:
        told: int | None = (await rest.send("POST", JOBS, job("a"))).code
    except aiohttp.ClientError:
        told = None
    assert told == code
    assert stored(simulator, "a") is is_stored


async def test_rule_meets_only_what_it_names(rest: Rest, proxy: FaultProxy) -> None:
    rule = proxy.add(actions.Answer(500), verb="create", resource="batchjobs", name="b", skip=1, count=1)
    codes = [(await rest.send("POST", JOBS, job(name))).code for name in ("a", "b", "b", "b", "c")]
    assert codes == [201, 201, 500, 409, 201]
    assert rule.met == 3


async def test_retry_after_reaches_the_client(rest: Rest, proxy: FaultProxy) -> None:
    proxy.add(actions.Answer(429, retry_after=7))
    async with rest.session.get(JOBS) as response:
        assert (response.status, response.headers["Retry-After"]) == (429, "7")


@pytest.mark.parametrize(
    ("action", "want"),
    [
        (actions.EndWatch(after=1), ["ADDED"]),
        (actions.EndWatch(after=1, code=410), ["ADDED", "ERROR"]),
        (actions.EndWatch(after=0, code=500), ["ERROR"]),
        (actions.EditEvents(lambda event: [event, event]), ["ADDED", "ADDED", "ADDED", "ADDED"]),
        (actions.EditEvents(lambda event: []), []),
    ],
)
async def test_watch_that_is_tampered_with(
    rest: Rest, proxy: FaultProxy, action: actions.Action, want: list[str]
) -> None:
    for name in ("a", "b"):
        await rest.send("POST", JOBS, job(name))
    proxy.add(action, verb="watch")
    events = rest.watch(JOBS, query={"resourceVersion": "1", "timeoutSeconds": "0"})
    assert [event["type"] async for event in events] == want


async def test_watch_that_breaks(rest: Rest, proxy: FaultProxy) -> None:
    await rest.send("POST", JOBS, job("a"))
    proxy.add(actions.EndWatch(after=1, hang_up=True), verb="watch")
    with pytest.raises(aiohttp.ClientError):
        [event async for event in rest.watch(JOBS, query={"resourceVersion": "1"})]


async def test_half_open_watch_shows_nothing_until_it_is_released(rest: Rest, proxy: FaultProxy) -> None:
    hold = actions.Hold()
    proxy.add(hold, verb="watch")
    seen = asyncio.ensure_future(anext(rest.watch(JOBS, query={"resourceVersion": "1"})))
    await rest.send("POST", JOBS, job("a"))
    await asyncio.sleep(0.05)
    assert not seen.done()
    hold.release()
    assert (await asyncio.wait_for(seen, 5))["type"] == "ADDED"


async def test_list_of_the_past_is_shown_again(rest: Rest, proxy: FaultProxy) -> None:
    replay = actions.Replay()
    proxy.add(replay, verb="list")
    before = await rest.send("GET", JOBS)
    replay.replaying = True
    await rest.send("POST", JOBS, job("a"))
    assert await rest.send("GET", JOBS) == before
    replay.replaying = False
    assert len((await rest.send("GET", JOBS)).body["items"]) == 1


@pytest.mark.parametrize(
    ("moment", "code", "is_stored"),
    [(Moment.BEFORE_SEND, None, False), (Moment.SENT_NO_REPLY, None, True), (Moment.AFTER_REPLY, 201, True)],
)
async def test_moments_of_a_kill(
    rest: Rest, proxy: FaultProxy, simulator: Simulator, moment: Moment, code: int | None, is_stored: bool
) -> None:
    killed: list[bool] = []
    kill = actions.Kill(lambda: killed.append(stored(simulator, "a")), moment)
    proxy.add(kill, writes=True, count=1)
    try:
        told: int | None = (await rest.send("POST", JOBS, job("a"))).code
    except aiohttp.ClientError:
        told = None
    assert (told, killed) == (code, [is_stored])
    assert kill.victim is proxy.history.exchanges[0]
