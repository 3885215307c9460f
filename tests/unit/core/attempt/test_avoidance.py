"""Nodes that the next attempt had better avoid."""

from typing import Any

import pytest

from podwright.core.attempt.avoidance import avoiding, failed_nodes
from podwright.core.model.attempt import Outcome
from tests.support.builders import make_attempt, make_job

JOB = make_job()
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def against(*nodes: str) -> dict[str, Any]:
    """Build the preference."""
    names = [{"key": "metadata.name", "operator": "NotIn", "values": [node]} for node in nodes]
    return {"weight": 100, "preference": {"matchFields": names}}


def test_the_nodes_are_those_of_the_last_failures_each_once() -> None:
    told = [
        ("a", Outcome.FAILED),
        ("b", Outcome.LOST),
        ("c", Outcome.STOPPED),
        ("d", Outcome.SUCCEEDED),
        ("e", None),
        ("", Outcome.FAILED),
        ("a", Outcome.FAILED),
    ]
    attempts = [make_attempt(JOB, number=n, node=node, outcome=outcome) for n, (node, outcome) in enumerate(told)]
    assert failed_nodes(attempts) == ("a", "b")
    many = [make_attempt(JOB, number=n, node=f"n{n}") for n in range(15)]
    assert failed_nodes(many) == tuple(f"n{n}" for n in range(14, 4, -1))


@pytest.mark.parametrize(
    ("affinity", "want"),
    [
        (None, {"nodeAffinity": {PREFERRED: [against("a", "b")]}}),
        (
            {"podAffinity": {"x": 1}, "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"y": 2}}},
            {
                "podAffinity": {"x": 1},
                "nodeAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": {"y": 2},
                    PREFERRED: [against("a", "b")],
                },
            },
        ),
        (
            {"nodeAffinity": {PREFERRED: [{"weight": 1}]}},
            {"nodeAffinity": {PREFERRED: [{"weight": 1}, against("a", "b")]}},
        ),
        ({"nodeAffinity": None}, {"nodeAffinity": {PREFERRED: [against("a", "b")]}}),
    ],
    ids=["none yet", "others are kept", "a preference is kept", "an empty one"],
)
def test_avoiding(affinity: dict[str, Any] | None, want: dict[str, Any]) -> None:
    before = repr(affinity)
    assert avoiding(affinity, ["a", "b"]) == want
    assert repr(affinity) == before


@pytest.mark.parametrize("affinity", [None, {"podAffinity": {}}])
def test_nothing_is_added_without_nodes(affinity: dict[str, Any] | None) -> None:
    assert avoiding(affinity, ()) == affinity
