"""Creates the copy of a finished job, exactly once however often it is asked for. Used by restart, retry and redrive.

Whoever asks again finds the copy by its origin's uid, and two who ask at once meet at its name. One gap is left: a copy that
ran and was deleted before somebody asks again. So the job is first marked with the name of its copy, under the
resourceVersion at which it had no mark; a mark without that copy means that only the user can know.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from podwright.cli.connection import Object
from podwright.cli.errors import CommandError
from podwright.cli.failures import Unreachable
from podwright.cli.job_client import JobClient, is_another
from podwright.cli.jobs.copies import Origin, announced, copied, copy_name, copy_number, going_on, is_copy_of, selector
from podwright.cli.jobs.state import name_of
from podwright.cli.output import full_name
from podwright.cli.printable import one_line
from podwright.cli.refusals import explain
from podwright.core.values.index_set import IndexSet
from podwright.kube.errors import StatusError

_NAMES_TRIED: Final = 50
_MARKS_TRIED: Final = 5


@dataclass(frozen=True, kw_only=True)
class Wish:
    """Which copy is wanted."""

    origin: Origin
    verb: str
    """What the user typed after `podwright`."""
    name: str = ""
    """Name of the copy; empty for the first free one of its series."""
    change: Callable[[Object], Object] = lambda copy: copy
    goes_on: bool = False
    """Go on with the job's work; otherwise everything is done once more."""
    again: bool = False
    """Create it although the job is marked and its copy is gone."""

    def build(self, job: Object, *, tasks: IndexSet | None, number: int | None = None) -> Object:
        """Build the copy; `number` is that of its name, by default the first of the series."""
        chosen = self.name or copy_name(job, number or copy_number(job, origin=self.origin))
        copy = self.change(copied(job, name=chosen, origin=self.origin, tasks=tasks))
        return going_on(copy, job) if self.goes_on else copy


def find_copy(client: JobClient, job: Object, wish: Wish) -> Object | None:
    """Look for the copy that an earlier call may have created.

    Raises:
        CommandError: there was to be one, and it is not there: whether it ran can't be told.
    """
    there = JobClient(client.connection, namespace=job["metadata"]["namespace"])
    found = [copy for copy in there.all(selector=selector(job, wish.origin)) if is_copy_of(copy, job, wish.origin)]
    if found:
        return found[0]
    if (former := announced(job, wish.origin)) and not wish.again:
        name = name_of(job) + (f" --namespace {job['metadata']['namespace']}" if client.everywhere else "")
        raise CommandError(
            f"{full_name(job)} was to be run again as {one_line(former)}, which is not there: it ran and was cleaned up, or it was "
            "never created, or another call is just creating it.",
            remedy=f"To create it (once more): podwright {wish.verb} {name} --again",
        )
    return None


def judge_copy(client: JobClient, job: Object, wish: Wish, *, tasks: IndexSet | None) -> Object:
    """Let the API server judge the copy, and keep nothing.

    Raises:
        CommandError: it would be refused.
    """
    return _Creation(client, wish, tasks=tasks, marking=False).run(job)


def create_copy(client: JobClient, job: Object, wish: Wish, *, tasks: IndexSet | None) -> tuple[Object, bool]:
    """Return the copy, and tell whether it is new. It is created under the first free name of its series.

    Args:
        client: for the cluster.
        job: as it was read.
        wish: which copy.
        tasks: run only these tasks of the array.

    Raises:
        CommandError: whether the copy ran already can't be told, the API server refuses it, or does not answer.
    """
    for _ in range(_MARKS_TRIED):
        existing = find_copy(client, job, wish)
        if existing is not None:
            return existing, False
        try:
            return _Creation(client, wish, tasks=tasks, marking=True).run(job), True
        except _ChangedError:
            job = _read_again(client, job)
    raise CommandError(f"{full_name(job)} changes all the time, so it was not run again.", remedy="Try again.")


class _ChangedError(Exception):
    """The job is not what it was when it was read: somebody else may have marked it."""


class _Creation:
    """One try to create a copy, under one name of its series after the other."""

    def __init__(self, client: JobClient, wish: Wish, *, tasks: IndexSet | None, marking: bool) -> None:
        self._client = client
        self._wish = wish
        self._tasks = tasks
        self._marking = marking
        self._marked: Object | None = None
        """The job with our mark."""
        self._had_mark = False
        """Whether it had one before: then there may have been a copy, and it stays marked."""

    def run(self, job: Object) -> Object:
        """Mark the job and create the copy; see `create_copy`."""
        self._had_mark = bool(announced(job, self._wish.origin))
        number = copy_number(job, origin=self._wish.origin)
        for following in range(number, number + _NAMES_TRIED):
            copy = self._wish.build(job, tasks=self._tasks, number=following)
            self._mark(job, name_of(copy))
            created = self._create(job, copy)
            if created is not None:
                return created
            if self._wish.name:
                self._take_mark_back()
                raise CommandError(f"There is another job {self._wish.name} already.", remedy="Choose another --name.")
        self._take_mark_back()
        raise CommandError(
            f"The names {copy_name(job, number)} to {copy_name(job, number + _NAMES_TRIED - 1)} are all taken by other jobs.",
            remedy=f"Delete some of them, or start again from a new job instead of {name_of(job)}.",
        )

    def _create(self, job: Object, copy: Object) -> Object | None:
        """Create it; None if its name is taken by another job."""
        name, namespace = name_of(copy), job["metadata"]["namespace"]
        try:
            return self._client.create(copy, dry_run=not self._marking)
        except Unreachable as error:
            if not error.sent:
                self._take_mark_back()
                raise
            raise CommandError(
                f"{error.problem} Whether {name} was created is not known.",
                remedy="Run the same command again: it finds the job if it is there, and creates no second one unasked.",
            ) from error
        except StatusError as error:
            if error.reason != "AlreadyExists":
                self._take_mark_back()
                raise explain(error, doing=f"create {name}", namespace=namespace) from error
        taken = self._client.find(name, namespace=namespace)
        return taken if taken is not None and is_copy_of(taken, job, self._wish.origin) else None

    def _mark(self, job: Object, name: str) -> None:
        if not self._marking:
            return
        mark = {"metadata": {"annotations": {self._wish.origin.mark: name}}}
        try:
            # Once the job has our mark, others keep off: a later name may be written over it, whatever else has changed.
            self._marked = self._client.patch(job, mark, unchanged=self._marked is None)
        except Unreachable as error:
            raise CommandError(
                f"{error.problem} Nothing was created.",
                remedy="Run the same command again; if it then says that the job was to be run again, add --again.",
            ) from error
        except StatusError as error:
            if is_another(error):
                raise _ChangedError from error
            refusal = explain(error, doing=f"mark {full_name(job)}, which keeps it from being run twice")
            if error.code == 403:
                refusal.remedy = "Who runs a job again needs the right to patch batchjobs beside that to create them; the role edit has both."
            raise refusal from error

    def _take_mark_back(self) -> None:
        """Unmark the job, since surely nothing was created; if it has changed meanwhile, the mark may be another's by now."""
        if self._marked is not None and not self._had_mark:
            with contextlib.suppress(CommandError, StatusError):
                nothing = {"metadata": {"annotations": {self._wish.origin.mark: None}}}
                self._client.patch(self._marked, nothing, unchanged=True)


def _read_again(client: JobClient, job: Object) -> Object:
    meta = job["metadata"]
    current = client.find(meta["name"], namespace=meta["namespace"])
    if current is None or current["metadata"]["uid"] != meta["uid"]:
        raise CommandError(f"{full_name(job)} is not there any more.")
    return current
