"""Watches that end, break and expire, against a scripted server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from podwright.cli.connection import Connection
from podwright.cli.errors import CommandError
from podwright.cli.follow import Change, Follower
from podwright.cli.job_client import JobClient
from podwright.cli.jobs.listing import View, show
from podwright.cli.jobs.waiting import wait_for
from podwright.cli.options import ListFormat
from podwright.cli.patience import Deadline, DeadlineError
from tests.unit.cli.jobs.objects import make_job
from tests.unit.cli.jobs.stub import Stub

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

JOBS = "/apis/podwright.dev/v1alpha1/namespaces/n/batchjobs"


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stub]:
    monkeypatch.setattr("podwright.cli.patience._PAUSE_SECONDS", 0.01)
    monkeypatch.setattr("podwright.cli.follow._GAP_SECONDS", 0.01)
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
    """Return these answers one after the other to whatever is asked of the jobs."""
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


def test_of_jobs_that_are_not_known_nothing_is_told(stub: Stub, client: JobClient) -> None:
    play(stub, listed("5", job("a", "1"), job("b", "2")), events(("ADDED", job("c", "6")), ("DELETED", job("a", "7"))))
    assert told(Follower(client, known=[job("a", "1")]), 1) == [("a", "7", True)]


def test_troubles_of_the_server_are_waited_out(stub: Stub, client: JobClient) -> None:
    overloaded = (503, {"kind": "Status", "code": 503, "message": "overloaded"})
    play(stub, overloaded, listed("5", job("a", "3")), overloaded, events(("MODIFIED", job("a", "6"))))
    assert told(Follower(client), 2) == [("a", "3", False), ("a", "6", False)]


@pytest.mark.parametrize("listed_before", [False, True])
def test_a_server_that_stays_away_is_given_up(
    stub: Stub, client: JobClient, monkeypatch: pytest.MonkeyPatch, listed_before: bool
) -> None:
    monkeypatch.setattr("podwright.cli.follow._GIVE_UP_SECONDS", 0.05)
    overloaded = (503, {"kind": "Status", "code": 503, "message": "overloaded"})
    play(stub, *([listed("5")] if listed_before else []), *[overloaded] * 1000)
    with pytest.raises(CommandError, match="overloaded"):
        told(Follower(client, deadline=Deadline(5.0)), 1)


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


def test_a_list_that_takes_too_long_is_read_in_one_piece(stub: Stub, client: JobClient) -> None:
    expired = (
        410,
        {"kind": "Status", "code": 410, "reason": "Expired", "message": "the continue parameter is too old"},
    )
    first = (200, {"metadata": {"resourceVersion": "5", "continue": "more"}, "items": [job("a", "3")]})
    play(stub, first, expired, listed("9", job("a", "3"), job("b", "8")))
    assert [each["metadata"]["name"] for each in client.all()] == ["a", "b"]
    assert [query.get("limit") for _, query in stub.asked] == ["500", "500", None]


def test_after_an_expired_watch_only_changes_are_told(stub: Stub, client: JobClient) -> None:
    expired = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}
    play(stub, listed("5", job("a", "3")), (410, expired), listed("9", job("a", "3"), job("b", "8")))
    assert told(Follower(client), 2) == [("a", "3", False), ("b", "8", False)]


def test_watches_that_end_at_once_are_not_begun_anew_at_once(
    stub: Stub, client: JobClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("podwright.cli.follow._GAP_SECONDS", 0.1)
    play(stub, listed("5"), *[events() for _ in range(1000)])
    with pytest.raises(DeadlineError):
        told(Follower(client, deadline=Deadline(0.35)), 1)
    assert len(stub.asked) <= 6


def test_a_watched_table_begins_with_the_newest_job(
    stub: Stub, client: JobClient, capsys: pytest.CaptureFixture[str]
) -> None:
    def row(name: str, created: str) -> dict[str, Any]:
        meta = {"name": name, "uid": name, "resourceVersion": "1", "creationTimestamp": created}
        return {"cells": [name, "Running"], "object": {"metadata": meta}}

    table = {
        "kind": "Table",
        "metadata": {"resourceVersion": "5"},
        "columnDefinitions": [{"name": "Name"}, {"name": "Phase"}],
        "rows": [row("a", "2026-11-21T10:00:00Z"), row("b", "2026-11-21T12:00:00Z"), row("c", "2026-11-21T11:00:00Z")],
    }
    refused = (403, {"kind": "Status", "code": 403, "reason": "Forbidden", "message": "no more"})
    play(stub, (200, table), (200, table), refused)
    with pytest.raises(CommandError):
        show(client, View(watch=True))
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["NAME", "b", "c", "a"]


def test_a_job_that_ended_and_was_deleted_since_it_was_read_is_told_as_it_ended(
    stub: Stub, client: JobClient, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = job("a", "7", phase="Succeeded")
    play(stub, events(("MODIFIED", ended), ("DELETED", job("a", "8", phase="Succeeded"))))
    assert wait_for(client, [job("a", "3", phase="Running")], deadline=Deadline(5.0), tell=print) == 0
    assert capsys.readouterr().out == "batchjob.podwright.dev/a succeeded\n"
    assert stub.asked[0][1]["resourceVersion"] == "3"


def test_a_cancelled_job_is_told_without_a_reason(client: JobClient, capsys: pytest.CaptureFixture[str]) -> None:
    status = {"reason": "Cancelled", "message": "the job was cancelled (spec.cancel: Graceful)"}
    cancelled = make_job("a", phase="Cancelled", status=status)
    assert wait_for(client, [cancelled], deadline=Deadline(5.0), tell=print) == 1
    assert capsys.readouterr().out == "batchjob.podwright.dev/a was cancelled\n"


def test_of_many_unfinished_jobs_some_are_named(
    stub: Stub, client: JobClient, capsys: pytest.CaptureFixture[str]
) -> None:
    many = [job(f"j{number}", "1") for number in range(12)]
    play(stub, listed("5", *many), *[events() for _ in range(1000)])
    assert wait_for(client, many, deadline=Deadline(0.05), tell=print) == 124
    assert capsys.readouterr().err.endswith("j9 (Pending) and 2 more.\n")


def test_a_job_that_was_deleted_too_long_ago_is_told_as_gone(stub: Stub, client: JobClient) -> None:
    play(stub, (410, {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}), listed("9"))
    assert wait_for(client, [job("a", "3", phase="Running")], deadline=Deadline(5.0), tell=print) == 1


def test_objects_that_are_watched_are_documents_of_their_own(
    stub: Stub, client: JobClient, capsys: pytest.CaptureFixture[str]
) -> None:
    refused = (403, {"kind": "Status", "code": 403, "reason": "Forbidden", "message": "no more"})
    play(stub, listed("5", job("a", "3")), events(("MODIFIED", job("a", "6"))), refused)
    with pytest.raises(CommandError):
        show(client, View(output=ListFormat.YAML, watch=True))
    documents = list(yaml.safe_load_all(capsys.readouterr().out))
    assert [each["metadata"]["resourceVersion"] for each in documents] == ["3", "6"]
