"""What an operator knows of its own blindness, from reflectors whose state is set by hand."""

import asyncio
from typing import Any, cast

import pytest

from podwright.kube.reflector import Cause, Reflector
from podwright.runtime.metrics import Metrics
from podwright.runtime.sight import Sight


class Mirror:
    """The state of a reflector."""

    def __init__(
        self, kind: str, *, contact: float, problem: str = "", cause: Cause = Cause.NONE, namespace: str = ""
    ) -> None:
        self.kind, self.namespace = kind, namespace
        self.last_contact = contact
        self.problem, self.cause = problem, cause
        self.lists = self.watches = 1
        self.went_back = False
        self.synced = asyncio.Event()


def sight_of(*mirrors: Mirror, now: float = 1000.0) -> tuple[Sight, Metrics]:
    metrics = Metrics()
    reflectors = cast("list[Reflector[Any]]", list(mirrors))
    return Sight(reflectors, limit=120.0, metrics=metrics, clock=lambda: now), metrics


@pytest.mark.parametrize(
    ("contact", "problem", "words"),
    [
        pytest.param(900.0, "", "", id="S14 heard of lately"),
        pytest.param(880.0, "pods: 403", "", id="S14 a refusal that may pass"),
        pytest.param(870.0, "pods: 403", "no news of Pod objects for 130 s: pods: 403", id="S14 refused for long"),
        pytest.param(
            870.0, "", "no news of Pod objects for 130 s: the watch is silent", id="S14 a watch that tells nothing"
        ),
    ],
)
def test_blindness_is_told_with_its_reason(contact: float, problem: str, words: str) -> None:
    sight, _ = sight_of(Mirror("BatchJob", contact=1000.0), Mirror("Pod", contact=contact, problem=problem))
    assert sight.blindness() == words


def test_one_blind_namespace_is_enough() -> None:
    sight, _ = sight_of(
        Mirror("Pod", contact=1000.0, namespace="a"), Mirror("Pod", contact=0.0, namespace="b", problem="forbidden")
    )
    assert sight.blindness() == "no news of Pod objects of namespace b for 1000 s: forbidden"


def test_s14_metrics_tell_age_repetitions_and_cause() -> None:
    pods = Mirror("Pod", contact=850.0, problem="pods: 403", cause=Cause.REFUSED)
    sight, metrics = sight_of(Mirror("BatchJob", contact=999.0), pods)
    pods.lists, pods.watches = 3, 5
    sight.observe()
    sight.observe()
    text = metrics.exposition().decode()
    for line in (
        'podwright_cache_age_seconds{kind="BatchJob"} 1.0',
        'podwright_cache_age_seconds{kind="Pod"} 150.0',
        'podwright_cache_relists_total{kind="Pod"} 2.0',
        'podwright_cache_relists_total{kind="BatchJob"} 0.0',
        'podwright_watch_restarts_total{kind="Pod"} 4.0',
        'podwright_blind{kind="Pod"} 1.0',
        'podwright_blind{kind="BatchJob"} 0.0',
        'podwright_cache_problem{cause="Refused",kind="Pod"} 1.0',
    ):
        assert line in text.splitlines()
    pods.cause, pods.last_contact = Cause.NONE, 1000.0
    sight.observe()
    text = metrics.exposition().decode()
    assert "podwright_cache_problem{" not in text
    assert 'podwright_blind{kind="Pod"} 0.0' in text
