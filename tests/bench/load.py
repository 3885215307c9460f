"""Submits objects: all at once, or at a steady rate. The same client for every kind of workload."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.bench.errors import BenchError

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Sequence

    from tests.bench.observer import Observer
    from tests.bench.workloads import Workload
    from tests.support.rest import Rest


async def burst(rest: Rest, workload: Workload, names: Iterable[str], *, connections: int, observer: Observer) -> None:
    """Submit as fast as `connections` requests at once can."""
    left = iter(names)

    async def submit_some() -> None:
        for name in left:
            await _submit(rest, workload, name, observer)

    await _all_of(submit_some() for _ in range(connections))


async def paced(rest: Rest, workload: Workload, names: Sequence[str], *, rate: float, observer: Observer) -> None:
    """Submit `rate` per second, whether or not the former ones are answered: a slow answer delays no submission."""

    async def submit_after(seconds: float, name: str) -> None:
        await asyncio.sleep(seconds)
        await _submit(rest, workload, name, observer)

    await _all_of(submit_after(position / rate, name) for position, name in enumerate(names))


async def _all_of(submissions: Iterable[Coroutine[None, None, None]]) -> None:
    tasks = [asyncio.create_task(submission) for submission in submissions]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _submit(rest: Rest, workload: Workload, name: str, observer: Observer) -> None:
    body = workload.manifest(name)
    observer.submitting(name)
    answer = await rest.send("POST", workload.path, body)
    if answer.code != 201:
        raise BenchError(f"{workload.title} {name} was refused: {answer.code} {answer.body.get('message', '')}")
