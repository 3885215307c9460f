"""Circles of dependencies are found, shortest first, in graphs of any depth."""

import itertools
import time
from collections.abc import Iterable, Mapping

from hypothesis import given
from hypothesis import strategies as st

from podwright.core.job.gates.cycle import cycle_through, entangled_with

Graph = Mapping[str, Iterable[str]]


def through(start: str, graph: Graph) -> tuple[str, ...]:
    """Search in a graph given as its edges."""
    return cycle_through(start, successors=lambda name: graph.get(name, ()))


def test_circles_of_one_two_and_three_and_the_shortest_of_several() -> None:
    assert through("a", {"a": ["a"]}) == ("a", "a")
    assert through("a", {"a": ["b"], "b": ["a"]}) == ("a", "b", "a")
    graph = {"a": ["b", "d"], "b": ["c"], "c": ["a"], "d": ["a"]}
    assert through("b", graph) == ("b", "c", "a", "b")
    assert through("a", graph) == ("a", "d", "a")


def test_a_circle_elsewhere_and_a_diamond_are_none() -> None:
    assert through("a", {"a": ["b"], "b": ["c"], "c": ["b"]}) == ()
    assert through("a", {"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": []}) == ()
    assert cycle_through("a", successors=lambda _: ["b"], without={"b"}) == ()


def test_ten_thousand_in_a_row_and_a_wide_mesh_take_no_time() -> None:
    chain = {f"n{n}": [f"n{n + 1}"] for n in range(10_000)}
    ring = {**chain, "n10000": ["n0"]}
    layers = {f"{layer}/{n}": [f"{layer + 1}/{m}" for m in range(30)] for layer in range(30) for n in range(30)}
    began = time.perf_counter()
    assert through("n0", chain) == ()
    assert len(through("n0", ring)) == 10_002
    assert through("0/0", layers) == ()
    assert time.perf_counter() - began < 2.0


@given(st.dictionaries(st.sampled_from("abcdefg"), st.lists(st.sampled_from("abcdefg"), max_size=4)))
def test_a_circle_is_found_exactly_if_the_start_can_reach_itself(graph: dict[str, list[str]]) -> None:
    for start in "abcdefg":
        reached: set[str] = set()
        frontier = list(graph.get(start, ()))
        while frontier:
            name = frontier.pop()
            if name not in reached:
                reached.add(name)
                frontier += graph.get(name, ())
        cycle = through(start, graph)
        entangled = entangled_with(
            start,
            successors=lambda name: graph.get(name, ()),
            predecessors=lambda name: [one for one, after in graph.items() if name in after],
        )
        assert set(cycle) <= entangled
        assert all(through(name, graph) for name in entangled - {start})
        assert bool(cycle) == (start in reached)
        if cycle:
            assert cycle[0] == cycle[-1] == start
            assert len(set(cycle)) == len(cycle) - 1
            assert all(after in graph[before] for before, after in itertools.pairwise(cycle))
