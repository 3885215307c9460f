"""Which pods' logs a user means. Pure.

The pods of an array carry the index of their unit: of the task, or of the pack of neighbouring tasks (`task // pack`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from podwright.cli.errors import CommandError
from podwright.cli.jobs.state import array_of, name_of, pack_of, spec_of, tasks_of
from podwright.core.constants import names

_DEFAULT_CONTAINER: Final = "kubectl.kubernetes.io/default-container"
_NEVER_RAN: Final = ("StartError", "ContainerCannotRun")


@dataclass(frozen=True)
class JobPod:
    """A pod of a job, as the choice sees it."""

    name: str
    namespace: str
    unit: int
    attempt: int
    phase: str
    containers: tuple[str, ...]
    """Their names, those of init containers and native sidecars last."""
    default: str = ""
    """The container to read if none is named."""
    scheduled: bool = True
    """Whether a node was chosen for it. Until then the API server shows an empty log instead of saying that there is none."""
    not_started: str = ""
    """Why the default container never ran although it has ended; empty if it did run."""

    @property
    def over(self) -> bool:
        """Whether it has ended; a container of it that has not started by then never will."""
        return self.phase in ("Succeeded", "Failed")

    @classmethod
    def from_object(cls, pod: Mapping[str, Any], job: Mapping[str, Any]) -> JobPod:
        """Read a pod of a job. One whose labels make no sense counts as attempt 0 of unit 0."""
        meta = pod["metadata"]
        labels = meta.get("labels") or {}
        spec = pod.get("spec") or {}
        phase = str((pod.get("status") or {}).get("phase", ""))
        containers = tuple(
            str(each.get("name", "")) for each in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ()))
        )
        default = _default_container(meta, job, containers)
        return cls(
            name=str(meta["name"]),
            namespace=str(meta.get("namespace", "")),
            unit=_number(labels.get(names.LABEL_TASK_INDEX)),
            attempt=_number(labels.get(names.LABEL_ATTEMPT)),
            phase=phase,
            containers=containers,
            default=default,
            scheduled=bool(spec.get("nodeName")) or phase != "Pending",
            not_started=_never_ran(pod.get("status") or {}, default),
        )


def _default_container(meta: Mapping[str, Any], job: Mapping[str, Any], containers: Sequence[str]) -> str:
    """Choose as kubectl does, else the template's first: what an injector puts before it is not the job's."""
    named = (meta.get("annotations") or {}).get(_DEFAULT_CONTAINER)
    template = ((spec_of(job).get("template") or {}).get("spec") or {}).get("containers") or ()
    firsts = [named, *(each.get("name") for each in template[:1]), *containers]
    return next((str(name) for name in firsts if name in containers), "")


def _never_ran(status: Mapping[str, Any], container: str) -> str:
    for each in status.get("containerStatuses") or ():
        ended = (each.get("state") or {}).get("terminated") or {}
        if each.get("name") == container and ended.get("reason") in _NEVER_RAN:
            return f"{ended['reason']}: {ended.get('message') or 'no message'}"
    return ""


def unit_of(job: Mapping[str, Any], task: int | None) -> int | None:
    """Return the unit whose pods run a task; None if no task is named.

    Raises:
        CommandError: the job has no such task.
    """
    if task is None:
        return None
    if array_of(job) is None:
        if task == 0:
            return 0
        raise CommandError(f"{name_of(job)} is not an array: it has one task, so leave out --task.")
    tasks = tasks_of(job)
    if task not in tasks:
        shown = str(tasks)
        raise CommandError(
            f"{name_of(job)} has no task {task}; it has {shown if len(shown) < 80 else f'{len(tasks)} tasks'}."
        )
    return task // pack_of(job)


def candidates(
    pods: Iterable[JobPod], *, unit: int | None, attempt: int | None = None, previous: bool = False
) -> dict[int, list[JobPod]]:
    """Return the pods that may hold what the user wants to read, by unit, the newest first.

    Args:
        pods: all pods of the job.
        unit: only of this one.
        attempt: only of this one.
        previous: leave out the newest attempt of each unit.
    """
    found: dict[int, list[JobPod]] = {}
    for pod in sorted(pods, key=lambda pod: (pod.unit, -pod.attempt, pod.name)):
        if (unit is None or pod.unit == unit) and (attempt is None or pod.attempt == attempt):
            found.setdefault(pod.unit, []).append(pod)
    if not previous:
        return found
    older = {each: [pod for pod in them if pod.attempt < them[0].attempt] for each, them in found.items()}
    return {each: them for each, them in older.items() if them}


def container_of(pod: JobPod, wanted: str) -> str:
    """Return the container to read: the named one, else the job's.

    Raises:
        CommandError: there is none of that name.
    """
    if wanted and wanted not in pod.containers:
        raise CommandError(f"The pod {pod.name} has no container {wanted}; it has {', '.join(pod.containers)}.")
    return wanted or pod.default


def none_left(job: Mapping[str, Any], *, attempts: Sequence[int], previous: bool, attempt: int | None) -> str:
    """Say that there is no pod to read from, and what there is."""
    there = ", ".join(str(number) for number in sorted(set(attempts)))
    if previous:
        return f"{name_of(job)} has no earlier attempt whose pod is still there."
    if attempt is not None and there:
        return f"{name_of(job)} has no pod of attempt {attempt}; there are pods of attempt {there}."
    return f"{name_of(job)} has no pod."


def _number(text: object) -> int:
    return int(text) if isinstance(text, str) and text.isascii() and text.isdigit() else 0
