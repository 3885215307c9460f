"""Following the output of a job through its attempts, until the job, or the task, is over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from podwright.cli.connection import Object
from podwright.cli.errors import CommandError
from podwright.cli.job_client import JobClient
from podwright.cli.jobs.log_stream import GoneError, LogOptions, NotStartedError, follow_log, print_log_line
from podwright.cli.jobs.pod_choice import JobPod, candidates, unit_of
from podwright.cli.jobs.sections import Section
from podwright.cli.jobs.state import finished, pack_of, recorded_set
from podwright.cli.output import remark
from podwright.cli.patience import Deadline, Patience, passes
from podwright.cli.printable import one_line

_POLL_SECONDS: Final = 0.5
_GIVE_UP_SECONDS: Final = 120.0
_ENDED_SETS: Final = ("succeededIndexes", "failedIndexes", "skippedIndexes")


def follow_job(
    client: JobClient,
    job: Object,
    *,
    deadline: Deadline,
    task: int | None = None,
    attempt: int | None = None,
    options: LogOptions = LogOptions(),
    from_first: bool = False,
) -> Object:
    """Print what the job writes, one attempt after the other; with `attempt` only that one. Return the job as last seen.

    It begins with the newest attempt, or if `from_first` with the first one whose pod is there.

    Raises:
        CommandError: it is an array and no task is named, or its log can't be read.
        DeadlineError: the time is over.
    """
    unit = unit_of(job, task) or 0
    done = -1 if from_first else None  # the last attempt that we need not look at any more
    said: set[str] = set()
    patience = Patience(deadline, seconds=_GIVE_UP_SECONDS)
    while True:
        try:
            # Read before the pods: a job that is over gets no further pod.
            current = _current(client, job)
            pods = [JobPod.from_object(pod, job) for pod in client.pods(job)]
        except CommandError as error:
            if not passes(error):
                raise
            patience.lost(error)
            continue
        patience.found()
        if current is None:
            return job
        job = current
        pod = _next_pod(candidates(pods, unit=unit, attempt=attempt).get(unit, ()), after=done)
        if pod is None and _over(job, task):
            return job
        if pod is not None:
            heading = f"--- attempt {pod.attempt} ---" if done is not None and done >= 0 else ""
            problem, over = _print_pod(client, pod, deadline, task=_packed(job, task), options=options, heading=heading)
            # Each once for a pod: what it waits for alternates between two texts while an image can't be pulled.
            if problem and f"{pod.name} {problem}" not in said:
                remark(problem)
                said.add(f"{pod.name} {problem}")
            if over:
                done = pod.attempt
                if attempt is not None:
                    return job
                continue
        deadline.sleep(_POLL_SECONDS)


def _current(client: JobClient, job: Object) -> Object | None:
    meta = job["metadata"]
    found = client.find(meta["name"], namespace=meta["namespace"])
    return found if found is not None and found["metadata"]["uid"] == meta["uid"] else None


def _next_pod(pods: Sequence[JobPod], *, after: int | None) -> JobPod | None:
    """Choose among the pods of the attempts, the newest first: that one, or else the first after an attempt."""
    if after is None:
        return next(iter(pods), None)
    return next((pod for pod in reversed(pods) if pod.attempt > after), None)


def _print_pod(
    client: JobClient,
    pod: JobPod,
    deadline: Deadline,
    *,
    task: int | None,
    options: LogOptions,
    heading: str,
) -> tuple[str, bool]:
    """Print what a pod writes, with the heading before the first line. Return what is wrong, and whether that is all."""
    wanted = options if task is None else replace(options, tail=None)
    lines = follow_log(client.connection, pod, wanted, deadline=deadline)
    section = None if task is None else Section(task)
    try:
        for line in lines:
            if section is None or section.keeps(options.text_of(line)):
                if heading:
                    remark(heading)
                    heading = ""
                print_log_line(line)
            if section is not None and section.over:
                break
    except GoneError:
        return f"The pod {pod.name} has gone; what else it wrote can't be read any more.", True
    except NotStartedError as error:
        return one_line(error), pod.over
    return (
        f"The container {pod.default} of the pod {pod.name} did not start ({one_line(pod.not_started)})."
        if pod.not_started
        else ""
    ), True


def _packed(job: Object, task: int | None) -> int | None:
    return task if pack_of(job) > 1 else None


def _over(job: Object, task: int | None) -> bool:
    if finished(job):
        return True
    return task is not None and any(task in recorded_set(job, name) for name in _ENDED_SETS)
