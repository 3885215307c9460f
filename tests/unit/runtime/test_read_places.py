"""Places for reads against reads that end when the test says so."""

import asyncio
from collections import Counter

import pytest

from podwright.runtime.read_places import ReadPlaces


class Reads:
    """Starts reads in namespaces, and ends the oldest that is under way. `began` names the namespace of each, in order."""

    def __init__(self, *, at_once: int, for_one: int) -> None:
        self.began: list[str] = []
        self._places = ReadPlaces(at_once=at_once, for_one=for_one)
        self._under_way: list[tuple[str, asyncio.Event]] = []

    async def start(self, namespaces: str) -> None:
        """Start a read for each letter."""
        for namespace in namespaces:
            self._places.start(lambda namespace=namespace: self._read(namespace), namespace=namespace)  # type: ignore[misc]
        await asyncio.sleep(0)

    async def _read(self, namespace: str) -> None:
        ended = asyncio.Event()
        self.began.append(namespace)
        self._under_way.append((namespace, ended))
        await ended.wait()

    @property
    def under_way(self) -> Counter[str]:
        """Return how many reads each namespace has under way."""
        return Counter(namespace for namespace, _ in self._under_way)

    def tasks(self) -> list[asyncio.Task[None]]:
        """Return the tasks of the reads that are under way."""
        return list(self._places._tasks)

    async def end(self, count: int, *, of: str = "") -> None:
        """End so many reads, one after the other."""
        for _ in range(count):
            place = next(n for n, (namespace, _) in enumerate(self._under_way) if not of or namespace == of)
            self._under_way.pop(place)[1].set()
            for _ in range(3):
                await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("started", "ended", "began"),
    [
        pytest.param("aaa", 0, "aaa", id="one namespace has as many places as it may"),
        pytest.param("aaaaa", 0, "aaa", id="and no more, though one is free"),
        pytest.param("aaaaab", 0, "aaab", id="which is for who comes next"),
        pytest.param("aaaaaaabbbb", 4, "aaabbaab", id="two namespaces: who has fewer under way goes first"),
        pytest.param("aaaabcd", 3, "aaabcda", id="each of several goes before the rest of one"),
        pytest.param("aaaabbccdd", 5, "aaabcdabc", id="those that have equally many take turns"),
        pytest.param("ab", 2, "ab", id="nobody waits"),
    ],
)
async def test_s4_namespaces_share_the_places(started: str, ended: int, began: str) -> None:
    reads = Reads(at_once=4, for_one=3)
    await reads.start(started)
    await reads.end(ended)
    assert "".join(reads.began) == began


async def test_s4_the_reads_of_one_namespace_that_hang_leave_the_others_their_places() -> None:
    reads = Reads(at_once=32, for_one=24)
    await reads.start("a" * 500)
    await reads.start("b" * 100)
    assert reads.under_way == {"a": 24, "b": 8}
    await reads.end(100, of="b")
    assert Counter(reads.began) == {"a": 24, "b": 100}


async def test_all_reads_are_made_in_the_end() -> None:
    reads = Reads(at_once=4, for_one=3)
    await reads.start("abcdeabcabab" * 20)
    await reads.end(240)
    assert Counter(reads.began) == Counter("abcdeabcabab" * 20)
    assert not reads.under_way


async def test_a_read_that_breaks_our_code_leaves_its_place() -> None:
    places, made = ReadPlaces(at_once=1, for_one=1), asyncio.Event()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: None)  # as it would be logged

    async def broken() -> None:
        raise ZeroDivisionError

    async def next_one() -> None:
        made.set()

    places.start(broken, namespace="a")
    places.start(next_one, namespace="a")
    async with asyncio.timeout(5):
        await made.wait()


async def test_nothing_is_begun_while_the_loop_is_being_closed() -> None:
    reads = Reads(at_once=4, for_one=3)
    await reads.start("aaaaaabbbbbb")
    for task in reads.tasks():
        task.cancel()
    for _ in range(5):
        await asyncio.sleep(0)
    assert reads.began == [*"aaab"]
