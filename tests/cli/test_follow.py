"""Watches that end, break and expire, against a scripted server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from podwright.cli.connection import Connection
from podwright.cli.errors import CommandError
from podwright.cli.follow import Change, Deadline, DeadlineError, Follower
from podwright.cli.job_client import JobClient
from tests.cli.jobs.objects import make_job
from tests.cli.jobs.stub import Stub

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

JOBS = "/apis/podwright.dev/v1alpha1/namespaces/n/batchjobs"


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub().running() as started:
        yield started


@pytest.fixture
def client(stub: Stub, tmp_path: Path) -> JobClient:
    return JobClient(Connection.open(kubeconfig=str(stub.kubeconfig(tmp_path / "k")), context=None), namespace="n")


def job(name: str, version: str, phase: str = "") -> dict[str, Any]:
    return make_job(name, uid=name, phase=phase, meta={"resourceVersion": version})


def listed(version: str, *jobs: dict[str, Any]) -> tuple[int, Any]:
    return 200, {"metadata": {"resourceVersion": version}, "items": list(jobs)}


def events(*each: tuple[str, dict[str, Any]], cut: bool = False) -> tuple[int, Any]:
    lines: list[bytes | None] = [json.dumps({"type": kind, "object": item}).encode() + b"\n" for kind, item in each]
    return 200, [*lines, *([None] if cut else [])]


def play(stub: Stub, *answers: tuple[int, Any]) -> None:
    """Give these answers one after the other to whatever is asked of the jobs."""
    script = iter(answers)
    stub.answers[JOBS] = lambda query: next(script)


def told(follower: Follower, count: int) -> list[tuple[str, str, bool]]:
    found: list[Change] = []
    for change in follower.changes():
        found.append(change)
        if len(found) == count:
            break
    return [(c.job["metadata"]["name"], c.job["metadata"]["resourceVersion"], c.gone) for c in found]


def test_a_watch_that_ends_or_breaks_goes_on_where_it_was(stub: Stub, client: JobClient) -> None:
    play(
        stub,
        listed("5", job("a", "3")),
        events(("MODIFIED", job("a", "6"))),
        events(("BOOKMARK", {"metadata": {"resourceVersion": "8"}}), cut=True),
        events(("ADDED", job("b", "9")), ("DELETED", job("a", "10"))),
    )
    assert told(Follower(client), 4) == [("a", "3", False), ("a", "6", False), ("b", "9", False), ("a", "10", True)]
    assert [query.get("resourceVersion") for _, query in stub.asked] == [None, "5", "6", "8"]


@pytest.mark.parametrize("form", ["answer", "event"])
def test_an_expired_watch_lists_again_and_tells_what_vanished(stub: Stub, client: JobClient, form: str) -> None:
    expired = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}
    play(
        stub,
        listed("5", job("a", "3"), job("b", "4")),
        (410, expired) if form == "answer" else events(("ERROR", expired)),
        listed("9", job("b", "8")),
    )
    assert told(Follower(client), 4) == [("a", "3", False), ("b", "4", False), ("a", "3", True), ("b", "8", False)]


def test_a_known_job_that_is_not_there_is_gone(stub: Stub, client: JobClient) -> None:
    play(stub, listed("5"))
    assert told(Follower(client, known=[job("a", "1")]), 1) == [("a", "1", True)]


def test_troubles_of_the_server_are_waited_out(stub: Stub, client: JobClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("podwright.cli.follow._PAUSE_SECONDS", 0.01)
    overloaded = (503, {"kind": "Status", "code": 503, "message": "overloaded"})
    play(stub, overloaded, listed("5", job("a", "3")), overloaded, events(("MODIFIED", job("a", "6"))))
    assert told(Follower(client), 2) == [("a", "3", False), ("a", "6", False)]


def test_a_refusal_is_told_at_once(stub: Stub, client: JobClient) -> None:
    play(stub, (403, {"kind": "Status", "code": 403, "reason": "Forbidden", "message": "user cannot list"}))
    with pytest.raises(CommandError, match="user cannot list"):
        told(Follower(client), 1)


def test_the_deadline_ends_a_silent_watch(stub: Stub, client: JobClient) -> None:
    play(stub, listed("5"), *[events() for _ in range(1000)])
    with pytest.raises(DeadlineError):
        told(Follower(client, deadline=Deadline(0.3)), 1)


def test_a_throttled_request_is_sent_again(stub: Stub, client: JobClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("podwright.cli.connection.time.sleep", lambda seconds: None)
    busy = (429, {"kind": "Status", "code": 429, "reason": "TooManyRequests", "message": "busy"})
    play(stub, busy, busy, listed("5", job("a", "3")))
    assert [each["metadata"]["name"] for each in client.all()] == ["a"]
