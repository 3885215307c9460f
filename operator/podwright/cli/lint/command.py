"""`podwright lint`: check manifests before they are applied."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from podwright.cli import options
from podwright.cli.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from podwright.cli.job_client import JobClient
    from podwright.cli.jobs.manifest import Document


def lint(
    *,
    files: Annotated[list[str], typer.Argument(metavar="FILE|DIR", hidden=True)],
    server: Annotated[
        bool, typer.Option("--server", help="Also let the API server judge the jobs and their pods, by dry runs.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print problems only.")] = False,
    place: options.Place,
) -> None:
    """Check manifests for mistakes. Needs no cluster.

    Checks pod templates as well, and the CRD's validation rules. Exits with 1 if there are any. With --server the cluster's own rules count as well, such as admission policies and
    namespaces.

    Example: podwright lint jobs/ && kubectl apply --filename=jobs/
    """
    from podwright.cli.jobs.manifest import read_documents
    from podwright.cli.lint.job import left_to_the_server
    from podwright.cli.output import print_line, remark
    from podwright.cli.printable import one_line

    client = place.client() if server else None
    jobs, others, bad = 0, 0, 0
    unreadable: list[CommandError] = []
    for document in read_documents(files, unreadable=unreadable.append):
        if not document.is_job and not _meant_as_job(document):
            others += 1
            continue
        jobs += 1
        found = list(_problems(document, client))
        bad += bool(found)
        for problem in found:
            print_line(f"{one_line(document.where)}: {_name(document)}: {one_line(problem)}")
    if not jobs and not unreadable:
        raise CommandError(f"There is no BatchJob in {', '.join(files)}.")
    if others and not quiet:
        remark(f"{others} object{'s' * (others != 1)} of other kinds not checked.")
    if bad or unreadable:
        raise _summary(bad=bad, jobs=jobs, unreadable=unreadable)
    if not quiet:
        print_line(f"{jobs} job{'s' * (jobs != 1)} checked, no problems found.")
        if not server and (left := left_to_the_server()):
            remark(
                f"{len(left)} validation rule{'s' * (len(left) != 1)} can only be checked with --server: {'; '.join(left)}"
            )


def _summary(*, bad: int, jobs: int, unreadable: list[CommandError]) -> CommandError:
    lines = [str(error) for error in unreadable]
    if jobs:
        lines.append(f"{bad} of {jobs} job{'s' * (jobs != 1)} {'has' if bad == 1 else 'have'} problems.")
    if unreadable:
        lines.append(f"{len(unreadable)} file{'s' * (len(unreadable) != 1)} could not be read.")
    return CommandError("\n".join(lines))


def _meant_as_job(document: Document) -> bool:
    content = document.content
    return isinstance(content, dict) and (
        content.get("kind") == "BatchJob" or str(content.get("apiVersion", "")).startswith("podwright.dev/")
    )


def _name(document: Document) -> str:
    from podwright.cli.printable import one_line

    meta = document.content.get("metadata")
    name = (meta.get("name") or meta.get("generateName")) if isinstance(meta, dict) else ""
    return f"BatchJob/{one_line(name or '(no name)')}"


def _problems(document: Document, client: JobClient | None) -> Iterator[str]:
    from podwright.cli.jobs.pod_check import server_problems
    from podwright.cli.lint.job import job_problems

    if not document.is_job:
        yield f"apiVersion, kind: {document.what} does not exist; write apiVersion: podwright.dev/v1alpha1 and kind: BatchJob"
        return
    found = job_problems(document.content)
    yield from found
    if client is not None and not found:
        yield from server_problems(client, document.content)
