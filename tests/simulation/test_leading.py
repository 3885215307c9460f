"""The whole operator, elections included, against the simulated API server: when it leads, and when it must not."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from podwright.kube.access import Access
from podwright.kube.credentials import FixedCredentials
from podwright.runtime.operator import Operator
from podwright.runtime.settings import Settings
from podwright.runtime.sight import BlindError
from tests.simulation.world import until
from tests.support.simulator.api import Api
from tests.support.simulator.fence import OPERATOR, SYSTEM_NAMESPACE, fence
from tests.support.simulator.kinds import LEASE, NAMESPACE
from tests.support.simulator.server import Simulator
from tests.support.simulator.storage import Key
from tests.support.virtual_time import in_virtual_time

LEASE_KEY = Key(SYSTEM_NAMESPACE, "podwright-shard-0")


@contextlib.asynccontextmanager
async def simulated(*, bookmark_seconds: float) -> AsyncIterator[Simulator]:
    api = Api()
    api.rules.append(fence(api))
    for name in (SYSTEM_NAMESPACE, "team-a", "team-b"):
        api.create(NAMESPACE, "", {"metadata": {"name": name}}, user="system:admin")
    async with Simulator(api, bookmark_seconds=bookmark_seconds) as simulator:
        yield simulator


def operator_at(simulator: Simulator, *, blind_limit: float, identity: str = "a") -> Operator:
    settings = Settings(identity=identity, namespace=SYSTEM_NAMESPACE, blind_limit=blind_limit, http_port=0)
    return Operator(credentials=FixedCredentials(Access(server=simulator.url, token=OPERATOR)), settings=settings)


def holder(simulator: Simulator) -> str:
    lease = simulator.api.table(LEASE).objects.get(LEASE_KEY)
    return "" if lease is None else str(lease.document.get("spec", {}).get("holderIdentity") or "")


@in_virtual_time
async def test_s14_a_blind_leader_steps_down_and_gives_the_lease_back() -> None:
    async with simulated(bookmark_seconds=600) as simulator:
        operator = operator_at(simulator, blind_limit=2.0)
        running = asyncio.create_task(operator.run(stop=asyncio.Event()))
        await until(lambda: holder(simulator) == "a")
        # Its Lease is renewed all the while: only the watches tell nothing.
        with pytest.raises(BlindError, match=r"stepping down: no news of \w+ objects for \d+ s: the watch is silent"):
            await running
        assert holder(simulator) == ""


@in_virtual_time
async def test_s14_news_and_bookmarks_keep_a_leader_in_office() -> None:
    async with simulated(bookmark_seconds=0.3) as simulator:
        operator = operator_at(simulator, blind_limit=2.0)
        stop = asyncio.Event()
        running = asyncio.create_task(operator.run(stop=stop))
        await until(lambda: operator.exposition().decode().count("\npodwright_leading_shards 1.0") == 1)
        assert operator.health().ready_problem == ""
        await asyncio.sleep(4.0)
        assert holder(simulator) == "a"
        stop.set()
        await running


@in_virtual_time
async def test_s14_a_standby_that_could_not_act_does_not_compete_and_says_so() -> None:
    async with simulated(bookmark_seconds=600) as simulator:
        operator = operator_at(simulator, blind_limit=-1.0)  # blind from the beginning
        stop = asyncio.Event()
        running = asyncio.create_task(operator.run(stop=stop))
        await until(lambda: "not competing" in operator.health().ready_problem)
        assert "no news of BatchJob objects" in operator.health().ready_problem
        assert operator.health().alive_problem == ""
        assert holder(simulator) == ""
        stop.set()
        await running


@in_virtual_time
async def test_s14_a_standby_that_may_not_take_the_lease_is_not_ready() -> None:
    async with simulated(bookmark_seconds=600) as simulator:
        settings = Settings(identity="a", namespace="missing", http_port=0)
        credentials = FixedCredentials(Access(server=simulator.url, token=OPERATOR))
        operator = Operator(credentials=credentials, settings=settings)
        stop = asyncio.Event()
        running = asyncio.create_task(operator.run(stop=stop))
        await until(lambda: "cannot compete for the Lease missing/podwright-shard-0" in operator.health().ready_problem)
        stop.set()
        await running
