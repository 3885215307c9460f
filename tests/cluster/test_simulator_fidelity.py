"""The simulator answers as the real API server does: the same random calls, the same answers, state and events."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings

from podwright.devcluster import EmbeddedCluster
from tests.cluster.fidelity import PATHS, Call, Player, next_sequence, sequences
from tests.support.rest import Rest, Server
from tests.support.simulator.api import Api
from tests.support.simulator.kinds import NAMESPACE
from tests.support.simulator.server import Simulator

DEFINITION = Path(__file__).parents[2] / "crds" / "podwright.dev_batchjobs.yaml"
EXAMPLES = int(os.environ.get("FIDELITY_EXAMPLES", "60"))

Pair = tuple[asyncio.Runner, Rest, Rest, str]


@pytest.fixture(scope="module")
def pair(cluster: EmbeddedCluster, shared_namespace: str) -> Iterator[Pair]:
    """Clients of the simulator and of the real server, on one event loop that lives as long as the module."""
    schema = yaml.safe_load(DEFINITION.read_text())["spec"]["versions"][0]["schema"]["openAPIV3Schema"]

    async def start(stack: AsyncExitStack) -> tuple[Rest, Rest]:
        api = Api(schema=schema)
        api.create(NAMESPACE, "", {"metadata": {"name": shared_namespace}}, user="test")
        simulator = await stack.enter_async_context(Simulator(api))
        simulated = await stack.enter_async_context(Rest(Server(simulator.url, "test")))
        real = await stack.enter_async_context(Rest(Server.from_kubeconfig(cluster.kubeconfig)))
        return simulated, real

    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        try:
            simulated, real = runner.run(start(stack))
            yield runner, simulated, real, shared_namespace
        finally:
            runner.run(stack.aclose())


@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(calls=sequences())
def test_random_calls_are_answered_as_by_the_real_server(pair: Pair, calls: list[Call]) -> None:
    runner, simulated, real, namespace = pair
    runner.run(compare(simulated, real, namespace, calls))


async def compare(simulated: Rest, real: Rest, namespace: str, calls: list[Call]) -> None:
    """Play the calls on both servers; fail at the first difference."""
    sequence = next_sequence()
    players = [Player(rest, namespace, sequence) for rest in (real, simulated)]
    versions = [await player.version() for player in players]
    for number, call in enumerate(calls):
        wanted, got = [await player.play(call) for player in players]
        assert got == wanted, (
            f"call {number} of {[str(known) for known in calls]}: {call}\n real: {wanted}\n ours: {got}"
        )
    wanted, got = [await player.state() for player in players]
    assert got == wanted, f"state\n real: {wanted}\n ours: {got}"
    for plural in PATHS:
        wanted, got = [
            await player.history(plural, after=version) for player, version in zip(players, versions, strict=True)
        ]
        assert got == wanted, f"events of {plural}\n real: {wanted}\n ours: {got}"
