"""Jobs on cycles of dependencies are found, each with a cycle, in graphs of any depth."""

import itertools
import time
from collections.abc import Generator, Iterable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.core.job.gates.cycle import Cycle, components_on_cycles, cycle_from, cycle_within, in_words

Graph = Mapping[str, Iterable[str]]


def components(graph: Graph, roots: Iterable[str] | None = None) -> set[frozenset[str]]:
    """Return the components of a graph given as its edges."""
    found = components_on_cycles(graph if roots is None else roots, successors=lambda job: graph.get(job, ()))
    return {frozenset(component) for component in found if component is not None}


def finish(search: Generator[None, None, list[str]]) -> list[str]:
    """Return what a search that can be paused comes to."""
    while True:
        try:
            next(search)
        except StopIteration as end:
            path: list[str] = end.value
            return path


def shortest(graph: Graph, start: str) -> list[str]:
    """Return a cycle through a job."""
    return finish(cycle_within(set(graph), start=start, successors=lambda job: graph.get(job, ())))


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        pytest.param({"a": ["a"]}, {"a"}, id="on itself"),
        pytest.param({"a": ["b"], "b": ["a"]}, {"ab"}, id="two"),
        pytest.param({"a": ["b"], "b": ["c"], "c": ["b"]}, {"bc"}, id="one leads to a cycle"),
        pytest.param({"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": []}, set(), id="diamond"),
        pytest.param({"a": ["b"], "b": ["a", "c"], "c": ["d"], "d": ["c"]}, {"ab", "cd"}, id="one after the other"),
        pytest.param({"a": ["b", "d"], "b": ["c"], "c": ["a"], "d": ["a"]}, {"abcd"}, id="two that share a job"),
    ],
)
def test_components_of_small_graphs(graph: Graph, expected: set[str]) -> None:
    assert components(graph) == {frozenset(names) for names in expected}


def test_the_shortest_of_several_cycles_through_a_job() -> None:
    graph = {"a": ["b", "d"], "b": ["c"], "c": ["a"], "d": ["a"]}
    assert shortest(graph, "b") == ["b", "c", "a"]
    assert shortest(graph, "a") == ["a", "d"]


def test_a_hundred_thousand_in_a_row_and_a_wide_mesh_take_no_time() -> None:
    chain = {f"n{n}": [f"n{n + 1}"] for n in range(100_000)}
    ring = {**chain, "n100000": ["n0"]}
    layers = {f"{layer}/{n}": [f"{layer + 1}/{m}" for m in range(30)] for layer in range(30) for n in range(30)}
    began = time.process_time()
    assert components(chain) == set()
    assert [len(one) for one in components(ring)] == [100_001]
    assert len(shortest(ring, "n5")) == 100_001
    assert components(layers) == set()
    assert time.process_time() - began < 5.0


@given(st.dictionaries(st.sampled_from("abcdefg"), st.lists(st.sampled_from("abcdefg"), max_size=4)))
def test_two_jobs_are_in_one_component_exactly_if_each_can_reach_the_other(graph: dict[str, list[str]]) -> None:
    reached = {start: _reached(start, graph) for start in "abcdefg"}
    found = components(graph)
    for start in "abcdefg":
        component = frozenset(other for other in reached[start] if start in reached[other])
        assert not component or component in found
        cycle = shortest(graph, start)
        assert bool(cycle) == bool(component)
        if cycle:
            assert cycle[0] == start
            assert len(set(cycle)) == len(cycle)
            assert all(after in graph[before] for before, after in itertools.pairwise([*cycle, start]))
    assert sum(map(len, found)) == sum(start in reached[start] for start in "abcdefg")


def test_a_cycle_is_told_from_the_job_on() -> None:
    assert cycle_from("abc", start=1, name_of=str.upper) == Cycle(names=("B", "C", "A"), length=3)
    assert in_words(cycle_from("abc", start=2, name_of=str)) == "c → a → b → c"
    long = cycle_from(range(12), start=10, name_of=str)
    assert in_words(long) == "10 → 11 → 0 → 1 → 2 → 3 → 4 → 5 → 6 → (3 more) → 10"


def _reached(start: str, graph: Graph) -> set[str]:
    reached: set[str] = set()
    frontier = list(graph.get(start, ()))
    while frontier:
        name = frontier.pop()
        if name not in reached:
            reached.add(name)
            frontier += graph.get(name, ())
    return reached
