"""Cancelling, suspending and resuming: one merge patch on the spec of each job, unless there is nothing to change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from podwright.cli.bulk import chosen, paced, parse_rate
from podwright.cli.connection import Object
from podwright.cli.job_client import JobClient, is_another
from podwright.cli.jobs.state import finished, name_of, phase_of, spec_of
from podwright.cli.options import DryRun, Manner, Selection
from podwright.cli.output import Report, full_name, remark
from podwright.cli.printable import one_line
from podwright.cli.refusals import explain
from podwright.kube.errors import StatusError


@dataclass(frozen=True, kw_only=True)
class Edit:
    """A change of a job's spec. `verb` continues `Cannot …`, `done` follows the job's name."""

    verb: str
    spec: Mapping[str, Any]
    done: str
    needs_unfinished: bool = False
    """Whether it is an error if the job has finished: what the user wants can't come true any more."""


def nothing_to_do(job: Mapping[str, Any], edit: Edit) -> str:
    """Say why a job needs no change; empty if it does. Pure."""
    if finished(job):
        return f"has already finished ({phase_of(job)})"
    spec = spec_of(job)
    if all((spec.get(key) or False) == (value or False) for key, value in edit.spec.items()):
        return f"is already {edit.done}"
    if edit.spec.get("cancel") == "Graceful" and spec.get("cancel") == "Immediate":
        return "is already cancelled, immediately"
    return ""


def apply_to(
    client: JobClient,
    names: Sequence[str],
    edit: Edit,
    selection: Selection,
    *,
    rate: str,
    manner: Manner,
) -> list[Object]:
    """Change the jobs that are named or selected. Return those that are changed or needed no change and still run.

    Raises:
        CommandError: one of them can't be changed. The others are.
    """
    gap = parse_rate(rate)
    jobs = chosen(client, names, selector=selection.selector, fields=selection.fields)
    if not names:
        jobs = [job for job in jobs if not finished(job)]  # the selector means those to which it can be done
        if not jobs:
            remark(client.none_found(filtered=True, what="unfinished job"))
    edited: list[Object] = []
    with Report(manner) as report:
        for job in paced(jobs, gap=gap):
            if reason := nothing_to_do(job, edit):
                (report.fail if finished(job) and edit.needs_unfinished else remark)(f"{full_name(job)} {reason}")
                edited += [] if finished(job) else [job]
                continue
            try:
                changed = _changed(client, job, edit, dry_run=manner.dry_run)
            except StatusError as error:
                report.fail(_refusal(job, error, edit))
                continue
            if finished(changed) and edit.needs_unfinished:
                report.fail(f"{full_name(job)} {nothing_to_do(changed, edit)}")
                continue
            edited.append(changed)
            report.tell(changed, edit.done)
    return edited


def _changed(client: JobClient, job: Object, edit: Edit, *, dry_run: DryRun) -> Object:
    if dry_run is DryRun.CLIENT:
        return {**job, "spec": {**spec_of(job), **edit.spec}}
    return client.patch(job, {"spec": dict(edit.spec)}, dry_run=dry_run is DryRun.SERVER)


def _refusal(job: Object, error: StatusError, edit: Edit) -> str:
    if is_another(error):
        return f"{full_name(job)} is not there any more."
    return str(explain(error, doing=f"{edit.verb} {one_line(name_of(job))}", namespace=job["metadata"]["namespace"]))
