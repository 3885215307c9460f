"""Creating submitted jobs, each at most once, and waiting for their end."""

from __future__ import annotations

import json
from collections.abc import Callable

from podwright.cli.connection import Object
from podwright.cli.errors import CommandError
from podwright.cli.failures import Unreachable
from podwright.cli.job_client import JobClient
from podwright.cli.jobs.log_follow import follow_job
from podwright.cli.jobs.pod_check import require_acceptable_pod
from podwright.cli.jobs.waiting import TIMEOUT, wait_for
from podwright.cli.options import DryRun, Manner
from podwright.cli.output import Report, full_name, remark
from podwright.cli.patience import Deadline, DeadlineError
from podwright.cli.refusals import explain
from podwright.cli.times import span
from podwright.kube.errors import StatusError


def create_all(client: JobClient | None, jobs: list[Object], *, manner: Manner, quiet: bool) -> list[Object]:
    """Create the jobs and report each; those that are refused don't hold up the others. Without a client nothing is sent.

    Raises:
        CommandError: some were refused.
    """
    created: list[Object] = []
    judged: set[str] = set()
    with Report(manner) as report:
        for job in jobs:
            with report.bearing_failures():
                if client is not None:
                    _judge_pod(client, job, judged)
                done = job if client is None else _create(client, job, dry_run=manner.dry_run is DryRun.SERVER)
                created.append(done)
                if quiet:
                    remark(f"{full_name(done)} created")
                else:
                    report.tell(done, "created")
    return created


def _judge_pod(client: JobClient, job: Object, judged: set[str]) -> None:
    """Refuse a job whose pod would be refused; jobs with the same template are judged once."""
    template = json.dumps([job["metadata"].get("namespace"), (job.get("spec") or {}).get("template")], sort_keys=True)
    if template not in judged:
        require_acceptable_pod(client, job)
        judged.add(template)


def _create(client: JobClient, job: Object, *, dry_run: bool) -> Object:
    name = job["metadata"].get("name") or f"{job['metadata']['generateName']}…"
    namespace = job["metadata"]["namespace"]
    try:
        return client.create(job, dry_run=dry_run)
    except Unreachable as error:
        if not error.sent or dry_run:
            raise
        raise CommandError(
            f"{error.problem} It is not known whether the job {name} was created.",
            remedy="Look before you submit it again: podwright list",
        ) from error
    except StatusError as error:
        if error.reason == "AlreadyExists":
            raise CommandError(
                f"There is already a job {name} in namespace {namespace}.",
                remedy=f"Choose another name, or run that one again: podwright restart {name}",
            ) from error
        raise explain(error, doing=f"create the job {name}", namespace=namespace) from error


def wait_for_end(
    client: JobClient, jobs: list[Object], *, seconds: float | None, follow: bool, tell: Callable[[str], None]
) -> int:
    """Wait until all jobs have ended, and print what the first one writes if asked to. Return the exit code."""
    deadline = Deadline(seconds)
    if follow:
        try:
            jobs = [follow_job(client, jobs[0], deadline=deadline, from_first=True)]
        except DeadlineError:
            remark(f"Not finished after {span(seconds or 0)}.")
            return TIMEOUT
        except CommandError as error:
            remark(str(error))  # how the job ends is still to be told
    return wait_for(client, jobs, deadline=deadline, tell=tell)
