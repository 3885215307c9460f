"""Creates the copy of a finished job, exactly once however often it is asked for. Used by restart, retry and redrive.

Whoever asks again finds the copy by its origin's uid, and two who ask at once meet at its name. One gap is left: a copy that
ran and was deleted before somebody asks again. So the job is first marked with the name of its copy, under the
resourceVersion at which it had no such mark; a mark without that copy means that only the user can know.
"""

from __future__ import annotations

import contextlib
from typing import Any, Final

from podwright.cli.connection import Object, is_whole
from podwright.cli.errors import CommandError
from podwright.cli.failures import Unreachable
from podwright.cli.job_client import JobClient, is_another
from podwright.cli.jobs.copies import Origin, announced, copy_name, copy_number, is_copy_of, mark_with
from podwright.cli.jobs.state import annotation, finished, name_of
from podwright.cli.jobs.wish import Wish, find_copy
from podwright.cli.output import full_name
from podwright.cli.refusals import explain
from podwright.core.values.index_set import IndexSet
from podwright.kube.errors import StatusError

_NAMES_TRIED: Final = 50
_MARKS_TRIED: Final = 5


def preview_copy(client: JobClient, job: Object, wish: Wish, *, tasks: IndexSet | None) -> Object:
    """Return the copy as it would be created, under the name that it would get, without asking the API server to judge it."""
    if wish.name:
        return wish.build(job, tasks=tasks)
    number = copy_number(job, origin=wish.origin)
    built = (wish.build(job, tasks=tasks, number=each) for each in range(number, number + _NAMES_TRIED))
    free = (copy for copy in built if client.find(name_of(copy), namespace=job["metadata"]["namespace"]) is None)
    copy = next(free, None)
    if copy is None:
        raise _all_taken(job, wish.origin)
    return copy


def judge_copy(client: JobClient, job: Object, wish: Wish, *, tasks: IndexSet | None) -> Object:
    """Let the API server judge the copy, and keep nothing.

    Raises:
        CommandError: it would be refused.
    """
    return _Creation(client, wish, tasks=tasks, marking=False).run(job)


def create_copy(client: JobClient, job: Object, wish: Wish, *, tasks: IndexSet | None) -> tuple[Object, bool]:
    """Return the copy, and whether it is new. It is created under the first free name of its series.

    Args:
        client: for the cluster.
        job: as it was read.
        wish: which copy.
        tasks: run only these tasks of the array.

    Raises:
        CommandError: there was a copy before, the API server refuses it, or does not answer.
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
        self._former: str | None = None
        """The mark that it had before; None for none."""

    def run(self, job: Object) -> Object:
        """Mark the job and create the copy; see `create_copy`."""
        if not is_whole(job):
            raise CommandError(f"{full_name(job)} is nested too deeply to be copied.")
        origin = self._wish.origin
        self._former = annotation(job, origin.mark.partition("/")[2]) or None
        number = copy_number(job, origin=origin)
        for following in range(number, number + _NAMES_TRIED):
            copy = self._wish.build(job, tasks=self._tasks, number=following)
            self._mark(job, name_of(copy))
            created = self._create(job, copy)
            if created is not None:
                return created
            if self._wish.name:
                self._take_mark_back(job)
                raise CommandError(
                    f"There is already a job {self._wish.name}. Nothing was created.", remedy="Choose another --name."
                )
        self._take_mark_back(job)
        raise _all_taken(job, origin)

    def _create(self, job: Object, copy: Object) -> Object | None:
        """Create it; None if its name is taken by a job that is not the wanted one."""
        name, namespace = name_of(copy), job["metadata"]["namespace"]
        try:
            return self._client.create(copy, dry_run=not self._marking)
        except Unreachable as error:
            if not error.sent:
                self._take_mark_back(job)
                raise
            raise CommandError(
                f"{error.problem} It is not known whether {name} was created.",
                remedy="Run the same command again: it finds the job if it is there, and creates no second one unasked.",
            ) from error
        except StatusError as error:
            if error.reason != "AlreadyExists":
                self._take_mark_back(job)
                raise explain(error, doing=f"create {name}", namespace=namespace) from error
        taken = self._client.find(name, namespace=namespace)
        if taken is None or not is_copy_of(taken, job, self._wish.origin):
            return None
        # An earlier copy that has finished isn't what is wanted now.
        return None if finished(taken) and self._wish.origin is not Origin.REDRIVE else taken

    def _mark(self, job: Object, name: str) -> None:
        if not self._marking:
            return
        mark = {"metadata": {"annotations": {self._wish.origin.mark: mark_with(job, self._wish.origin, name)}}}
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
                refusal.remedy = (
                    "Running a job again takes the rights to create and to patch batchjobs; the role edit has both."
                )
            raise refusal from error

    def _take_mark_back(self, job: Object) -> None:
        """Restore the former mark of the job, since surely nothing was created; if it has changed meanwhile, the mark may be another's."""
        if self._marked is None or self._marked_before(job):
            return
        with contextlib.suppress(CommandError, StatusError):
            former: dict[str, Any] = {"metadata": {"annotations": {self._wish.origin.mark: self._former}}}
            self._client.patch(self._marked, former, unchanged=True)

    def _marked_before(self, job: Object) -> bool:
        """Return whether the job was marked for the same wish before: then a copy may have run, and it stays so."""
        return any(self._wish.means(name, job) for name in announced(job, self._wish.origin))


def _all_taken(job: Object, origin: Origin) -> CommandError:
    number = copy_number(job, origin=origin)
    first, last = (copy_name(job, each, origin=origin) for each in (number, number + _NAMES_TRIED - 1))
    return CommandError(
        f"The names {first} to {last} are all taken by other jobs. Nothing was created.",
        remedy="Delete some of them, or choose a name with --name."
        if origin is not Origin.REDRIVE
        else "Delete some of them.",
    )


def _read_again(client: JobClient, job: Object) -> Object:
    meta = job["metadata"]
    current = client.find(meta["name"], namespace=meta["namespace"])
    if current is None or current["metadata"]["uid"] != meta["uid"]:
        raise CommandError(f"{full_name(job)} is not there any more.")
    return current
