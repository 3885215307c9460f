"""Redriving dead letters: create the new job, then delete the old one, in this order and each exactly once.

If we die between the two, the next call finds the new job and only deletes; `create_copy` tells how.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from podwright.cli.bulk import paced
from podwright.cli.connection import Object
from podwright.cli.errors import CommandError, MisuseError
from podwright.cli.job_client import JobClient
from podwright.cli.jobs.copies import Origin, redrive_count, undone
from podwright.cli.jobs.create_copy import create_copy, judge_copy, preview_copy
from podwright.cli.jobs.state import array_of, name_of, recorded_set
from podwright.cli.jobs.wish import Wish, find_copy
from podwright.cli.options import DryRun, Manner
from podwright.cli.output import Report, full_name, remark
from podwright.cli.refusals import explain
from podwright.core.values.index_set import IndexSet
from podwright.kube.errors import StatusError

MOST_REDRIVES: Final = 5


@dataclass(frozen=True, kw_only=True)
class Redrive:
    """How to redrive. `gap` is the number of seconds from one to the next."""

    patch: Mapping[str, Any] | None
    all_tasks: bool
    force: bool
    again: bool
    gap: float

    @property
    def wish(self) -> Wish:
        """Which copy a dead letter gets."""
        return Wish(origin=Origin.REDRIVE, verb="dlq redrive", change=self._changed, again=self.again)

    def tasks(self, job: Object) -> IndexSet | None:
        """Return the tasks of an array that run again; None for all."""
        if array_of(job) is None or self.all_tasks:
            return None
        # Where too many were skipped for the job to succeed, only these are left to run.
        return undone(job) or recorded_set(job, "skippedIndexes") or None

    def _changed(self, copy: Object) -> Object:
        """Apply the user's patch to the spec."""
        return copy if self.patch is None else {**copy, "spec": merged(copy["spec"], self.patch)}


def read_patch(text: str) -> Mapping[str, Any] | None:
    """Read a merge patch of the spec, from the command line or `@FILE`; None if there is none.

    Raises:
        CommandError: it is no JSON object.
    """
    if not text:
        return None
    try:
        content = Path(text[1:]).read_text(encoding="utf-8") if text.startswith("@") else text
        found = json.loads(content)
    except (OSError, ValueError) as error:
        raise MisuseError(f"--patch: cannot read {text}: {error}") from error
    if not isinstance(found, dict):
        raise MisuseError("--patch must be a JSON object.", remedy="""Example: --patch '{"retry": {"limit": 5}}'""")
    if found.keys() == {"spec"}:
        raise MisuseError("--patch is applied to the spec: leave out the outer `spec`.")
    return found


def merged(value: Any, patch: Any) -> Any:
    """Apply a JSON merge patch (RFC 7396): objects are merged, null removes, anything else replaces. Pure."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(value) if isinstance(value, Mapping) else {}
    for key, change in patch.items():
        if change is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), change)
    return result


def redrive_all(client: JobClient, jobs: Sequence[Object], plan: Redrive, *, manner: Manner) -> None:
    """Redrive dead letters; failures are reported at the end, and don't hold up the others.

    Raises:
        CommandError: some could not be redriven, or the patch does not fit one of them; in that case nothing is done.
    """
    if not jobs:
        remark(client.none_found(filtered=False, what="dead letter"))
        return
    held = [problem for job in jobs if (problem := loop_guard(job, force=plan.force))]
    allowed = [job for job in jobs if not loop_guard(job, force=plan.force)]
    if plan.patch is not None:
        _try_patch(client, allowed, plan)
    with Report(manner) as report:
        for problem in held:
            report.fail(problem)
        for job in paced(allowed, gap=plan.gap):
            with report.bearing_failures():
                copy = _redrive(client, job, plan, dry_run=manner.dry_run)
                report.tell(copy, f"created, in place of {name_of(job)}")


def loop_guard(job: Object, *, force: bool) -> str:
    """Say why a dead letter should not be redriven once more; empty if it may be. Pure."""
    count = redrive_count(job)
    if force or count < MOST_REDRIVES:
        return ""
    return f"{full_name(job)} has been redriven {count} times and always came back. Find out why, or add --force."


def _try_patch(client: JobClient, jobs: Sequence[Object], plan: Redrive) -> None:
    """Let the API server judge all new jobs before the first one is created."""
    problems = []
    for job in jobs:
        try:
            judge_copy(client, job, plan.wish, tasks=plan.tasks(job))
        except CommandError as error:
            problems.append(error.problem)
    if problems:
        raise CommandError("\n".join(["Nothing was redriven, because --patch does not fit:", *problems]))


def _redrive(client: JobClient, job: Object, plan: Redrive, *, dry_run: DryRun) -> Object:
    tasks = plan.tasks(job)
    if dry_run is DryRun.CLIENT:
        return find_copy(client, job, plan.wish) or preview_copy(client, job, plan.wish, tasks=tasks)
    if dry_run is DryRun.SERVER:
        return find_copy(client, job, plan.wish) or judge_copy(client, job, plan.wish, tasks=tasks)
    copy, _ = create_copy(client, job, plan.wish, tasks=tasks)
    _remove(client, job, copy)
    return copy


def _remove(client: JobClient, job: Object, copy: Object) -> None:
    try:
        client.delete(job)
    except StatusError as error:
        if error.code == 409:
            return  # another job has the name by now: the dead letter is gone
        raise CommandError(
            f"{full_name(copy)} was created, but {explain(error, doing=f'delete {full_name(job)}').problem}",
            remedy="Run the same command again to delete it; nothing is created twice.",
        ) from error
