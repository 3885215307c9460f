"""Fixtures: a simulator on a clock that stands still, and a client of it."""

from collections.abc import AsyncIterator

import pytest

from tests.support.rest import Rest, Server
from tests.support.simulator.api import Api
from tests.support.simulator.clock import ManualClock
from tests.support.simulator.server import Simulator


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def api(clock: ManualClock) -> Api:
    return Api(clock=clock)


@pytest.fixture
async def simulator(api: Api) -> AsyncIterator[Simulator]:
    async with Simulator(api, bookmark_seconds=0.05) as simulator:
        yield simulator


@pytest.fixture
async def rest(simulator: Simulator) -> AsyncIterator[Rest]:
    async with Rest(Server(simulator.url, "somebody")) as rest:
        yield rest
