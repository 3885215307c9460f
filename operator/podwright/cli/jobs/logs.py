"""`podwright logs`: what jobs wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from podwright.cli import completion, options
from podwright.cli.errors import CommandError, MisuseError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from podwright.cli.connection import Object
    from podwright.cli.job_client import JobClient
    from podwright.cli.jobs.log_stream import LogOptions
    from podwright.cli.jobs.pod_choice import JobPod

_MOST_UNITS = 20
_MOST_JOBS = 20


def logs(
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", hidden=True, autocompletion=completion.job_names)] = "",
    selector: Annotated[
        str, typer.Option("--selector", "-l", metavar="LABELS", help="Logs of the jobs with these labels.")
    ] = "",
    task: Annotated[int | None, typer.Option(metavar="INDEX", min=0, help="Only this task of an array.")] = None,
    attempt: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="Only this attempt. Default: the last one.")
    ] = None,
    previous: Annotated[bool, typer.Option("--previous", "-p", help="The attempt before the last one.")] = False,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Stream logs of all attempts until the job ends.")
    ] = False,
    container: Annotated[
        str, typer.Option("--container", "-c", metavar="NAME", help="Default: the first one of the pod template.")
    ] = "",
    tail: Annotated[int, typer.Option(metavar="N", help="Only the last N lines; -1 for all.")] = -1,
    since: Annotated[str, typer.Option(metavar="DURATION", help="Only lines newer than this, such as 5m.")] = "",
    timestamps: Annotated[bool, typer.Option("--timestamps", help="Print the time of each line.")] = False,
    place: options.Place,
) -> None:
    """Print the logs of a job.

    These are the logs of its last attempt, or of each task of a small array. When the pod is gone, the message that the attempt left in the job's status is printed instead.

    For example:

      podwright logs report --follow

      podwright logs numbers --task 7 --since 1h --timestamps

      podwright logs -l team=finance --tail 20
    """
    import math

    from podwright.cli.arguments import seconds_option
    from podwright.cli.jobs.log_stream import LogOptions

    seconds = seconds_option(since, option="--since")
    if bool(name) == bool(selector):
        raise MisuseError("Whose logs? Give the name of a job, or --selector.")
    if previous and (follow or attempt is not None):
        raise MisuseError("--previous can't be combined with --follow or --attempt.")
    if selector and (task is not None or attempt is not None):
        raise MisuseError("--task and --attempt can only be used with the name of a job.")
    wanted = LogOptions(
        container=container,
        tail=None if tail < 0 else tail,
        since_seconds=None if seconds is None else max(1, math.ceil(seconds)),
        timestamps=timestamps,
    )
    client = place.client()
    jobs = [client.read(name)] if name else _selected(client, selector)
    if follow:
        _follow(client, jobs, wanted, task=task, attempt=attempt)
        return
    for job in jobs:
        try:
            _print_job(client, job, wanted, task=task, attempt=attempt, previous=previous, named=bool(name))
        except CommandError as error:
            if name:
                raise
            _remark(f"{job['metadata']['name']}: {error.problem}")


def _remark(text: str) -> None:
    from podwright.cli.output import remark

    remark(text)


def _selected(client: JobClient, selector: str) -> list[Object]:
    found = client.all(selector=selector)
    if not found:
        raise CommandError(client.none_found(filtered=True))
    if len(found) > _MOST_JOBS:
        raise CommandError(f"{len(found)} jobs match, more than the {_MOST_JOBS} whose logs can be printed at once.")
    return found


def _follow(
    client: JobClient, jobs: list[Object], wanted: LogOptions, *, task: int | None, attempt: int | None
) -> None:
    from podwright.cli.jobs.log_follow import follow_job
    from podwright.cli.jobs.log_many import follow_many
    from podwright.cli.jobs.state import array_of
    from podwright.cli.jobs.waiting import interruptible
    from podwright.cli.patience import Deadline

    if len(jobs) > 1 or (array_of(jobs[0]) is not None and task is None):
        if attempt is not None:
            raise MisuseError("--attempt of an array needs --task.", remedy="Add --task INDEX.")
        with interruptible(jobs):
            follow_many(client, jobs, options=wanted)
        return
    with interruptible(jobs):
        follow_job(client, jobs[0], deadline=Deadline(None), task=task, attempt=attempt, options=wanted)


def _print_job(
    client: JobClient,
    job: Object,
    wanted: LogOptions,
    *,
    task: int | None,
    attempt: int | None,
    previous: bool,
    named: bool,
) -> None:
    from podwright.cli.jobs.pod_choice import JobPod, candidates, unit_of
    from podwright.cli.jobs.state import name_of

    unit = unit_of(job, task)
    pods = [JobPod.from_object(pod, job) for pod in client.pods(job)]
    found = candidates(pods, unit=unit, attempt=attempt, previous=previous)
    if not found:
        _print_record(job, pods, unit=unit, attempt=attempt, previous=previous)
        return
    if len(found) > _MOST_UNITS:
        raise CommandError(
            f"{name_of(job)} has pods of {len(found)} tasks or packs, too many to print one after the other.",
            remedy=f"Choose one with --task INDEX. `podwright get {name_of(job)}` shows which tasks failed.",
        )
    _print_units(client, job, found, wanted, task=task, label="" if named else name_of(job))


def _print_units(
    client: JobClient,
    job: Object,
    found: Mapping[int, Sequence[JobPod]],
    wanted: LogOptions,
    *,
    task: int | None,
    label: str,
) -> None:
    from podwright.cli.jobs.log_stream import GoneError, NotStartedError, print_log_line, read_log
    from podwright.cli.jobs.state import name_of, pack_of
    from podwright.cli.printable import one_line

    packed = pack_of(job) > 1
    for unit, pods in found.items():
        which = f"{'pack' if packed else 'task'} {unit}" if len(found) > 1 else ""
        parts = " ".join(filter(None, (label, which)))
        prefix = f"[{parts}] " if parts else ""
        try:
            if packed and task is not None:
                _print_section(client, pods, wanted, task=task)
                continue
            empty = True
            for line in read_log(client.connection, pods[0], wanted):
                empty = False
                print_log_line(line, prefix=prefix)
        except NotStartedError as error:
            raise CommandError(
                f"There is no log yet: {one_line(error)}.", remedy=f"podwright why {name_of(job)}"
            ) from error
        except GoneError as error:
            raise CommandError(f"The pod {error} has just gone.", remedy="Try again.") from error
        if empty and pods[0].not_started and not wanted.container:
            raise CommandError(
                f"There is no log: the container {pods[0].default} of the pod {pods[0].name} did not start "
                f"({one_line(pods[0].not_started)}).",
                remedy="Is the command in the image? Check spec.template.spec.containers[].command.",
            )


def _print_section(client: JobClient, pods: Sequence[JobPod], wanted: LogOptions, *, task: int) -> None:
    """Print what a task wrote in the newest pod that ran it: later attempts of its pack leave out what is done."""
    from collections import deque
    from dataclasses import replace

    from podwright.cli.jobs.log_stream import print_log_line, read_log
    from podwright.cli.jobs.sections import Section
    from podwright.cli.output import remark

    for pod in pods:
        section = Section(task)
        read = read_log(client.connection, pod, replace(wanted, tail=None))
        lines = deque((line for line in read if section.keeps(wanted.text_of(line))), maxlen=wanted.tail)
        if section.found:
            for line in lines:
                print_log_line(line)
            if section.mixed:
                remark("Other tasks ran beside it in the same pod; some of these lines may be theirs.")
            return
    raise CommandError(f"Task {task} has not started in any pod that is still there.")


def _print_record(
    job: Object, pods: Sequence[JobPod], *, unit: int | None, attempt: int | None, previous: bool
) -> None:
    """Print the message of the attempt from the job's status, since there is no pod."""
    from podwright.cli.jobs.pod_choice import none_left
    from podwright.cli.jobs.state import name_of, status_of
    from podwright.cli.output import remark
    from podwright.cli.printable import one_line, several_lines

    recorded = [
        each
        for each in status_of(job).get("attempts") or ()
        if (unit is None or each.get("index", 0) == unit) and (attempt is None or each.get("number") == attempt)
    ]
    chosen = recorded[-2:-1] if previous else recorded[-1:]
    if not chosen or not chosen[0].get("message"):
        raise CommandError(
            none_left(job, attempts=[pod.attempt for pod in pods], previous=previous, attempt=attempt),
            remedy=f"podwright why {name_of(job)}",
        )
    remark(f"The pod {one_line(chosen[0].get('podName', ''))} is gone. Its attempt left this message:")
    print(several_lines(str(chosen[0]["message"]).rstrip("\n")))
