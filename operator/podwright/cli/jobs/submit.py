"""`podwright submit`: create jobs, from flags or a manifest, and wait for them if asked to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from podwright.cli import options
from podwright.cli.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Callable

    from podwright.cli.connection import Object
    from podwright.cli.job_client import JobClient


def submit(
    *,
    context_of_command: typer.Context,
    name: Annotated[str, typer.Argument(show_default=False, help="Its name. Default: one that is made up.")] = "",
    file: Annotated[
        str, typer.Option("--filename", "-f", metavar="FILE", help="A manifest; - is standard input.")
    ] = "",
    image: Annotated[str, typer.Option(metavar="IMAGE", help="The container's image; its command follows --.")] = "",
    env: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="A variable; KEY alone passes yours on.")
    ] = None,
    label: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="A label of the job.")] = None,
    cpu: Annotated[str, typer.Option(metavar="QUANTITY", help="CPU to request, such as 500m.")] = "",
    memory: Annotated[str, typer.Option(metavar="QUANTITY", help="Memory to request, such as 1Gi.")] = "",
    retry: Annotated[int | None, typer.Option(metavar="N", min=0, help="Most attempts after the first.")] = None,
    timeout: Annotated[str, typer.Option(metavar="DURATION", help="Limit of one attempt, such as 10m.")] = "",
    total_timeout: Annotated[str, typer.Option(metavar="DURATION", help="Limit of all attempts together.")] = "",
    array: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Run N tasks, PODWRIGHT_TASK_INDEX 0 to N-1.")
    ] = None,
    items: Annotated[str, typer.Option(metavar="A,B", help="Run a task for each, in PODWRIGHT_TASK_ITEM.")] = "",
    parallelism: Annotated[int | None, typer.Option(metavar="N", min=1, help="Most pods of the array at once.")] = None,
    pack: Annotated[int | None, typer.Option(metavar="N", min=1, help="Tasks of the array that share a pod.")] = None,
    priority: Annotated[int | None, typer.Option(metavar="N", help="Its order among jobs.")] = None,
    idempotency_key: Annotated[str, typer.Option(metavar="KEY", help="Of all jobs with this key only one runs.")] = "",
    depends_on: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[:CONDITION]", help="Wait for that job, by default until it succeeded."),
    ] = None,
    start_at: Annotated[str, typer.Option(metavar="TIME", help="Not before this time, or +10m from now.")] = "",
    suspend: Annotated[bool, typer.Option("--suspend", help="Start it only once it is resumed.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for its end; exit with 0 only if it succeeded.")] = False,
    follow: Annotated[bool, typer.Option("--follow", help="The same, and print what it writes.")] = False,
    wait_timeout: Annotated[str, typer.Option(metavar="DURATION", help="Longest wait; then exit with 124.")] = "",
    manner: options.Manner,
    place: options.Place,
) -> None:
    """Submit a job: NAME --image IMAGE -- COMMAND ARGUMENT..., or the jobs of a manifest with --filename."""
    import os
    import time

    from podwright.cli.arguments import field_option, moment_option, seconds_option
    from podwright.cli.jobs import arguments
    from podwright.cli.jobs.manifest import Flags, from_file, from_flags
    from podwright.cli.jobs.state import array_of
    from podwright.cli.output import news, remark

    seconds = seconds_option(wait_timeout, option="--wait-timeout")
    if (wait or follow) and manner.dry_run is not options.DryRun.NONE:
        raise CommandError("A dry run creates nothing to wait for.", remedy="Leave --wait and --follow away.")
    flags = Flags(
        name=name,
        image=image,
        command=tuple(options.after_dashes(context_of_command)),
        labels=arguments.pairs(label or (), option="--label"),
        env=tuple(arguments.variables(env or (), environment=os.environ)),
        requests={key: value for key, value in (("cpu", cpu), ("memory", memory)) if value},
        retry=retry,
        attempt_timeout=field_option(timeout, option="--timeout"),
        total_timeout=field_option(total_timeout, option="--total-timeout"),
        size=array,
        items=tuple(arguments.items(items)) if items else (),
        parallelism=parallelism,
        pack=pack,
        priority=priority,
        idempotency_key=idempotency_key or None,
        depends_on=tuple(arguments.dependency(each) for each in depends_on or ()),
        start_at=moment_option(start_at, option="--start-at", now=time.time()),
        suspend=suspend,
    )
    if file and flags != Flags(name="", image=""):
        raise CommandError("With --filename the manifest says it all.", remedy="Leave NAME, --image and the like away.")
    client = place.client()
    if file:
        jobs = from_file(file, namespace=client.namespace, explicit=place.namespace is not None)
    elif image:
        jobs = [from_flags(flags, namespace=client.namespace)]
    else:
        raise CommandError(
            "What should run?", remedy="Give --image IMAGE [-- COMMAND...], or a manifest with --filename."
        )
    if follow and (len(jobs) != 1 or array_of(jobs[0]) is not None):
        raise CommandError(
            "--follow is for a single job that is no array.",
            remedy="Use --wait; `podwright logs` prints what tasks wrote.",
        )
    created = _create(client, jobs, manner=manner, quiet=follow and manner.output is None)
    if follow or wait:
        raise typer.Exit(
            _wait(client, created, seconds=seconds, follow=follow, tell=remark if follow else news(manner.output))
        )


def _create(client: JobClient, jobs: list[Object], *, manner: options.Manner, quiet: bool) -> list[Object]:
    from podwright.cli.output import Report, full_name, remark

    created: list[Object] = []
    with Report(manner) as report:
        for job in jobs:
            with report.bearing_failures():
                done = job if manner.dry_run is options.DryRun.CLIENT else _create_one(client, job, manner.dry_run)
                created.append(done)
                if quiet:
                    remark(f"{full_name(done)} created")
                else:
                    report.tell(done, "created")
    return created


def _create_one(client: JobClient, job: Object, dry_run: options.DryRun) -> Object:
    from podwright.cli.failures import Unreachable
    from podwright.cli.refusals import explain
    from podwright.kube.errors import StatusError

    name = job["metadata"].get("name") or f"{job['metadata']['generateName']}…"
    try:
        return client.create(job, dry_run=dry_run is options.DryRun.SERVER)
    except Unreachable as error:
        if not error.sent:
            raise
        raise CommandError(
            f"{error.problem} Whether the job {name} was created is not known.",
            remedy="Look before you submit it again: podwright list",
        ) from error
    except StatusError as error:
        if error.reason == "AlreadyExists":
            raise CommandError(
                f"There is a job {name} in namespace {job['metadata']['namespace']} already.",
                remedy=f"Choose another name, or run that one again: podwright restart {name}",
            ) from error
        raise explain(error, doing=f"create the job {name}", namespace=job["metadata"]["namespace"]) from error


def _wait(
    client: JobClient, jobs: list[Object], *, seconds: float | None, follow: bool, tell: Callable[[str], None]
) -> int:
    from podwright.cli.jobs.log_follow import follow_job
    from podwright.cli.jobs.waiting import TIMEOUT, wait_for
    from podwright.cli.output import remark
    from podwright.cli.patience import Deadline, DeadlineError
    from podwright.cli.times import span

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
