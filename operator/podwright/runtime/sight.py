"""Whether this operator still sees what happens: how old its caches are.

A leader that renews its Lease while it sees nothing keeps everybody else from acting; so it steps down, and a standby that
could not see either doesn't compete. Used by `operator` for that, for the probes and for the metrics.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

from podwright.kube.reflector import Cause, Reflector
from podwright.runtime.metrics import Metrics


class BlindError(RuntimeError):
    """Nothing was heard of some kind for too long: somebody else should lead."""


class Sight:
    """What the reflectors see. `limit` is for how many seconds one may be without news."""

    def __init__(
        self,
        reflectors: Sequence[Reflector[Any]],
        *,
        limit: float,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reflectors = reflectors
        self._limit = limit
        self._metrics = metrics
        self._clock = clock
        self._counted: dict[int, tuple[int, int]] = {}

    def blindness(self) -> str:
        """Return why this operator must not lead, for the first collection that nothing was heard of; empty while it sees."""
        return next((self._words(each) for each in self._reflectors if self._age(each) > self._limit), "")

    def unlisted(self) -> list[str]:
        """Return which collections were not read yet, in words."""
        return [
            f"{_name(each)} are not listed yet{': ' if each.problem else ''}{each.problem}"
            for each in self._reflectors
            if not each.synced.is_set()
        ]

    def hopeless(self, *, after: float) -> str:
        """Return why only a new process can help: the API server has shown an older state than ours for so many seconds."""
        for each in self._reflectors:
            if each.went_back and self._age(each) > after:
                return self._words(each)
        return ""

    async def synced(self) -> None:
        """Wait until everything was listed."""
        for each in self._reflectors:
            await each.synced.wait()

    def observe(self) -> None:
        """Bring the metrics up to date."""
        for kind in dict.fromkeys(each.kind for each in self._reflectors):
            mirrors = [each for each in self._reflectors if each.kind == kind]
            age = max(self._age(each) for each in mirrors)
            counts = [self._new_counts(each) for each in mirrors]
            self._metrics.mirrored(
                kind=kind,
                age=age,
                relists=sum(lists for lists, _ in counts),
                rewatches=sum(watches for _, watches in counts),
                causes=sorted({each.cause.value for each in mirrors if each.cause is not Cause.NONE}),
                blind=age > self._limit,
            )

    def _new_counts(self, reflector: Reflector[Any]) -> tuple[int, int]:
        """Return how often objects were listed and watched again since the last time; the first of both is no repetition."""
        counted = self._counted.get(id(reflector), (1, 1))
        current = max(reflector.lists, 1), max(reflector.watches, 1)
        self._counted[id(reflector)] = current
        return current[0] - counted[0], current[1] - counted[1]

    def _age(self, reflector: Reflector[Any]) -> float:
        return self._clock() - reflector.last_contact

    def _words(self, reflector: Reflector[Any]) -> str:
        why = reflector.problem or "the watch is silent"
        return f"no news of {_name(reflector)} for {self._age(reflector):.0f} s: {why}"


def _name(reflector: Reflector[Any]) -> str:
    return f"{reflector.kind} objects" + (f" of namespace {reflector.namespace}" if reflector.namespace else "")
