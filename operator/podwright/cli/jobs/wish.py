"""Which copy of a finished job is wanted, and which job goes on with its work already. Used by restart, retry and redrive.

A retry and a redrive go on with the same work, under the same idempotency keys: never two of them at once, and none from the
middle of a chain, whose fencing tokens the later ones have used. So there is one chain for both: its jobs carry the uid of the
first one as a label, and each is continued only from its end.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from podwright.cli.connection import Object
from podwright.cli.errors import CommandError
from podwright.cli.job_client import JobClient
from podwright.cli.jobs.copies import (
    Origin,
    announced,
    copied,
    copy_name,
    copy_number,
    going_on,
    in_series,
    is_copy_of,
    selector,
)
from podwright.cli.jobs.state import finished, name_of, phase_of, succeeded
from podwright.cli.output import full_name
from podwright.cli.printable import one_line
from podwright.core.constants import names
from podwright.core.job.work import tokens_before, work_uid
from podwright.core.model.phase import Phase
from podwright.core.values.index_set import IndexSet

_GOING_ON: Final = (Origin.RETRY, Origin.REDRIVE)
_TOKENS_SINCE: Final = 1_767_225_600
"""2026-01-01, from which seconds are counted where the tokens of a job that is gone are not known."""


@dataclass(frozen=True, kw_only=True)
class Wish:
    """Which copy is wanted."""

    origin: Origin
    verb: str
    """What the user typed after `podwright`."""
    name: str = ""
    """Name of the copy; empty for the first free one of its series."""
    change: Callable[[Object], Object] = lambda copy: copy
    again: bool = False
    """Create it although there was one before that has finished, or is gone."""

    def build(self, job: Object, *, tasks: IndexSet | None, number: int | None = None) -> Object:
        """Build the copy; `number` is that of its name, by default the first of the series."""
        first = copy_number(job, origin=self.origin)
        chosen = self.name or copy_name(job, number or first, origin=self.origin)
        copy = self.change(copied(job, name=chosen, origin=self.origin, tasks=tasks))
        # A restart does everything once more, under keys of its own.
        return copy if self.origin is Origin.RESTART else going_on(copy, job, least_tokens=_least_tokens(job))

    def means(self, name: str, job: Object) -> bool:
        """Return whether a copy of that name is the one that is wanted. A restart under another name is another restart."""
        if self.origin is not Origin.RESTART:
            return True
        return name == self.name if self.name else in_series(name, job, self.origin)

    def announced(self, job: Object) -> list[str]:
        """Return the names of the copies that were to be created and rule this one out; the newest last."""
        if self.origin is Origin.RESTART:
            return [name for name in announced(job, self.origin) if self.means(name, job)]
        return [name for origin in _GOING_ON for name in announced(job, origin)]


def _least_tokens(job: Object) -> int:
    """Return what the tokens must exceed if a job that went on with the work is gone, and with it the count of its attempts.

    No chain of jobs makes an attempt each second, so the time is beyond all tokens that were used before it.
    """
    gone = any(announced(job, origin) for origin in _GOING_ON)
    return max(0, round(time.time()) - _TOKENS_SINCE) if gone else 0


def copies_of(client: JobClient, job: Object, origin: Origin) -> list[Object]:
    """Return the copies of a job that are there, the newest first."""
    found = [copy for copy in _there(client, job).all(selector=selector(job, origin)) if is_copy_of(copy, job, origin)]
    return sorted(found, key=_age, reverse=True)


def successor(client: JobClient, job: Object) -> Object | None:
    """Return the retry or redrive, however far down the chain, that goes on with a job's work: the one that runs, else the last.

    None if the job itself is the last, or those after it are gone.
    """
    uid, own = str(job["metadata"]["uid"]), job["metadata"].get("annotations")
    work = work_uid(own) or uid
    chain = {
        name_of(each): each
        for each in _there(client, job).all(selector=f"{names.ANNOTATION_WORK}={work}")
        if work_uid(each["metadata"].get("annotations")) == work
    }
    for origin in _GOING_ON:
        for name in announced(job, origin):
            # The label is missing where somebody took it away, or where other items made it other work.
            if name not in chain and (found := client.find(name, namespace=job["metadata"]["namespace"])):
                chain[name] = found
    later = [each for each in chain.values() if each["metadata"]["uid"] != uid and _is_later(each, job)]
    return max(later, key=lambda each: (not finished(each), _tokens(each), _age(each)), default=None)


def _is_later(other: Object, job: Object) -> bool:
    if any(is_copy_of(other, job, origin) for origin in _GOING_ON):
        return True
    own = work_uid(job["metadata"].get("annotations")) or str(job["metadata"]["uid"])
    same = work_uid(other["metadata"].get("annotations")) == own
    return same and (not finished(other) or _tokens(other) > _tokens(job))


def _tokens(job: Object) -> int:
    return tokens_before(job["metadata"].get("annotations"))


def _there(client: JobClient, job: Object) -> JobClient:
    return JobClient(client.connection, namespace=job["metadata"]["namespace"])


def _age(job: Object) -> tuple[str, str]:
    return str(job["metadata"].get("creationTimestamp") or ""), name_of(job)


def find_copy(client: JobClient, job: Object, wish: Wish) -> Object | None:
    """Return the copy that an earlier call created, and that runs; of a dead letter, whether it runs or not.

    Raises:
        CommandError: another job goes on with the work; or the copy has finished, or is gone, and the user did not ask for another.
    """
    found = [copy for copy in copies_of(client, job, wish.origin) if wish.means(name_of(copy), job)]
    for copy in found:
        if wish.origin is Origin.REDRIVE or not finished(copy):
            return copy
    if wish.origin is not Origin.RESTART and (other := successor(client, job)) is not None:
        raise already_gone_on(client, job, other)
    if wish.again:
        return None
    more = f"podwright {wish.verb} {name_of(job)}{f' --name {wish.name}' if wish.name else ''}{_where(client, job)} --again"
    if found:
        raise CommandError(
            f"{full_name(job)} was already {wish.origin.done} as {name_of(found[0])}, which has finished ({phase_of(found[0])}). "
            "Nothing was created.",
            remedy=f"To run it once more: {more}",
        )
    if former := wish.announced(job):
        raise CommandError(
            f"{full_name(job)} was to be run again as {one_line(former[-1])}, which is not there: it ran and was cleaned up, or "
            "it was never created, or another call is just creating it. Nothing was created.",
            remedy=f"To create it (once more): {more}",
        )
    return None


def already_gone_on(client: JobClient, job: Object, other: Object) -> CommandError:
    """Make the error for a job whose work another one goes on with: what has become of that one, and what to do."""
    done = next((each.done for each in _GOING_ON if is_copy_of(other, job, each)), "run again")
    name, where = name_of(other), _where(client, job)
    problem = f"{full_name(job)} was already {done} as {name}"
    if not finished(other):
        return CommandError(
            f"{problem}, which has not finished ({phase_of(other) or Phase.PENDING}). Nothing was created: two at once would do the same "
            "work twice.",
            remedy=f"Wait for it: podwright wait {name}{where}",
        )
    if succeeded(other):
        return CommandError(
            f"{problem}, which has succeeded. Nothing was created: there is nothing left to do.",
            remedy=f"To do everything once more, under new keys: podwright restart {name_of(job)}{where}",
        )
    verb = "dlq redrive" if phase_of(other) == Phase.DEAD_LETTERED else "retry"
    return CommandError(
        f"{problem}, which has finished ({phase_of(other)}). Nothing was created.",
        remedy=f"Go on from that one: podwright {verb} {name}{where}",
    )


def _where(client: JobClient, job: Object) -> str:
    return f" --namespace {job['metadata']['namespace']}" if client.everywhere else ""
