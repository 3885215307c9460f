"""`podwright logs`: what a job wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from podwright.cli import options
from podwright.cli.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from podwright.cli.connection import Object
    from podwright.cli.job_client import JobClient
    from podwright.cli.jobs.pod_choice import JobPod

_MOST_UNITS = 20


def logs(
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", show_default=False)],
    task: Annotated[int | None, typer.Option(metavar="INDEX", min=0, help="Only this task of an array.")] = None,
    attempt: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="This attempt. Default: the last one.")
    ] = None,
    previous: Annotated[bool, typer.Option("--previous", "-p", help="The attempt before the last one.")] = False,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on as it writes, through all attempts, until it is over.")
    ] = False,
    container: Annotated[str, typer.Option("--container", "-c", metavar="NAME", help="Default: the first one.")] = "",
    tail: Annotated[int, typer.Option(metavar="N", help="Only the last N lines; -1 for all.")] = -1,
    place: options.Place,
) -> None:
    """Print what a job wrote: its last attempt, or each task's of a small array.

    When the pod is gone, what its attempt left in the job's status is printed instead.
    """
    from podwright.cli.jobs.log_follow import follow_job
    from podwright.cli.jobs.pod_choice import JobPod, candidates, unit_of
    from podwright.cli.patience import Deadline

    if previous and (follow or attempt is not None):
        raise CommandError("--previous is for looking back; leave --follow and --attempt away.")
    client = place.client()
    job = client.read(name)
    last_lines = None if tail < 0 else tail
    if follow:
        follow_job(
            client, job, deadline=Deadline(None), task=task, attempt=attempt, container=container, tail=last_lines
        )
        return
    unit = unit_of(job, task)
    pods = [JobPod.from_object(pod) for pod in client.pods(job)]
    found = candidates(pods, unit=unit, attempt=attempt, previous=previous)
    if not found:
        _print_record(job, pods, unit=unit, attempt=attempt, previous=previous)
        return
    if len(found) > _MOST_UNITS:
        raise CommandError(
            f"{name} has pods of {len(found)} tasks or packs, too many to print one after the other.",
            remedy=f"Choose one with --task INDEX. `podwright get {name}` tells which tasks failed.",
        )
    _print_units(client, job, found, task=task, container=container, tail=last_lines)


def _print_units(
    client: JobClient,
    job: Object,
    found: Mapping[int, Sequence[JobPod]],
    *,
    task: int | None,
    container: str,
    tail: int | None,
) -> None:
    from podwright.cli.jobs.log_stream import GoneError, NotStartedError, print_log_line, read_log
    from podwright.cli.jobs.pod_choice import container_of
    from podwright.cli.jobs.state import name_of, pack_of
    from podwright.cli.printable import one_line

    packed = pack_of(job) > 1
    for unit, pods in found.items():
        prefix = f"[{'pack' if packed else 'task'} {unit}] " if len(found) > 1 else ""
        try:
            if packed and task is not None:
                _print_section(client, pods, task=task, container=container, tail=tail)
                continue
            for line in read_log(client.connection, pods[0], container=container_of(pods[0], container), tail=tail):
                print_log_line(line, prefix=prefix)
        except NotStartedError as error:
            raise CommandError(
                f"There is no log yet: {one_line(error)}.", remedy=f"podwright why {name_of(job)}"
            ) from error
        except GoneError as error:
            raise CommandError(f"The pod {error} has just gone.", remedy="Try again.") from error


def _print_section(client: JobClient, pods: Sequence[JobPod], *, task: int, container: str, tail: int | None) -> None:
    """Print what a task wrote in the newest pod that ran it: later attempts of its pack leave out what is done."""
    from collections import deque

    from podwright.cli.jobs.log_stream import print_log_line, read_log
    from podwright.cli.jobs.pod_choice import container_of
    from podwright.cli.jobs.sections import Section
    from podwright.cli.output import remark

    for pod in pods:
        section = Section(task)
        lines = deque(
            (
                line
                for line in read_log(client.connection, pod, container=container_of(pod, container))
                if section.keeps(line)
            ),
            maxlen=tail,
        )
        if section.found:
            for line in lines:
                print_log_line(line)
            if section.mixed:
                remark("Other tasks ran beside it in the same pod; lines of theirs may be among these.")
            return
    raise CommandError(f"Task {task} has not started in any pod that is still there.")


def _print_record(
    job: Object, pods: Sequence[JobPod], *, unit: int | None, attempt: int | None, previous: bool
) -> None:
    """Print the last words of the attempt from the job's status, since there is no pod."""
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
    print(several_lines(str(chosen[0]["message"])))
