"""The reflector against a scripted server. The same against a real API server: tests/cluster/test_kube.py."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
from aiohttp import web

from podwright.core.model.job import JobView
from podwright.kube import reflector as module
from podwright.kube.client import ApiClient
from podwright.kube.codecs.page import JOBS, Undecodable
from podwright.kube.codecs.requests import jobs_path
from podwright.kube.paging import MOST_BYTES
from podwright.kube.poison import Steps
from podwright.kube.reflector import Reflector
from tests.unit.kube.objects import bookmark_json, dumps, event_json, job_json, list_json, nested, status_json
from tests.unit.kube.server import client_of

POISON = {"phase": "Dreaming"}


class Mirror:
    """A sink that follows the rules: what a list lacks is gone, unless it is newer than the list."""

    def __init__(self) -> None:
        self.versions: dict[str, int] = {}
        self.lists: list[int] = []
        self.poisoned: list[str] = []
        self.steps = 0

    def replaced_in_steps(self, items: list[JobView | Undecodable], list_resource_version: int) -> Steps[None]:
        self.lists.append(list_resource_version)
        newer = {name: version for name, version in self.versions.items() if version > list_resource_version}
        self.versions = {item.name: item.resource_version for item in items} | newer
        for number in range(len(items)):
            self.steps = number
            yield

    def changed(self, item: JobView) -> None:
        self.versions[item.name] = item.resource_version

    def deleted(self, item: JobView | Undecodable) -> None:
        self.versions.pop(item.name, None)

    def undecodable(self, item: Undecodable) -> None:
        self.poisoned.append(item.name)


Line = dict[str, Any] | bytes | float
"""What a watch sends: JSON, raw bytes, or a pause in seconds. A watch whose script is over ends."""


class Script:
    """The server's part: each list and each watch takes the next entry; the last one is repeated."""

    def __init__(
        self, *, lists: Sequence[dict[str, Any] | int | bytes], watches: Sequence[Sequence[Line] | int] = ([60.0],)
    ) -> None:
        self.lists = list(lists)
        self.watches = list(watches)
        self.queries: list[dict[str, str]] = []

    async def handler(self, request: web.Request) -> web.StreamResponse:
        assert request.path == jobs_path()
        self.queries.append(dict(request.query))
        if "watch" in request.query:
            watch = self.watches.pop(0) if len(self.watches) > 1 else self.watches[0]
            return _refusal(watch) if isinstance(watch, int) else await self._watch(request, watch)
        page = self.lists.pop(0) if len(self.lists) > 1 else self.lists[0]
        if isinstance(page, int):
            return _refusal(page)
        return web.Response(body=page if isinstance(page, bytes) else dumps(page))

    async def _watch(self, request: web.Request, lines: Sequence[Line]) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for line in lines:
            if isinstance(line, float):
                await asyncio.sleep(line)
            else:
                await response.write(line if isinstance(line, bytes) else dumps(line) + b"\n")
        return response

    @property
    def watched_from(self) -> list[int]:
        return [int(query["resourceVersion"]) for query in self.queries if "watch" in query]


def _refusal(code: int) -> web.Response:
    return web.Response(status=code, body=dumps(status_json(code, reason="Expired" if code == 410 else "")))


class Running:
    """A reflector at work, and what it mirrors."""

    def __init__(self, reflector: Reflector[JobView], mirror: Mirror, script: Script) -> None:
        self.reflector = reflector
        self.mirror = mirror
        self.script = script

    async def until(self, condition: Callable[["Running"], object]) -> None:
        """Wait until the condition holds."""
        async with asyncio.timeout(20):
            while not condition(self):  # noqa: ASYNC110 - a state that nobody signals is waited for
                await asyncio.sleep(0.005)

    async def until_mirrored(self, **versions: int) -> None:
        """Wait until exactly these objects are mirrored, by name and version."""
        await self.until(lambda now: now.mirror.versions == versions)


@contextlib.asynccontextmanager
async def running(
    *, silence: float = 30.0, page_size: int = 500, label_selector: str = "", **script: Any
) -> AsyncIterator[Running]:
    told = Script(**script)
    async with client_of(told.handler) as client:
        mirror = Mirror()
        reflector = make(client, mirror, silence=silence, page_size=page_size, label_selector=label_selector)
        task = asyncio.create_task(reflector.run())
        try:
            yield Running(reflector, mirror, told)
            assert not task.done(), "it must run for ever"
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def make(client: ApiClient, mirror: Mirror, **options: Any) -> Reflector[JobView]:
    return Reflector(client=client, path=jobs_path(), decoder=JOBS, sink=mirror, **options)


def job(name: str, version: int, **changes: Any) -> dict[str, Any]:
    return job_json(name=name, resourceVersion=str(version), **changes)


def added(name: str, version: int, **changes: Any) -> dict[str, Any]:
    return event_json("ADDED", job(name, version, **changes))


def deleted(name: str, version: int, **changes: Any) -> dict[str, Any]:
    return event_json("DELETED", job(name, version, **changes))


def listed(version: int, *items: dict[str, Any], token: str = "") -> dict[str, Any]:
    return list_json(list(items), resource_version=str(version), token=token)


async def test_lists_and_watches() -> None:
    events = [added("b", 11), event_json("MODIFIED", job("a", 12)), deleted("b", 13), added("c", 14), 60.0]
    async with running(lists=[listed(10, job("a", 3))], watches=[events], label_selector="x in (y,z)") as now:
        await now.until_mirrored(a=12, c=14)
        assert now.mirror.lists == [10]
        assert now.reflector.resource_version == 14
        assert now.reflector.synced.is_set()
        assert now.reflector.problem == ""
        listing, watching = now.script.queries
    assert listing == {"limit": "50", "labelSelector": "x in (y,z)"}
    assert 290 <= int(watching.pop("timeoutSeconds")) <= 590
    assert watching == {
        "watch": "1",
        "allowWatchBookmarks": "true",
        "resourceVersion": "10",
        "labelSelector": "x in (y,z)",
    }


async def test_lists_in_pages() -> None:
    pages = [listed(10, job("a", 1), token="two"), listed(10, job("b", 2), token="three"), listed(10, job("c", 3))]
    async with running(lists=pages, page_size=1) as now:
        await now.until_mirrored(a=1, b=2, c=3)
        assert now.mirror.lists == [10], "the sink gets all pages at once"
        queries = [query for query in now.script.queries if "watch" not in query]
    assert queries == [{"limit": "1"}, {"limit": "1", "continue": "two"}, {"limit": "1", "continue": "three"}]


async def test_l4_the_next_page_is_asked_for_before_a_page_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of many large objects takes the API server and us about the same time, which passes at once."""
    order: list[str] = []
    decode = JOBS.page_in_steps

    def decoding(body: bytes) -> Any:
        order.append("decode")
        return decode(body)

    pages = [listed(10, job("a", 1), token="two"), listed(10, job("b", 2))]
    async with running(lists=pages, page_size=1) as now:
        await now.until_mirrored(a=1, b=2)
        request = now.reflector._client.request

        async def asking(*arguments: Any, **options: Any) -> Any:
            order.append("ask")
            return await request(*arguments, **options)

        monkeypatch.setattr(JOBS, "page_in_steps", decoding)
        monkeypatch.setattr(now.reflector._client, "request", asking)
        now.script.lists[:] = [listed(20, job("a", 1), token="two"), listed(20, job("b", 2))]
        await now.reflector._list()
    assert order == ["ask", "ask", "decode", "decode"]


async def test_a_list_that_expires_half_way_starts_over() -> None:
    pages = [listed(10, job("a", 1), token="two"), 410, listed(20, job("b", 2))]
    async with running(lists=pages) as now:
        await now.until_mirrored(b=2)
        assert now.mirror.lists == [20]


async def test_a_watch_that_ends_goes_on_where_it_was() -> None:
    async with running(
        lists=[listed(10)], watches=[[added("a", 11)], [bookmark_json("15")], [added("b", 16), 60.0]]
    ) as now:
        await now.until_mirrored(a=11, b=16)
        assert now.script.watched_from == [10, 11, 15]
        assert now.mirror.lists == [10]


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(410, id="refused with 410"),
        pytest.param([event_json("ERROR", status_json(410, reason="Expired"))], id="410 within the stream"),
        pytest.param([event_json("ERROR", status_json(500, message="etcd event lost"))], id="500 within the stream"),
        pytest.param([event_json("ERROR", status_json(504))], id="504 within the stream"),
        pytest.param([event_json("ERROR", {"message": "odd"})], id="an odd error within the stream"),
    ],
)
async def test_a_gap_is_filled_by_a_list(failure: Any) -> None:
    """What vanished during the gap is gone afterwards, although no event ever told."""
    lists = [listed(10, job("a", 1), job("ghost", 2)), listed(30, job("a", 1), job("b", 25))]
    async with running(lists=lists, watches=[failure, [added("c", 31), 60.0]]) as now:
        await now.until_mirrored(a=1, b=25, c=31)
        assert now.script.watched_from == [10, 30]
        assert now.mirror.lists == [10, 30]
        assert now.reflector.problem == ""


@pytest.mark.parametrize("failure", [401, 403, 429, 500, 503])
async def test_a_refused_watch_goes_on_where_it_was(failure: int) -> None:
    async with running(lists=[listed(10)], watches=[failure, failure, [added("a", 11), 60.0]]) as now:
        await now.until(lambda now: str(failure) in now.reflector.problem)
        await now.until_mirrored(a=11)
        assert now.script.watched_from == [10, 10, 10]
        assert now.mirror.lists == [10]
        assert now.reflector.problem == ""


async def test_a_watch_that_is_refused_for_ever_leads_to_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LONGEST_DELAY", 0.05)
    async with running(lists=[listed(10), listed(20)], watches=[400]) as now:
        await now.until(lambda now: len(now.mirror.lists) > 1)
        assert now.script.watched_from[:5] == [10] * 5


@pytest.mark.parametrize("failure", [401, 403, 429, 500, b"<html>", b'{"metadata":{"resourceVersion":"10"},"items":['])
async def test_a_failing_list_is_tried_again(failure: int | bytes) -> None:
    async with running(lists=[failure, failure, listed(10, job("a", 1))]) as now:
        await now.until(lambda now: jobs_path() in now.reflector.problem)
        assert not now.reflector.synced.is_set()
        await now.until_mirrored(a=1)
        assert now.reflector.synced.is_set()
        await now.until(lambda now: now.reflector.problem == "")


async def test_s11_others_have_their_turn_while_a_long_list_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TURN_SECONDS", 0.0)
    seen: set[int] = set()
    async with running(lists=[listed(10, *(job(f"j{n}", n) for n in range(1, 41)))]) as now:
        while not now.reflector.synced.is_set():
            seen.add(now.mirror.steps)
            await asyncio.sleep(0)
    assert seen == set(range(40))


async def test_half_open_connections_are_noticed() -> None:
    async with running(
        silence=0.2, lists=[listed(10)], watches=[[added("a", 11), 60.0], [added("b", 12), *[0.05, b"\n"] * 1000]]
    ) as now:
        await now.until_mirrored(a=11, b=12)
        assert now.script.watched_from == [10, 11]
        assert now.mirror.lists == [10]


@pytest.mark.parametrize(
    "broken",
    [b"nonsense\n", b'{"type":"ODD","object":{}}\n', b'{"type":"ADDED","object":{"metadata"\n', b'{"type":"AD'],
)
async def test_a_broken_line_is_asked_for_again(broken: bytes) -> None:
    async with running(lists=[listed(10)], watches=[[added("a", 11), broken], [added("b", 12), 60.0]]) as now:
        await now.until_mirrored(a=11, b=12)
        assert now.script.watched_from == [10, 11]


async def test_poisoned_objects_do_not_stop_the_others() -> None:
    lists = [listed(10, job("p", 1, status=POISON), job("a", 2))]
    watches = [[added("q", 11, status=POISON), added("b", 12), deleted("p", 13, status=POISON), 60.0]]
    async with running(lists=lists, watches=watches) as now:
        await now.until_mirrored(a=2, b=12)
        assert now.mirror.poisoned == ["q"]
        assert now.reflector.resource_version == 13


async def test_repeated_old_events_do_not_turn_the_watch_back() -> None:
    async with running(lists=[listed(10)], watches=[[added("a", 15), added("a", 11)], [60.0]]) as now:
        await now.until(lambda now: len(now.script.watched_from) == 2)
        assert now.script.watched_from == [10, 15]


async def test_a_server_that_went_back_in_time_is_not_believed() -> None:
    watches = [[added("a", 50), event_json("ERROR", status_json(410))], [60.0]]
    lists = [listed(10), listed(40), listed(40), listed(60, job("b", 55))]
    async with running(lists=lists, watches=watches) as now:
        await now.until(lambda now: now.reflector.went_back)
        contact = now.reflector.last_contact
        assert "restored from a backup" in now.reflector.problem
        assert now.mirror.versions == {"a": 50}
        assert now.reflector.last_contact == contact
        await now.until_mirrored(b=55)
        assert not now.reflector.went_back
        assert now.mirror.lists == [10, 60]


async def test_a_proxy_that_ends_every_watch_does_not_cause_a_hot_loop() -> None:
    async with running(lists=[listed(10)], watches=[[]]) as now:
        await asyncio.sleep(1.0)
        assert 2 <= len(now.script.watched_from) <= 8
        assert "ended at once" in now.reflector.problem


async def test_what_no_watch_tells_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loaded API server drops a watch that can't be fed quickly enough, again and again, before it tells anything."""
    monkeypatch.setattr(module, "_FIRST_DELAY", 0.02)
    lists = [listed(10), listed(30, job("a", 25))]
    async with running(lists=lists, watches=[[], [], [], [added("b", 31), 60.0]]) as now:
        await now.until_mirrored(a=25, b=31)
        assert now.script.watched_from == [10, 10, 10, 30]
        assert now.mirror.lists == [10, 30]


async def test_errors_within_every_watch_do_not_cause_a_hot_loop() -> None:
    async with running(lists=[listed(10)], watches=[[event_json("ERROR", status_json(410))]]) as now:
        await asyncio.sleep(1.0)
        assert 2 <= len(now.mirror.lists) <= 8


async def test_a_burst_leaves_the_loop_free() -> None:
    burst = b"".join(dumps(added(f"job-{number}", 100 + number)) + b"\n" for number in range(5000))
    async with running(lists=[listed(10)], watches=[[0.2, burst, 60.0]]) as now:
        await now.until(lambda now: now.reflector.synced.is_set())
        turns = 0
        while len(now.mirror.versions) < 5000:
            turns += 1
            await asyncio.sleep(0)
            assert turns < 1_000_000
        assert turns >= 20


async def test_waiting_grows_and_has_a_limit() -> None:
    delays: list[float] = []

    async def sleep(seconds: float) -> None:
        delays.append(seconds)
        if len(delays) == 12:
            raise asyncio.CancelledError

    script = Script(lists=[500])
    async with client_of(script.handler) as client:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(asyncio, "sleep", sleep)
            with pytest.raises(asyncio.CancelledError):
                await make(client, Mirror()).run()
    for number, delay in enumerate(delays):
        ceiling = min(30.0, 0.25 * 2**number)
        assert ceiling / 2 <= delay <= ceiling


@pytest.mark.parametrize("place", ["header", "body"])
@pytest.mark.parametrize("refused", ["list", "watch"])
async def test_retry_after_is_honoured(place: str, refused: str) -> None:
    times: list[float] = []
    again = asyncio.Event()
    body = dumps(status_json(429, details={"retryAfterSeconds": 1})) if place == "body" else b"too many requests"

    async def handler(request: web.Request) -> web.StreamResponse:
        if refused == "watch" and "watch" not in request.query:
            return web.Response(body=dumps(listed(10)))
        times.append(asyncio.get_running_loop().time())
        if len(times) == 2:
            again.set()
        return web.Response(status=429, body=body, headers={"Retry-After": "1"} if place == "header" else {})

    async with client_of(handler) as client:
        task = asyncio.create_task(make(client, Mirror()).run())
        await again.wait()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert times[1] - times[0] >= 1.0


async def test_s22_large_objects_behind_small_ones_make_no_huge_page() -> None:
    """Names decide the order of a list: 600 small jobs come first, then 200 of 300 kB, 60 MB in all."""
    sizes = [100] * 600 + [300_000] * 200
    objects = [dumps(job(f"j{n:04}", n + 1, annotations={"x": "a" * size})) for n, size in enumerate(sizes)]
    sent: list[int] = []
    asked: list[tuple[int, int]] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        if "watch" in request.query:
            await asyncio.sleep(60)
        start = int(request.query.get("continue", "0"))
        end = min(len(objects), start + int(request.query["limit"]))
        empty = dumps(list_json([], resource_version="5000", token=str(end) if end < len(objects) else ""))
        body = empty.replace(b"[]", b"[" + b",".join(objects[start:end]) + b"]")
        asked.append((start, len(body)))
        sent.append(0)
        with contextlib.suppress(ConnectionError):
            for offset in range(0, len(body), 1 << 16):
                await response.write(body[offset : offset + (1 << 16)])
                sent[-1] += 1 << 16
        return response

    async with client_of(handler) as client:
        mirror = Mirror()
        reflector = make(client, mirror)
        task = asyncio.create_task(reflector.run())
        async with asyncio.timeout(60):
            await reflector.synced.wait()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert len(mirror.versions) == len(objects)
    assert mirror.lists == [5000]
    assert max(sent) <= 4 * MOST_BYTES, "what the sockets hold comes on top; an answer has up to 60 MB"
    taken = dict(asked)
    assert max(taken.values()) <= MOST_BYTES
    assert 1 <= len(asked) - len(taken) <= 5, "so many pages were given up"


async def test_s22_hostile_objects_hold_the_loop_for_moments_only() -> None:
    """A page and an event of megabytes, deeply nested, while a timer measures how late the loop is."""
    job = dumps(job_json())
    filling = nested(2_000) + b',"wide":[' + b"[]," * 300_000 + b"0]"
    hostile = job.replace(b'"containers"', b'"deep":' + filling + b',"containers"', 1)
    body = dumps(list_json([])).replace(b"[]", b"[" + b",".join([hostile] * 2) + b"]")
    line = b'{"type":"MODIFIED","object":' + hostile + b"}"
    assert len(body) > 1_500_000

    async def handler(request: web.Request) -> web.StreamResponse:
        if request.query.get("watch") != "1":
            return web.Response(body=body)
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(line + b"\n")
        await asyncio.sleep(60)
        return response

    lags: list[float] = []

    async def measure() -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + 0.005
            await asyncio.sleep(0.005)
            lags.append(loop.time() - due)

    async with client_of(handler) as client:
        seen = asyncio.Event()

        class Watching(Mirror):
            def undecodable(self, item: Undecodable) -> None:
                super().undecodable(item)
                seen.set()

        mirror = Watching()
        parts = [asyncio.create_task(make(client, mirror).run()), asyncio.create_task(measure())]
        async with asyncio.timeout(100):
            await seen.wait()
        assert mirror.lists == [100]
        for part in parts:
            part.cancel()
        await asyncio.gather(*parts, return_exceptions=True)
    # In one piece it takes seconds. What is left is one object's way through the decoder, and what else the machine does.
    assert sorted(lags)[-3] < 0.25
