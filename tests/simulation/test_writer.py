"""The writer pool: order, bounds, pauses, and the last check before sending."""

import asyncio
import functools
import itertools
import statistics
import time
from collections.abc import Callable

import pytest

from podwright.core.commands import Rank
from podwright.kube.codecs.requests import ApiRequest
from podwright.kube.responses import Ambiguous, ApiResponse, Unsent
from podwright.runtime import lanes
from podwright.runtime.flow import AdaptiveLimit
from podwright.runtime.lanes import NOT_LEADER, OVERTAKEN, Permit, Result, Withheld
from podwright.runtime.writer import Writer
from tests.support.virtual_time import in_virtual_time


class Server:
    """Answers when told to; remembers what it was sent, and how many requests were under way at most."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.gate = asyncio.Event()
        self.answers: dict[str, Result] = {}
        self.under_way = 0
        self.most = 0

    async def send(self, request: ApiRequest) -> ApiResponse:
        """Receive a request, and answer it once the gate is open."""
        self.sent.append(request.path)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await self.gate.wait()
        self.under_way -= 1
        answer = self.answers.get(request.path, ApiResponse(200, b"{}"))
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, ApiResponse)
        return answer


@pytest.fixture
def server() -> Server:
    return Server()


def write(
    name: str,
    results: dict[str, Result],
    *,
    rank: Rank = Rank.CREATE,
    priority: int = 0,
    namespace: str = "default",
    admitted: bool = False,
    size: int = 0,
    withhold: Callable[[], Withheld | None] = lambda: None,
) -> Permit:
    """Build a permit whose result lands in `results`."""
    return Permit(
        namespace=namespace,
        rank=rank,
        priority=priority,
        build=lambda: withhold() or ApiRequest(method="POST", path=name),
        done=lambda result: results.__setitem__(name, result),
        admitted=admitted,
        size=size,
    )


async def drain(writer: Writer) -> None:
    """Wait until nothing waits or is under way."""
    async with asyncio.timeout(5):
        while writer.backlog or writer.under_way:  # noqa: ASYNC110 - the writer has no event for being idle, and needs none
            await asyncio.sleep(0.001)


async def test_more_important_writes_overtake_those_that_wait(server: Server) -> None:
    writer = Writer(send=server.send, limit=AdaptiveLimit(start=1, highest=1, lowest=1))
    results: dict[str, Result] = {}
    writer.submit(write("first", results))
    for name, rank, priority in [
        ("news", Rank.NEWS, 9),
        ("release", Rank.RELEASE, 0),
        ("low", Rank.CREATE, -5),
        ("high", Rank.CREATE, 5),
        ("high later", Rank.CREATE, 5),
        ("verdict", Rank.VERDICT, 0),
    ]:
        writer.submit(write(name, results, rank=rank, priority=priority))
    server.gate.set()
    await drain(writer)
    assert server.sent == ["first", "verdict", "high", "high later", "low", "release", "news"]
    assert len(results) == 7


async def test_no_more_are_under_way_than_the_limit_allows(server: Server) -> None:
    writer = Writer(send=server.send, limit=AdaptiveLimit(start=3, highest=3, lowest=1))
    results: dict[str, Result] = {}
    for n in range(20):
        writer.submit(write(str(n), results, namespace=str(n % 4)))
    await asyncio.sleep(0.01)
    assert (writer.under_way, writer.backlog) == (3, 17)
    server.gate.set()
    await drain(writer)
    assert (server.most, len(results)) == (3, 20)


async def test_a_write_that_may_no_longer_be_sent_is_not(server: Server) -> None:
    writer = Writer(send=server.send, limit=AdaptiveLimit(start=1, highest=1))
    results: dict[str, Result] = {}
    leading = True
    writer.submit(write("first", results))
    writer.submit(write("second", results, withhold=lambda: None if leading else NOT_LEADER))
    leading = False
    server.gate.set()
    await drain(writer)
    assert server.sent == ["first"]
    assert results["second"] is NOT_LEADER


@pytest.mark.parametrize(
    "failure", [Unsent("refused"), Ambiguous("reset"), ApiResponse(503, b""), ApiResponse(429, b"")]
)
async def test_trouble_is_reported_and_slows_the_pool_down(server: Server, failure: Result) -> None:
    writer = Writer(send=server.send, limit=AdaptiveLimit(start=16))
    results: dict[str, Result] = {}
    server.answers["a"] = failure
    server.gate.set()
    writer.submit(write("a", results))
    await drain(writer)
    assert results["a"] is failure
    assert writer.limit == 8


@in_virtual_time
async def test_retry_after_pauses_everything_and_then_goes_on(server: Server) -> None:
    writer = Writer(send=server.send, limit=AdaptiveLimit(start=1, highest=1, lowest=1))
    results: dict[str, Result] = {}
    server.answers["a"] = ApiResponse(429, b"", retry_after=0.2)
    server.gate.set()
    for name in "abc":
        writer.submit(write(name, results))
    await asyncio.sleep(0.1)
    assert server.sent == ["a"]
    await drain(writer)
    assert server.sent == ["a", "b", "c"]


async def test_closing_waits_for_what_is_under_way_and_sends_no_more(server: Server) -> None:
    writer = Writer(send=server.send, limit=AdaptiveLimit(start=1, highest=1))
    results: dict[str, Result] = {}
    writer.submit(write("a", results))
    writer.submit(write("b", results))
    await asyncio.sleep(0)
    closing = asyncio.create_task(writer.close())
    await asyncio.sleep(0.01)
    assert not closing.done()
    server.gate.set()
    await closing
    assert (server.sent, list(results)) == (["a"], ["a"])


@in_virtual_time
async def test_a_slow_server_keeps_news_back_only_while_we_are_the_ones_who_strain_it() -> None:
    slow = 0.0

    async def send(request: ApiRequest) -> ApiResponse:
        await asyncio.sleep(slow)
        return ApiResponse(200, b"{}")

    writer = Writer(send=send, limit=AdaptiveLimit(start=64))

    namespaces = itertools.cycle("abcdefgh")

    def one() -> Permit:
        return write("a", {}, namespace=next(namespaces))

    for _ in range(20):
        writer.submit(one())
        await asyncio.sleep(0.001)
    slow = 0.1
    for _ in range(40):
        writer.submit(one())
    await asyncio.sleep(0.15)
    for _ in range(8):
        writer.submit(one())
    await asyncio.sleep(0)
    by_us = writer.busy
    await asyncio.sleep(1.1)  # a shorter gap belongs to the burst
    writer.submit(one())
    await asyncio.sleep(0)
    assert writer.under_way == 1
    by_others = writer.busy
    await writer.close()
    assert (by_us, by_others) == (True, False), "one write does not strain a server"


# Fairness between namespaces.

WEBHOOK = ApiResponse(500, b'{"kind":"Status","code":500,"message":"failed calling webhook \\"w\\": timeout"}')
TOO_LARGE = ApiResponse(500, b'{"kind":"Status","code":500,"message":"etcdserver: request is too large"}')
DENIED = ApiResponse(429, b'{"kind":"Status","code":429,"message":"admission webhook \\"w\\" denied the request: no"}')


@pytest.mark.parametrize(
    ("failure", "admitted"),
    [
        pytest.param(WEBHOOK, True, id="S10 a webhook does not answer"),
        pytest.param(Ambiguous("no answer in 10 s"), True, id="S10 the request runs into its deadline"),
        pytest.param(DENIED, True, id="S10 a webhook answers 429"),
        pytest.param(TOO_LARGE, False, id="L4 a status is larger than etcd takes"),
    ],
)
async def test_trouble_of_one_tenant_is_nobody_elses(server: Server, failure: Result, admitted: bool) -> None:
    writer = Writer(send=server.send, limit=AdaptiveLimit(start=16))
    results: dict[str, Result] = {}
    server.gate.set()
    for number in range(50):
        server.answers[f"bad-{number}"] = failure
        writer.submit(write(f"bad-{number}", results, namespace="bad", admitted=admitted))
    await drain(writer)
    assert len(results) == 50
    assert writer.limit == 16


@in_virtual_time
async def test_s10_writes_that_hang_leave_places_to_other_namespaces() -> None:
    answered: list[str] = []

    async def send(request: ApiRequest) -> ApiResponse:
        await asyncio.sleep(60.0 if request.path.startswith("bad") else 0.001)
        answered.append(request.path)
        return ApiResponse(200, b"{}")

    writer = Writer(send=send, limit=AdaptiveLimit(start=16, highest=16))
    for number in range(100):
        writer.submit(write(f"bad-{number}", {}, namespace="bad", admitted=True))
    for number in range(100):
        writer.submit(write(f"good-{number}", {}, namespace="good", admitted=True))
    async with asyncio.timeout(5):
        while len(answered) < 100:  # noqa: ASYNC110 - the writer has no event for it
            await asyncio.sleep(0.001)
    for task in writer._under_way:
        task.cancel()


async def test_l5_priority_counts_within_a_namespace_only(server: Server) -> None:
    writer = Writer(send=server.send, limit=AdaptiveLimit(start=1, highest=1, lowest=1))
    results: dict[str, Result] = {}
    for number in range(50):
        writer.submit(write(f"loud-{number}", results, namespace="loud", priority=1_000_000))
    writer.submit(write("low", results, namespace="quiet"))
    writer.submit(write("high", results, namespace="quiet", priority=5))
    server.gate.set()
    await drain(writer)
    assert server.sent.index("high") <= 2
    assert server.sent.index("low") <= 4


async def test_l4_small_writes_of_a_namespace_go_beside_its_large_ones(server: Server) -> None:
    writer = Writer(send=server.send, limit=AdaptiveLimit())
    results: dict[str, Result] = {}
    for number in range(10):
        writer.submit(write(f"large-{number}", results, size=262_144))
    writer.submit(write("small", results))
    assert server.sent == []
    await asyncio.sleep(0)
    assert server.sent == ["small"]
    server.gate.set()
    await drain(writer)
    assert len(results) == 11
    assert server.most <= 3, "of large ones half a megabyte is under way"


async def test_l4_large_writes_beside_others_go_one_by_one_and_all_go(server: Server) -> None:
    writer = Writer(send=server.send, limit=AdaptiveLimit())
    results: dict[str, Result] = {}
    server.gate.set()
    for number in range(3):
        for namespace in ("a", "b"):
            writer.submit(write(f"{namespace}-{number}", results, namespace=namespace, size=262_144))
    async with asyncio.timeout(10):
        while len(results) < 6:
            writer.submit(write("small", {}, namespace="others"))
            await asyncio.sleep(0.01)
    large = [name for name in server.sent if name != "small"]
    assert sorted(large) == ["a-0", "a-1", "a-2", "b-0", "b-1", "b-2"]
    assert [name[0] for name in large] in (["a", "b"] * 3, ["b", "a"] * 3), "namespaces take turns"
    await drain(writer)


@in_virtual_time
async def test_l4_an_answer_brings_the_next_large_write_forward() -> None:
    """While one is under way, the next has a time only for the case that it hangs."""
    sent: list[float] = []

    async def send(request: ApiRequest) -> ApiResponse:
        if request.path != "small":
            sent.append(time.monotonic())
        await asyncio.sleep(0.01)
        return ApiResponse(200, b"{}")

    writer = Writer(send=send, limit=AdaptiveLimit())
    for number in range(20):
        writer.submit(write(f"large-{number}", {}, namespace="large", size=17_000, rank=Rank.VERDICT))
    for _ in range(6):
        writer.submit(write("small", {}, namespace="others"))
        await asyncio.sleep(0.45)
    assert len(sent) == 20
    assert max(late - early for early, late in itertools.pairwise(sent)) < 0.03


async def test_l4_a_withheld_large_write_holds_up_no_other(server: Server) -> None:
    writer = Writer(send=server.send, limit=AdaptiveLimit())
    results: dict[str, Result] = {}
    server.gate.set()
    writer.submit(write("late", results, size=262_144, withhold=lambda: OVERTAKEN))
    writer.submit(write("next", results, size=262_144))
    await drain(writer)
    assert (results["late"], server.sent) == (OVERTAKEN, ["next"])


async def test_s4_a_request_is_built_when_its_turn_comes(server: Server) -> None:
    built: list[int] = []
    writer = Writer(send=server.send, limit=AdaptiveLimit(start=2, highest=2))

    def build(number: int) -> ApiRequest:
        built.append(number)
        return ApiRequest(method="POST", path=str(number))

    for number in range(100):
        writer.submit(
            Permit(
                namespace="default",
                rank=Rank.CREATE,
                priority=0,
                build=functools.partial(build, number),
                done=lambda result: None,
            )
        )
    await asyncio.sleep(0.01)
    assert (built, writer.backlog) == ([0, 1], 98)
    server.gate.set()
    await drain(writer)


async def test_a_request_that_cannot_be_built_stops_no_other(server: Server) -> None:
    writer = Writer(send=server.send, limit=AdaptiveLimit(start=2, highest=2))
    results: dict[str, Result] = {}
    server.gate.set()

    def broken() -> Withheld | None:
        raise ZeroDivisionError("boom")

    writer.submit(write("broken", results, withhold=broken))
    writer.submit(write("fine", results))
    await drain(writer)
    withheld = results["broken"]
    assert isinstance(withheld, Withheld)
    assert isinstance(withheld.error, ZeroDivisionError)
    assert server.sent == ["fine"]


@in_virtual_time
async def test_many_namespaces_whose_writes_hang_leave_the_others_their_rate() -> None:
    """The rate is measured in places, of which there are 16, so that it doesn't hang on the machine."""
    under_way: set[str] = set()
    places: list[int] = []

    async def send(request: ApiRequest) -> ApiResponse:
        if request.path.startswith("bad"):
            await asyncio.sleep(1.5)
            return WEBHOOK
        under_way.add(request.path)
        await asyncio.sleep(0.05)
        under_way.discard(request.path)
        return ApiResponse(200, b"{}")

    writer = Writer(send=send, limit=AdaptiveLimit(start=16, highest=16))
    for number in range(400):
        writer.submit(write(f"bad-{number}", {}, namespace=f"bad-{number % 20}", admitted=True))
    await asyncio.sleep(4.0)
    results: dict[str, Result] = {}
    for number in range(1000):
        writer.submit(write(f"good-{number}", results, namespace=f"good-{number % 4}", admitted=True))
    async with asyncio.timeout(30):
        while len(results) < 900:
            await asyncio.sleep(0.001)
            places.append(len(under_way))
    for task in writer._under_way:
        task.cancel()
    assert statistics.fmean(places) >= 0.9 * 16


@in_virtual_time
async def test_writes_that_hang_keep_no_status_of_their_namespace_from_being_written() -> None:
    async def send(request: ApiRequest) -> ApiResponse:
        await asyncio.sleep(30.0 if request.path.startswith("pod") else 0.001)
        return ApiResponse(200, b"{}")

    writer = Writer(send=send, limit=AdaptiveLimit(start=2, highest=2))
    results: dict[str, Result] = {}
    for number in range(10):
        writer.submit(write(f"pod-{number}", results, namespace="bad", admitted=True))
        writer.submit(write(f"pod-of-another-{number}", results, namespace="worse", admitted=True))
    await asyncio.sleep(1.2)
    writer.submit(write("status", results, namespace="bad", rank=Rank.VERDICT))
    async with asyncio.timeout(5):
        while "status" not in results:  # noqa: ASYNC110 - the writer has no event for it
            await asyncio.sleep(0.001)
    assert writer.under_way <= 4, "a namespace that hangs gets no further pod in"
    for task in writer._under_way:
        task.cancel()


async def test_lanes_of_namespaces_that_are_gone_are_forgotten(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "_REMEMBERED", 0.1)
    writer = Writer(send=server.send, limit=AdaptiveLimit(start=16))
    results: dict[str, Result] = {}
    server.gate.set()
    for number in range(20):
        server.answers[f"failed-{number}"] = WEBHOOK
        writer.submit(write(f"failed-{number}", results, namespace=f"failed-{number}", admitted=True))
        writer.submit(write(f"withheld-{number}", results, namespace=f"{number}", withhold=lambda: NOT_LEADER))
    await drain(writer)
    assert set(writer._lanes._lanes) == {f"failed-{number}" for number in range(20)}, (
        "trouble is remembered for a while"
    )
    await asyncio.sleep(0.1)
    writer.submit(write("good", results, namespace="good"))
    await drain(writer)
    assert (writer._lanes._lanes, len(writer._lanes._quiet)) == ({}, 0)


@in_virtual_time
async def test_nothing_is_parked_while_the_server_itself_is_slow() -> None:
    async def send(request: ApiRequest) -> ApiResponse:
        await asyncio.sleep(30.0)
        return ApiResponse(200, b"{}")

    writer = Writer(send=send, limit=AdaptiveLimit(start=2, highest=2))
    for seconds in (*[0.001] * 10, *[2.0] * 30):
        writer._latency.answered(seconds, admitted=False)
    for number in range(10):
        writer.submit(write(f"pod-{number}", {}, namespace=f"{number}", admitted=True))
    await asyncio.sleep(1.3)
    assert writer.under_way == 2
    for task in writer._under_way:
        task.cancel()


@in_virtual_time
async def test_a_gap_in_a_burst_is_no_time_for_writes_that_only_inform() -> None:
    """A second later it is, although no write comes that would show it."""
    seconds = 0.001
    results: dict[str, Result] = {}

    async def send(_: ApiRequest) -> ApiResponse:
        await asyncio.sleep(seconds)
        return ApiResponse(200, b"{}")

    writer = Writer(send=send, limit=AdaptiveLimit(start=16))
    writer.submit(write("at-rest", results))
    await drain(writer)
    seconds = 0.1
    for turn in range(3):
        for number in range(6):
            writer.submit(write(f"{turn}-{number}", results, rank=Rank.VERDICT))
        await drain(writer)
    offered: list[int] = []
    writer.on_idle = offered.append
    assert writer.busy
    writer.submit(write("last", results, rank=Rank.VERDICT))
    await drain(writer)
    assert not any(places > 0 for places in offered)
    async with asyncio.timeout(5):
        while not any(places > 0 for places in offered):  # noqa: ASYNC110 - nothing else shows it
            await asyncio.sleep(0.01)
    assert max(offered) <= writer.limit // 4
    await writer.close()
