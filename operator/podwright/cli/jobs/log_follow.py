"""Following the output of a job through its attempts, until the job, or the task, is over."""

from __future__ import annotations

from typing import Final

from podwright.cli.connection import Object
from podwright.cli.errors import CommandError
from podwright.cli.follow import Deadline
from podwright.cli.job_client import JobClient
from podwright.cli.jobs.log_stream import GoneError, NotStartedError, follow_log, print_line
from podwright.cli.jobs.pod_choice import JobPod, candidates, container_of, unit_of
from podwright.cli.jobs.sections import Section
from podwright.cli.jobs.state import array_of, finished, name_of, pack_of, recorded_set
from podwright.cli.output import remark
from podwright.cli.printable import one_line

_POLL_SECONDS: Final = 0.5


def follow_job(
    client: JobClient,
    job: Object,
    *,
    deadline: Deadline,
    task: int | None = None,
    attempt: int | None = None,
    container: str = "",
    tail: int | None = None,
) -> None:
    """Print what the job writes, one attempt after the other; with `attempt` only that one.

    Raises:
        CommandError: it is an array and no task is named, or its log can't be read.
        DeadlineError: the time is over.
    """
    if array_of(job) is not None and task is None:
        raise CommandError(
            f"{name_of(job)} is an array: its output can be followed for one task.", remedy="Add --task INDEX."
        )
    unit = unit_of(job, task) or 0
    meta = job["metadata"]
    seen: set[str] = set()
    said = ""
    while True:
        # Read before the pods: a job that is over gets no further pod.
        current = client.find(meta["name"], namespace=meta["namespace"])
        if current is None or current["metadata"]["uid"] != meta["uid"]:
            return
        pods = [JobPod.from_object(pod) for pod in client.pods(current)]
        newest = next(iter(candidates(pods, unit=unit, attempt=attempt).get(unit, ())), None)
        if newest is not None and newest.name not in seen:
            try:
                if seen:
                    remark(f"--- attempt {newest.attempt} ---")
                _print_pod(client, newest, deadline=deadline, task=_packed(job, task), container=container, tail=tail)
                seen.add(newest.name)
            except GoneError:
                seen.add(newest.name)
            except NotStartedError as error:
                if (reason := one_line(error)) != said:
                    said = reason
                    remark(reason)
            if newest.name in seen and attempt is not None:
                return
        if _over(current, task) and (newest is None or newest.name in seen):
            return
        deadline.sleep(_POLL_SECONDS)


def _print_pod(
    client: JobClient, pod: JobPod, *, deadline: Deadline, task: int | None, container: str, tail: int | None
) -> None:
    lines = follow_log(
        client.connection,
        pod,
        container=container_of(pod, container),
        deadline=deadline,
        tail=tail if task is None else None,
    )
    section = None if task is None else Section(task)
    for line in lines:
        if section is None or section.keeps(line):
            print_line(line)
        if section is not None and section.over:
            return


def _packed(job: Object, task: int | None) -> int | None:
    return task if pack_of(job) > 1 else None


def _over(job: Object, task: int | None) -> bool:
    if finished(job):
        return True
    return task is not None and (
        task in recorded_set(job, "succeededIndexes") or task in recorded_set(job, "failedIndexes")
    )
