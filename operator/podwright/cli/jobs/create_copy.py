"""Creates the copy of a finished job, exactly once however often it is asked for. Used by restart, retry and redrive."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from podwright.cli.connection import Object, Unreachable
from podwright.cli.errors import CommandError
from podwright.cli.job_client import JobClient
from podwright.cli.jobs.copies import Origin, copied, copy_name, copy_number, is_copy_of, selector
from podwright.cli.jobs.state import name_of
from podwright.cli.refusals import explain
from podwright.core.index_set import IndexSet
from podwright.kube.errors import StatusError

_TRIES: Final = 50


def find_copy(client: JobClient, job: Object, origin: Origin) -> Object | None:
    """Look for the copy that an earlier call may have created."""
    there = JobClient(client.connection, namespace=job["metadata"]["namespace"])
    found = [copy for copy in there.all(selector=selector(job, origin)) if is_copy_of(copy, job, origin)]
    return found[0] if found else None


def create_copy(
    client: JobClient,
    job: Object,
    *,
    origin: Origin,
    name: str = "",
    tasks: IndexSet | None = None,
    change: Callable[[Object], Object] = lambda copy: copy,
    dry_run: bool = False,
) -> Object:
    """Create a copy under the first free name of its series, or find that it is there already.

    The caller has looked with `find_copy` before. Whoever comes at the same time takes the same name, and the API server
    lets one of them have it: a name that is taken by the same copy is our success.

    Raises:
        CommandError: the API server refuses it, or does not answer.
    """
    number = copy_number(job, origin=origin)
    for following in range(number, number + _TRIES):
        chosen = name or copy_name(job, following)
        copy = change(copied(job, name=chosen, origin=origin, tasks=tasks))
        try:
            return client.create(copy, dry_run=dry_run)
        except Unreachable as error:
            if not error.sent:
                raise
            raise CommandError(
                f"{error.problem} Whether {chosen} was created is not known.",
                remedy="Run the same command again: it finds the job if it is there, and creates no second one.",
            ) from error
        except StatusError as error:
            if error.reason != "AlreadyExists":
                raise explain(error, doing=f"create {chosen}", namespace=job["metadata"]["namespace"]) from error
        taken = client.find(chosen, namespace=job["metadata"]["namespace"])
        if taken is not None and is_copy_of(taken, job, origin):
            return taken
        if name:
            raise CommandError(f"There is another job {name} already.", remedy="Choose another --name.")
    raise CommandError(
        f"The names {copy_name(job, number)} to {copy_name(job, number + _TRIES - 1)} are all taken by other jobs.",
        remedy=f"Delete some of them, or start again from a new job instead of {name_of(job)}.",
    )
