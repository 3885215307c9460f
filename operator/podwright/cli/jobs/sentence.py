"""`podwright why`: what a job waits for, or why it ended, in a sentence. Pure: all it needs to know is in `Facts`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from podwright.cli.jobs.copies import run_again_as
from podwright.cli.jobs.state import (
    array_of,
    finished,
    name_of,
    phase_of,
    recorded_set,
    shown_phase,
    spec_of,
    status_of,
)
from podwright.cli.printable import one_line
from podwright.cli.times import local, seconds_of, span
from podwright.core.constants import names
from podwright.core.constants.reasons import Reason
from podwright.core.model.phase import Phase
from podwright.core.values.index_set import IndexSet

_ENDED: Final = {
    Phase.SUCCEEDED: "succeeded",
    Phase.FAILED: "failed",
    Phase.CANCELLED: "was cancelled",
    Phase.DEAD_LETTERED: "became a dead letter",
    Phase.SKIPPED: "was skipped",
}
_OVER: Final = ("Succeeded", "Failed")
_LONGEST_QUOTE: Final = 200
_NAMED_SETS: Final = 60
_LATE: Final = 15.0
"""Seconds beyond its grace period after which a pod that is being deleted is said to hang."""
_GATES: Final = ("", "Delayed", "DependencyWaiting", "DependencyMissing")
"""Reasons of waiting that the spec explains better than the status; others (a cycle, a key) only the status explains."""


@dataclass(frozen=True, kw_only=True)
class Leader:
    """Whether an operator acts on the job's namespace. `problem` says why none does; both empty: that can't be seen."""

    holder: str = ""
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known. `others` are the jobs that this one depends on, by name; None for one that doesn't exist."""

    job: Mapping[str, Any]
    now: float
    pods: Sequence[Mapping[str, Any]] = ()
    others: Mapping[str, Mapping[str, Any] | None] = field(default_factory=dict)
    leader: Leader = Leader()
    events: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    """Kubernetes Events of pods that don't run yet, by the name of the pod."""


def why(facts: Facts) -> str:
    """Say it."""
    job = facts.job
    name = one_line(name_of(job))
    if finished(job):
        return _why_ended(facts, name)
    if (job.get("metadata") or {}).get("deletionTimestamp"):
        return f"{name} is being deleted; it goes when its pods have ended."
    told = _why_unfinished(facts, name)
    if facts.leader.problem and phase_of(job):
        return f"{told} But {facts.leader.problem}, so nothing will happen until one does."
    return told


def _short(message: str) -> str:
    """Return a message that fits a sentence, else its last line, where the error is; `podwright get` shows all of it."""
    whole = one_line(message)
    return whole if len(whole) <= _LONGEST_QUOTE else one_line(message.strip().splitlines()[-1])


def _why_ended(facts: Facts, name: str) -> str:
    job, status = facts.job, status_of(facts.job)
    ended = seconds_of(status.get("finishTime"))
    when = "" if ended is None else f" {span(facts.now - ended)} ago"
    phase = Phase(phase_of(job))
    told = f"{name} {_ENDED[phase]}{when}{_because(status)}"
    if status.get("duplicateOf"):
        told += f" The job {one_line(status['duplicateOf'])} runs under the same idempotency key."
    attempts = status.get("attempts") or ()
    last = _short(str(attempts[-1].get("message") or "")) if attempts else ""
    if phase is not Phase.SUCCEEDED and last and last not in told:
        told += f' The last attempt said: "{last}".'
    failed = recorded_set(job, "failedIndexes")
    array_failed = bool(failed) and phase is not Phase.SUCCEEDED
    if array_failed:
        told += f" Failed tasks: {_some(failed)}."
    if (again := run_again_as(job)) is not None and (array_failed or phase is Phase.DEAD_LETTERED):
        told += f" It was already {again[0].done} as {one_line(again[1])}."
    elif phase is Phase.DEAD_LETTERED:
        told += f" Run {'what is not done' if array_failed else 'it again'}: podwright dlq redrive {name}"
    elif array_failed:
        told += f" Run what is not done: podwright retry {name}"
    return told


def _because(status: Mapping[str, Any]) -> str:
    reason, message = one_line(status.get("reason") or ""), one_line(status.get("message") or "")
    known = Reason.known(reason)
    if known is not None and not message:
        message = one_line(known.meaning)
    if not reason and not message:
        return "."
    return f" ({reason}): {_stopped(message)}" if message and reason else f": {_stopped(message or reason)}"


def _stopped(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _why_unfinished(facts: Facts, name: str) -> str:
    return (
        _asked_to_stop(facts, name)
        or _held_back(facts, name)
        or _delayed(facts, name)
        or _in_pods(facts, name)
        or _unseen(facts, name)
        or f"{name} is {phase_of(facts.job)}{_because(status_of(facts.job))}"
    )


def _asked_to_stop(facts: Facts, name: str) -> str:
    spec, phase = spec_of(facts.job), phase_of(facts.job)
    live = [pod for pod in facts.pods if _phase(pod) not in _OVER]
    until = f"waits for {_pods(live)} to end" if live else "waits for the operator to record it"
    if spec.get("cancel"):
        return f"{name} is being cancelled ({spec['cancel']}) and {until}.{_unled(facts)}"
    if spec.get("suspend"):
        if phase == Phase.SUSPENDED:
            return f"{name} is suspended (spec.suspend is true). Let it go on: podwright resume {name}"
        return f"{name} is being suspended (spec.suspend is true) and {until}.{_unled(facts)}"
    if phase == Phase.STOPPING:
        return f"{name} is being stopped{_because(status_of(facts.job))[:-1]}; it {until}."
    return ""


def _held_back(facts: Facts, name: str) -> str:
    spec = spec_of(facts.job)
    status = status_of(facts.job)
    if facts.pods or status.get("attemptCount") or str(status.get("reason") or "") not in _GATES:
        return ""
    start = seconds_of(spec.get("startAt"))
    if start is not None and start > facts.now:
        return f"{name} waits until {local(start)}, in {span(start - facts.now)} (spec.startAt).{_unled(facts)}"
    waits = [text for each in spec.get("dependsOn") or () if (text := _dependency(facts, each))]
    return f"{name} waits for {' and for '.join(waits)} (spec.dependsOn).{_unled(facts)}" if waits else ""


def _dependency(facts: Facts, dependency: Mapping[str, Any]) -> str:
    name, condition = str(dependency.get("name", "")), str(dependency.get("condition") or "Succeeded")
    if name not in facts.others:
        return ""
    other = facts.others[name]
    shown = one_line(name)
    wanted = {"Succeeded": "succeed", "Failed": "fail", "Finished": "finish", "Started": "start"}.get(
        condition, condition
    )
    if other is None:
        return f"the job {shown} to {wanted}, which does not exist"
    phase = phase_of(other)
    met = {
        "Succeeded": phase == Phase.SUCCEEDED,
        "Failed": phase in (Phase.FAILED, Phase.DEAD_LETTERED),
        "Finished": finished(other),
        "Started": phase not in ("", Phase.PENDING, Phase.SUSPENDED),
    }
    return "" if met.get(condition, True) else f"the job {shown} to {wanted}, which is {shown_phase(other)}"


def _delayed(facts: Facts, name: str) -> str:
    status = status_of(facts.job)
    due = seconds_of(status.get("nextAttemptTime"))
    if phase_of(facts.job) != Phase.RETRYING or due is None or array_of(facts.job) is not None:
        return ""
    number = status.get("attemptCount", "?")
    when = f"in {span(due - facts.now)}" if due > facts.now else "due now"
    return f"{name} waits for its attempt {number}, {when}{_because(status)}"


def _in_pods(facts: Facts, name: str) -> str:
    live = [pod for pod in facts.pods if _phase(pod) not in _OVER]
    if not live:
        return ""
    stuck = [
        (pod, problem) for pod in live if (problem := _overdue(pod, facts.now) or _problem(pod) or _warning(facts, pod))
    ]
    if array_of(facts.job) is None:
        pod = live[-1]
        if stuck:
            return f"{name} waits for its pod {_name(pod)}: {_stopped(stuck[-1][1])}"
        return f"{name} {_running(pod, facts.now)}.{_left_running(facts, pod)}"
    progress = one_line(status_of(facts.job).get("progress") or "0")
    told = f"{name} runs {len(live)} pod{'s' * (len(live) != 1)}; {progress} tasks have succeeded"
    failed = recorded_set(facts.job, "failedIndexes")
    told += f", {len(failed)} failed ({_some(failed)})." if failed else "."
    if stuck:
        pod, problem = stuck[0]
        index = one_line(((pod.get("metadata") or {}).get("labels") or {}).get(names.LABEL_TASK_INDEX, "?"))
        told += f" {len(stuck)} of the pods cannot go on, such as {_name(pod)} (index {index}): {_stopped(problem)}"
    return told


def _running(pod: Mapping[str, Any], now: float) -> str:
    status, node = pod.get("status") or {}, one_line((pod.get("spec") or {}).get("nodeName") or "")
    since = seconds_of(status.get("startTime"))
    if _phase(pod) != "Running":
        return f"waits for its pod {_name(pod)} to start" + (f" on node {node}" if node else "")
    return (
        ("runs" if since is None else f"has been running for {span(now - since)}")
        + f" in pod {_name(pod)}"
        + (f" on node {node}" if node else "")
    )


def _warning(facts: Facts, pod: Mapping[str, Any]) -> str:
    """Say what the cluster warns of while a pod doesn't start, such as a volume that can't be mounted."""
    if _phase(pod) != "Pending":
        return ""
    warnings = [each for each in facts.events.get(_name(pod), ()) if each.get("type") == "Warning"]
    if not warnings:
        return ""
    last = max(warnings, key=_event_time)
    reason, message = one_line(last.get("reason") or "Warning"), one_line(last.get("message") or "")
    return f"{reason}: {message}" if message else reason


def _event_time(event: Mapping[str, Any]) -> float:
    series = event.get("series") or {}
    times = (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime"))
    return next((found for each in times if (found := seconds_of(each)) is not None), 0.0)


def _left_running(facts: Facts, pod: Mapping[str, Any]) -> str:
    """Say which container ended and which keeps the pod, and so the job, running."""
    states = {
        one_line(each.get("name", "")): each.get("state") or {}
        for each in (pod.get("status") or {}).get("containerStatuses") or ()
    }
    ended = {name: state["terminated"] for name, state in states.items() if state.get("terminated") is not None}
    running = [name for name, state in states.items() if state.get("running") is not None]
    if not ended or not running:
        return ""
    told = " and ".join(
        f"{name} ended with exit code {one_line(state.get('exitCode', '?'))}" for name, state in ended.items()
    )
    told = f" Its container {told}; {' and '.join(running)} still {'runs' if len(running) == 1 else 'run'}."
    template = ((spec_of(facts.job).get("template") or {}).get("spec") or {}).get("containers") or ()
    foreign = set(running) - {str(each.get("name")) for each in template}
    if template and foreign == set(running):
        told += (
            f" {' and '.join(running)} is not in the job's template but was added to the pod: have it injected as a native"
            " sidecar (an init container with restartPolicy: Always), which ends with the job."
        )
    return told


def _overdue(pod: Mapping[str, Any], now: float) -> str:
    """Say that a pod should be gone, as one on a silent node: its job waits, however long that takes."""
    due = seconds_of((pod.get("metadata") or {}).get("deletionTimestamp"))
    node = one_line((pod.get("spec") or {}).get("nodeName") or "")
    if due is None or not node or now - due < _LATE:
        return ""
    return f"it should have ended {span(now - due)} ago, but the node {node} does not say that it did"


def _problem(pod: Mapping[str, Any]) -> str:
    """Say why a pod doesn't run yet, as far as it tells."""
    status = pod.get("status") or {}
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            reason, message = one_line(condition.get("reason") or ""), one_line(condition.get("message") or "")
            return f"no node takes it{f' ({reason})' if reason else ''}{f': {message}' if message else ''}"
    for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        waiting = (container.get("state") or {}).get("waiting") or {}
        reason, message = one_line(waiting.get("reason") or ""), one_line(waiting.get("message") or "")
        if reason and reason not in ("ContainerCreating", "PodInitializing"):
            told = f"container {one_line(container.get('name', ''))} cannot start ({reason})"
            return f"{told}: {message}" if message else told
    return ""


def _unseen(facts: Facts, name: str) -> str:
    if phase_of(facts.job):
        return ""
    created = seconds_of((facts.job.get("metadata") or {}).get("creationTimestamp"))
    ago = "" if created is None else f"; it was created {span(facts.now - created)} ago"
    if facts.leader.problem:
        return f"No operator has reconciled {name}{ago}: {facts.leader.problem}."
    if facts.leader.holder:
        return f"The operator {one_line(facts.leader.holder)} leads but has not reconciled {name} yet{ago}."
    return f"No operator has reconciled {name}{ago}. Your rights don't allow to see whether one runs."


def _unled(facts: Facts) -> str:
    # With a phase the caller says it of all kinds of waiting.
    return "" if phase_of(facts.job) or not facts.leader.problem else f" But {facts.leader.problem}."


def _some(indexes: IndexSet) -> str:
    text = str(indexes)
    return text if len(text) <= _NAMED_SETS else f"{text[:_NAMED_SETS].rpartition(',')[0]}, …"


def _pods(pods: Iterable[Mapping[str, Any]]) -> str:
    found = [_name(pod) for pod in pods]
    return f"its pod {found[0]}" if len(found) == 1 else f"its {len(found)} pods"


def _name(pod: Mapping[str, Any]) -> str:
    return one_line((pod.get("metadata") or {}).get("name", ""))


def _phase(pod: Mapping[str, Any]) -> str:
    return str((pod.get("status") or {}).get("phase", ""))
