"""Following jobs: what is there, then every change, through closed, broken and expired watches, until a deadline."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from podwright.cli.connection import JSON, TABLE, Object, lines_of
from podwright.cli.errors import CommandError
from podwright.cli.failures import BrokenStreamError, Unreachable
from podwright.cli.job_client import JobClient
from podwright.cli.patience import Deadline, Patience, passes
from podwright.cli.refusals import explain
from podwright.cli.table import headings_of, metadata_of
from podwright.kube.errors import StatusError

_WATCH_SECONDS: Final = 60.0
_GAP_SECONDS: Final = 1.0
_GIVE_UP_SECONDS: Final = 120.0


@dataclass(frozen=True)
class Change:
    """A job as it is now; `gone` if it was deleted, with what was last seen of it."""

    job: Object
    gone: bool = False


class Follower:
    """Follows the jobs that the selectors select."""

    def __init__(
        self,
        client: JobClient,
        *,
        selector: str = "",
        fields: str = "",
        deadline: Deadline | None = None,
        known: Iterable[Object] = (),
        version: str = "",
        tables: bool = False,
        order: Callable[[list[Object]], list[Object]] = list,
    ) -> None:
        """Prepare.

        Args:
            client: for the cluster.
            selector: labels of the jobs.
            fields: fields of the jobs.
            deadline: when to stop.
            known: follow only these jobs, which are known as they are: it is told that they changed, or are gone.
            version: the resourceVersion from which on changes are told, if it is not too old; else begin with a list.
            order: puts what a list shows into the order in which it is told.
            tables: give lines of tables, with the jobs' `metadata` and `cells`, whose columns are in `headings`.
        """
        self.headings: tuple[str, ...] = ()
        self._order = order
        self._accept = TABLE if tables else JSON
        self._client = client
        self._query = {"labelSelector": selector, "fieldSelector": fields}
        self._deadline = deadline or Deadline(None)
        self._known: dict[str, Object] = {job["metadata"]["uid"]: job for job in known}
        self._only = frozenset(self._known)
        self._version = version

    def changes(self) -> Iterator[Change]:
        """Return what is there, then what changes. It ends only by an error.

        Raises:
            DeadlineError: the time is over.
            CommandError: the API server refuses, or was out of reach for two minutes.
        """
        patience = Patience(self._deadline, seconds=_GIVE_UP_SECONDS)
        while True:
            self._deadline.left()
            try:
                if not self._version:
                    yield from self._list()
                due = time.monotonic() + _GAP_SECONDS
                yield from self._watch(patience)
                # Some proxies end every watch at once.
                self._deadline.sleep(max(0.0, due - time.monotonic()))
            except StatusError as error:
                if error.code == 410 and self._version:
                    self._version = ""
                    continue
                refusal = explain(error, doing="watch the jobs", namespace=self._client.namespace)
                if not passes(error):
                    raise refusal from error
                patience.lost(refusal)
            except (Unreachable, BrokenStreamError) as error:
                patience.lost(
                    error if isinstance(error, CommandError) else CommandError(f"Cannot watch the jobs: {error}.")
                )

    def _list(self) -> Iterator[Change]:
        path = self._client.path(everywhere=self._client.everywhere)
        answers = self._client.connection.read_all(path, self._query, accept=self._accept)
        listed = {item["metadata"]["uid"]: item for answer in answers for item in self._items(answer)}
        found = {uid: job for uid, job in listed.items() if self._wants(uid)}
        vanished = [job for uid, job in self._known.items() if uid not in found]
        changed = [job for uid, job in found.items() if _version_of(job) != _version_of(self._known.get(uid))]
        # Of the first chunk: that is the state that all chunks show.
        self._known, self._version = found, answers[0]["metadata"]["resourceVersion"]
        yield from (Change(job, gone=True) for job in vanished)
        yield from (Change(job) for job in self._order(changed))

    def _watch(self, patience: Patience) -> Iterator[Change]:
        seconds = min(_WATCH_SECONDS, self._deadline.left())
        query = {name: value for name, value in self._query.items() if value} | {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": str(max(1, round(seconds))),
        }
        path = self._client.path(everywhere=self._client.everywhere)
        with self._client.connection.stream(path, query, silence=seconds + 5, accept=self._accept) as pieces:
            patience.found()
            for line in lines_of(pieces):
                if line.strip():
                    yield from self._event(_decoded(line))
                self._deadline.left()

    def _event(self, event: dict[str, Any]) -> Iterator[Change]:
        answer: Object = event["object"]
        kind = event["type"]
        if kind == "ERROR":
            raise StatusError(
                code=int(answer.get("code") or 500),
                reason=str(answer.get("reason", "")),
                message=str(answer.get("message", "")),
            )
        items = self._items(answer) if answer.get("kind") == "Table" else [answer]
        for item in items:
            self._version = item["metadata"].get("resourceVersion") or self._version
        if kind == "BOOKMARK":
            return
        for item in items:
            uid = item["metadata"]["uid"]
            if not self._wants(uid):
                continue
            if kind == "DELETED":
                self._known.pop(uid, None)
            else:
                self._known[uid] = item
            yield Change(item, gone=kind == "DELETED")

    def _wants(self, uid: str) -> bool:
        # Among very many jobs the others are not kept in memory.
        return not self._only or uid in self._only

    def _items(self, answer: Object) -> list[Object]:
        if self._accept == JSON:
            return list(answer.get("items") or ())
        # The events of a watch leave the columns out, except for the first.
        self.headings = headings_of(answer) or self.headings
        return [{"metadata": metadata_of(row), "cells": row.get("cells")} for row in answer.get("rows") or ()]


def _version_of(job: Object | None) -> str:
    return "" if job is None else str(job["metadata"].get("resourceVersion", ""))


def _decoded(line: bytes) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except ValueError as error:
        raise BrokenStreamError("the watch was cut off in the middle of an event") from error
    if not isinstance(event, dict) or not isinstance(event.get("object"), dict):
        raise BrokenStreamError("the watch sent something that is no event")
    return event
