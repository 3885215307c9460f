"""From a pod as the API server writes it to a `PodView`: what its containers, conditions and times say. Pure; used by `decode`."""

import math
from collections.abc import Collection, Iterable
from sys import intern
from typing import Final

from podwright.core.attempt.signals import signal_name
from podwright.core.attempt.termination_message import ended_for_lack_of_progress, is_report
from podwright.core.constants.names import FINALIZER
from podwright.core.job.identity import identify
from podwright.core.model.pod import FailedContainer, PodPhase, PodView
from podwright.kube.codecs.pod_object import (
    ContainerStatus,
    Pod,
    PodCondition,
    PodMetadata,
    PodStatus,
    Terminated,
    marks_of,
)
from podwright.kube.codecs.times import unix_seconds

MESSAGE_LIMIT: Final = 1024
REPORT_LIMIT: Final = 4096  # what the kubelet takes of a termination message; it may be a report, which must stay whole
_ORDINARY_WAITS: Final = frozenset({"", "PodInitializing", "ContainerCreating"})
# Every pod has them, and none tells of a failure: to keep them for each pod would be a waste.
_ORDINARY_CONDITIONS: Final = frozenset(
    {"PodScheduled", "PodReadyToStartContainers", "Initialized", "ContainersReady", "Ready"}
)
_UNKNOWN_END: Final = "ContainerStatusUnknown"  # "pkg/kubelet/kubelet_pods.go": with exit code 137, whatever it was
# After a reboot containerd has a container, but no task of it: state UNKNOWN, and an exit code that it makes up.
_LOST_TASK: Final = ("Unknown", 255)
_OUT_OF_MEMORY: Final = "OOMKilled"
_NEVER: Final = math.inf
_KILLED: Final = frozenset({"SIGKILL", "SIGTERM"})
_TERMINAL: Final = frozenset({PodPhase.SUCCEEDED, PodPhase.FAILED})
_Ended = tuple[str, Terminated]  # a container's name, and how it ended


def pod_view(pod: Pod) -> PodView:
    """Return the view of a pod. One whose marks name no BatchJob, or contradict each other, gets an empty `job_uid`.

    Raises:
        ValueError: the resourceVersion is no number.
    """
    metadata, status = pod.metadata, pod.status
    job_uid, job_name, task_index, attempt, lacks = identify(
        marks_of(metadata.name, metadata.labels, metadata.owner_references)
    )
    containers = status.container_statuses or ()
    # Most events are of pods of which no container has ended: then there is nothing to look for.
    ended = _terminated(containers)
    failures = _failures(ended, status.init_container_statuses) if ended or status.init_container_statuses else []
    first = failures[0][1] if failures else None
    waiting = None if status.phase in _TERMINAL else _waiting(status)
    return PodView(
        uid=metadata.uid,
        namespace=intern(metadata.namespace),
        name=metadata.name,
        resource_version=int(metadata.resource_version),
        job_uid=job_uid,
        job_name=job_name,
        task_index=task_index,
        attempt=attempt,
        created=unix_seconds(metadata.creation_timestamp),
        held=metadata.finalizers is not None and FINALIZER in metadata.finalizers,
        phase=status.phase,
        node=intern(pod.spec.node_name),
        started=None if status.start_time is None else unix_seconds(status.start_time),
        containers_started=_containers_started(containers) if containers else None,
        ended=_ended(ended) if ended else None,
        deletion_requested=None if metadata.deletion_timestamp is None else _deletion_requested(metadata),
        deletion_grace=None if metadata.deletion_timestamp is None else _deletion_grace(metadata),
        termination_grace=float(pod.spec.termination_grace_period_seconds),
        exit_code=_exit_code(status.phase, failures),
        reason=intern(status.reason or (first.reason if first else "")),
        message=_report(ended) or _message(status, first, ended),
        waiting_reason=intern(waiting[0]) if waiting else "",
        waiting_message=waiting[1][:MESSAGE_LIMIT] if waiting else "",
        disruption=_disruption(status.conditions),
        failed=tuple([_failed_container(name, terminated) for name, terminated in failures]) if failures else (),
        conditions=_conditions(status.conditions),
        completed=_completed(status.phase, containers, ended) if ended else None,
        running_on=_running_on(containers) if ended else (),
        lacks=lacks,
    )


def _deletion_requested(metadata: PodMetadata) -> float | None:
    if metadata.deletion_timestamp is None:
        return None
    # The API server writes the time at which the grace period will be over.
    return unix_seconds(metadata.deletion_timestamp) - (metadata.deletion_grace_period_seconds or 0)


def _deletion_grace(metadata: PodMetadata) -> float | None:
    if metadata.deletion_timestamp is None or metadata.deletion_grace_period_seconds is None:
        return None
    return float(metadata.deletion_grace_period_seconds)


def _terminated(statuses: Iterable[ContainerStatus]) -> list[_Ended]:
    return [
        (container.name, container.state.terminated)
        for container in statuses
        if container.state is not None and container.state.terminated is not None
    ]


def _failures(ended: list[_Ended], before: Collection[ContainerStatus] | None) -> list[_Ended]:
    """Return the containers that decided a failure, the one that failed first in front: the others may have ended because of it.

    `before` are the init containers.
    """
    # A sidecar that is ended after the application reports its signal; that is no failure of the pod.
    ran = any(_has_exit(terminated) for _, terminated in ended)
    deciding = ended if ran else [*_terminated(before or ()), *ended]
    failures = [(name, terminated) for name, terminated in deciding if terminated.exit_code != 0]
    return sorted(failures, key=_by_time) if len(failures) > 1 else failures


def _by_time(failure: _Ended) -> tuple[bool, float, bool, bool]:
    """Sort by the end, all by the same node's clock. Within its second, what ran out of memory and what gave up go before the killed."""
    _, terminated = failure
    time = _NEVER if terminated.finished_at is None else unix_seconds(terminated.finished_at)
    killed = signal_name(signal=terminated.signal, exit_code=terminated.exit_code) in _KILLED
    return not _has_exit(terminated), time if time > 0 else _NEVER, terminated.reason != _OUT_OF_MEMORY, killed


def _failed_container(name: str, terminated: Terminated) -> FailedContainer:
    if not _has_exit(terminated):
        return FailedContainer(intern(name), None, "", intern(terminated.reason))
    signal = signal_name(signal=terminated.signal, exit_code=terminated.exit_code)
    return FailedContainer(intern(name), terminated.exit_code, signal, intern(terminated.reason))


def _has_exit(terminated: Terminated) -> bool:
    """Return whether the exit code is a process' own. It is made up where none ran, or where the kubelet can't tell of it."""
    never_ran = terminated.started_at is not None and unix_seconds(terminated.started_at) <= 0
    made_up = terminated.reason == _UNKNOWN_END or (terminated.reason, terminated.exit_code) == _LOST_TASK
    return not never_ran and not made_up


def _message(status: PodStatus, failed: Terminated | None, ended: list[_Ended]) -> str:
    if failed is not None or status.phase is not PodPhase.SUCCEEDED:
        return ((failed.message if failed is not None else "") or status.message)[:REPORT_LIMIT]
    for _, terminated in ended:
        if terminated.message:
            return terminated.message[:REPORT_LIMIT]
    return ""


def _report(ended: list[_Ended]) -> str:
    """Return what we ourselves left as a message, whichever container failed beside it.

    That is the report of a pack, which says which tasks must not run again, or the words of the watchdog.
    """
    for _, terminated in ended:
        message = terminated.message
        if message and (is_report(message) or ended_for_lack_of_progress(message)):
            return terminated.message[:REPORT_LIMIT]
    return ""


def _completed(phase: PodPhase, statuses: Collection[ContainerStatus], ended: list[_Ended]) -> float | None:
    """Return when the last of the containers that ended well did so, if the pod failed all the same, or others run on; by the node's clock."""
    well = [terminated.finished_at for _, terminated in ended if terminated.exit_code == 0 and terminated.finished_at]
    if not well:
        return None
    failed = phase is PodPhase.FAILED
    if len(well) == len(statuses):
        return max(map(unix_seconds, well)) if failed else None
    if failed and len(well) == len(ended):
        return None  # the others never ran
    return max(map(unix_seconds, well))


def _running_on(statuses: Collection[ContainerStatus]) -> tuple[str, ...]:
    """Return the containers that still run, of a pod some of whose others have ended."""
    if len(statuses) < 2:
        return ()
    running = (container for container in statuses if container.state is not None and container.state.running)
    return tuple([intern(container.name) for container in running])


def _exit_code(phase: PodPhase, failures: list[_Ended]) -> int | None:
    for _, terminated in failures:
        if _has_exit(terminated):
            return terminated.exit_code
    return 0 if phase is PodPhase.SUCCEEDED else None


def _ended(ended: list[_Ended]) -> float | None:
    latest: float | None = None
    for _, terminated in ended:
        if terminated.finished_at is None:
            continue
        time = unix_seconds(terminated.finished_at)
        # Runtimes that lost track of a container say that it ended at the epoch.
        if time > 0 and (latest is None or time > latest):
            latest = time
    return latest


def _containers_started(statuses: Iterable[ContainerStatus]) -> float | None:
    """Return when the last container began to run. One that never did has no such time, or the epoch, even once it is ended."""
    latest: float | None = None
    for container in statuses:
        state = container.state
        ran = None if state is None else state.running or state.terminated
        if ran is None or ran.started_at is None:
            return None
        time = unix_seconds(ran.started_at)
        if time <= 0:
            return None
        latest = time if latest is None else max(latest, time)
    return latest


def _waiting(status: PodStatus) -> tuple[str, str] | None:
    """Return why the pod can't start, and nothing else: a sidecar that crashes beside a container that runs holds nothing up."""
    applications, before = status.container_statuses or (), status.init_container_statuses or ()
    for container in applications if any(_has_begun(each) for each in applications) else (*before, *applications):
        waiting = container.state.waiting if container.state is not None else None
        if waiting is not None and waiting.reason not in _ORDINARY_WAITS:
            return waiting.reason, waiting.message
    for condition in status.conditions or ():
        if condition.type == "PodScheduled" and condition.status == "False":
            return condition.reason, condition.message
    return None


def _has_begun(container: ContainerStatus) -> bool:
    state = container.state
    return state is not None and (state.running is not None or state.terminated is not None)


def _disruption(conditions: Iterable[PodCondition] | None) -> str:
    for condition in conditions or ():
        if condition.type == "DisruptionTarget" and condition.status == "True":
            return intern(condition.reason)
    return ""


def _conditions(conditions: Iterable[PodCondition] | None) -> tuple[tuple[str, str], ...]:
    unusual = [c for c in conditions or () if c.type not in _ORDINARY_CONDITIONS]
    return tuple([(intern(condition.type), intern(condition.status)) for condition in unusual]) if unusual else ()
