"""SIGKILL at every write (F1): a scenario is told once undisturbed, then once for each write and each moment around it.

Which writes there are is not written down anywhere: the runner goes on to the next number until a run ends without having
come that far. So a write that is added to the operator is covered without a change here. Each run has its own namespace.
"""

import asyncio
import itertools
from collections.abc import Mapping
from typing import Final

import msgspec

from tests.faults.actions import Kill, Moment
from tests.faults.history import Exchange
from tests.faults.operators import OperatorProcess
from tests.faults.scenarios import Document, Scenario, end_state
from tests.faults.world import World

MOST_WRITES: Final = 60
"""A run with more is no run but a hot loop."""


class Killed(msgspec.Struct, frozen=True):
    """One run with a kill. `victim` is the request around which it happened, None if the run had no such write."""

    victim: Exchange | None
    end: Document


class Killing:
    """Kills the operators of one world, started with `settings`, while they carry out one scenario."""

    def __init__(self, world: World, scenario: Scenario, *, settings: Mapping[str, str] | None = None) -> None:
        self._world = world
        self._scenario = scenario
        self._settings = settings
        self._operator: OperatorProcess | None = None

    async def clean(self) -> tuple[list[Exchange], Document]:
        """Run the scenario undisturbed; return the writes and the end."""
        await self._running()
        namespace = await self._world.new_namespace()
        await self._tell(namespace)
        writes = self._world.proxy.history.writes(namespace)
        assert 0 < len(writes) <= MOST_WRITES, [str(write) for write in writes]
        return list(writes), end_state(self._world, namespace)

    async def killed(self, number: int, moment: Moment) -> Killed:
        """Run the scenario, killing the operator at one moment around its `number`-th write (from 1)."""
        operator = await self._running()
        namespace = await self._world.new_namespace()
        kill = Kill(operator.kill, moment)
        rule = self._world.proxy.add(kill, writes=True, namespace=namespace, skip=number - 1, count=1)
        succession = asyncio.create_task(self._succeed(operator))
        try:
            await self._tell(namespace)
        finally:
            self._world.proxy.rules.remove(rule)
            if kill.victim is None:
                succession.cancel()
            await asyncio.gather(succession, return_exceptions=kill.victim is None)
        return Killed(kill.victim, end_state(self._world, namespace))

    async def every_write(self) -> int:
        """Kill at every moment around every write; every run must end like the clean one. Gives the number of kills."""
        _, wanted = await self.clean()
        kills = 0
        for number in itertools.count(1):
            assert number <= MOST_WRITES
            runs = [await self.killed(number, moment) for moment in Moment]
            for moment, run in zip(Moment, runs, strict=True):
                told = f"{self._scenario.name}, write {number}, killed {moment}: {run.victim}"
                assert run.end == wanted, f"{told}\n  it ended {run.end}\n  instead of {wanted}"
            kills += sum(run.victim is not None for run in runs)
            if all(run.victim is None for run in runs):
                await self._world.check_quiet()
                return kills
        raise AssertionError("unreachable")

    async def every_write_whatever_the_end(self) -> list[Document]:
        """Kill at every moment around every write; only the invariants must hold. Gives the ends."""
        await self.clean()
        ends: list[Document] = []
        for number in itertools.count(1):
            assert number <= MOST_WRITES
            runs = [await self.killed(number, moment) for moment in Moment]
            if all(run.victim is None for run in runs):
                await self._world.check_quiet()
                return ends
            ends += [run.end for run in runs if run.victim is not None]
        raise AssertionError("unreachable")

    async def _running(self) -> OperatorProcess:
        if self._operator is None or self._operator.exit_code is not None:
            self._operator = await self._world.start_operator(settings=self._settings)
        return self._operator

    async def _succeed(self, operator: OperatorProcess) -> None:
        """Be the Deployment: start a successor as soon as the operator is dead."""
        await operator.ended.wait()
        self._operator = await self._world.restart_operator(operator, settings=self._settings)

    async def _tell(self, namespace: str) -> None:
        world, scenario = self._world, self._scenario
        await scenario.tell(world, namespace)
        await world.settle(namespace, waiting=scenario.waiting)
        world.check(namespace, deleted_by_user=scenario.deleted, waiting=scenario.waiting)
