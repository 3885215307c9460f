"""What must hold whatever was killed, cut or delayed: each check gives the violations that it finds, in words.

They judge only what the API server stored (`VersionLog`) and what the operators asked (`Exchange`), never what an operator
tells in its log or metrics. The numbers are those of the project's list of invariants, so that a test can name them.
"""

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from podwright.core.constants import names
from podwright.core.model.phase import TERMINAL, TRANSITIONS, Phase
from podwright.core.values.index_set import IndexSet
from tests.faults.history import Exchange, Version, VersionLog

Document = Mapping[str, Any]
Violations = Iterator[str]

_ENDED: Final = ("Succeeded", "Failed")
_CHARGED_TO: Final = {"User": "failedCount", "Platform": "platformFailedCount", "Timeout": "timeoutCount"}
_FIXED_AT_THE_END: Final = ("phase", "startTime", "finishTime", "attempts")


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of one namespace in one run. `deleted_by_user` names jobs that somebody meant to lose."""

    jobs: Sequence[Version]
    pods: Sequence[Version]
    deleted_by_user: frozenset[str] = frozenset()
    waiting: frozenset[str] = frozenset()
    """Names of jobs that rightly are not over at the end, such as suspended ones."""

    @classmethod
    def of(
        cls,
        log: VersionLog,
        *,
        namespace: str,
        deleted_by_user: Iterable[str] = (),
        waiting: Iterable[str] = (),
    ) -> "Evidence":
        """Gather what concerns one namespace."""
        return cls(
            jobs=[version for version in log.jobs if version.namespace == namespace],
            pods=[version for version in log.pods if version.namespace == namespace],
            deleted_by_user=frozenset(deleted_by_user),
            waiting=frozenset(waiting),
        )


def one_started_pod_per_attempt(evidence: Evidence) -> Violations:
    """I1: of each attempt of each task of a job, at most one pod was ever started."""
    started: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for pod in evidence.pods:
        if _was_started(pod):
            started[_attempt(pod)].add(pod.uid)
    for (job, task, attempt), uids in started.items():
        if len(uids) > 1:
            yield f"I1: attempt {attempt} of task {task} of job {job} was started as {len(uids)} pods: {sorted(uids)}"


def at_most_once_is_at_most_once(evidence: Evidence) -> Violations:
    """I1, for AtMostOnce: of each task of a job at most one pod was ever started, of whichever attempt."""
    once = {job.uid for job in evidence.jobs if job.document["spec"].get("deliveryMode") == "AtMostOnce"}
    started: dict[tuple[str, str], set[str]] = defaultdict(set)
    for pod in evidence.pods:
        job, task, _ = _attempt(pod)
        if job in once and _was_started(pod):
            started[job, task].add(pod.uid)
    for (job, task), uids in started.items():
        if len(uids) > 1:
            yield f"I1: task {task} of job {job}, to be started at most once, was started as {sorted(uids)}"


def one_running_pod_per_task(evidence: Evidence) -> Violations:
    """I2: at no time do two pods of the same task exist of which either may still run."""
    may_run: dict[tuple[str, str], set[str]] = defaultdict(set)
    for pod in sorted(evidence.pods, key=lambda version: version.revision):
        job, task, _ = _attempt(pod)
        alive = may_run[job, task]
        if _may_run(pod):
            alive.add(pod.uid)
            if len(alive) > 1:
                yield f"I2: at version {pod.revision} job {job} has {len(alive)} pods that may run: {sorted(alive)}"
        else:
            alive.discard(pod.uid)


def one_run_per_key(evidence: Evidence) -> Violations:
    """Of all jobs of a namespace with one idempotency key at most one ever has pods; no run here outlasts a window."""
    ran: dict[str, set[str]] = defaultdict(set)
    keys = {job.uid: job.document["spec"].get("idempotencyKey", "") for job in evidence.jobs}
    for pod in evidence.pods:
        job = pod.metadata["labels"][names.LABEL_JOB_UID]
        if keys.get(job):
            ran[keys[job]].add(job)
    for key, jobs in ran.items():
        if len(jobs) > 1:
            yield f"KEY: {len(jobs)} jobs ran under the key {key}: {sorted(jobs)}"


def no_lost_job(evidence: Evidence) -> Violations:
    """I3: every accepted job is over at the end, or says why it waits; only users and its own time to live delete it."""
    for job in _last(evidence.jobs).values():
        phase = job.status.get("phase")
        if job.deleted:
            lives = "ttlSecondsAfterFinished" in job.document["spec"] and phase in TERMINAL
            if job.name not in evidence.deleted_by_user and not lives:
                yield f"I3: job {job.name} was deleted by nobody's wish, in phase {phase}"
        elif phase not in TERMINAL and job.name not in evidence.waiting:
            yield f"I3: job {job.name} never ended: {job.status}"
        elif phase not in TERMINAL and not job.status.get("reason"):
            yield f"I3: job {job.name} waits without a reason: {job.status}"


def the_end_is_final(evidence: Evidence) -> Violations:
    """I4: what a finished job says of its end never changes, and it is Complete, Failed or Skipped, one of them."""
    for versions in _lives(evidence.jobs):
        ended = [version for version in versions if version.status.get("phase") in TERMINAL]
        for version in ended:
            true = _true_conditions(version.status)
            if len(true & {"Complete", "Failed", "Skipped"}) != 1:
                yield f"I4: finished job {version.name} has the conditions {sorted(true)}"
            for field in _FIXED_AT_THE_END:
                first, now = ended[0].status.get(field), version.status.get(field)
                if first != now:
                    yield f"I4: {field} of the finished job {version.name} changed from {first} to {now}"
        if ended and versions[-1].status.get("phase") not in TERMINAL:
            yield f"I4: job {versions[-1].name} is no longer finished"


def attempts_are_the_pods(evidence: Evidence) -> Violations:
    """I5: a finished job's attempts are exactly the pods that were started, and it failed no more often than allowed."""
    started: dict[str, set[str]] = defaultdict(set)
    existed: dict[str, set[str]] = defaultdict(set)
    for pod in evidence.pods:
        job = pod.metadata["labels"][names.LABEL_JOB_UID]
        existed[job].add(pod.uid)
        if _was_started(pod):
            started[job].add(pod.uid)
    for job in _last(evidence.jobs).values():
        status = job.status
        if status.get("phase") not in TERMINAL:
            continue
        if "array" in status:
            yield from _tasks_are_the_pods(job, evidence)
            continue
        attempts = status.get("attempts", [])
        recorded = {attempt["podUID"] for attempt in attempts if attempt.get("podUID")}
        count, limit = status.get("attemptCount", 0), job.document["spec"].get("retry", {}).get("limit", 3)
        if count == len(attempts) and started[job.uid] - recorded:
            yield f"I5: job {job.name} does not record its pods {sorted(started[job.uid] - recorded)}"
        if recorded - existed[job.uid]:
            yield f"I5: job {job.name} records pods that never were: {sorted(recorded - existed[job.uid])}"
        if len(recorded) != len([attempt for attempt in attempts if attempt.get("podUID")]):
            yield f"I5: job {job.name} records a pod twice: {attempts}"
        if any("outcome" not in attempt for attempt in attempts):
            yield f"I5: job {job.name} is over but an attempt is not: {attempts}"
        if status.get("failedCount", 0) > limit + 1:
            yield f"I5: job {job.name} failed {status['failedCount']} times with a limit of {limit} retries"
        for budget, field in _CHARGED_TO.items():
            charged = [attempt for attempt in attempts if attempt.get("budget") == budget]
            if count == len(attempts) and len(charged) != status.get(field, 0):
                yield f"I5: job {job.name} has {field} {status.get(field, 0)} but records {len(charged)}"


def _tasks_are_the_pods(job: Version, evidence: Evidence) -> Violations:
    """I5 of an array: each success has a pod that succeeded, each attempt that ended a pod, and no task failed too often."""
    array, status = job.status["array"], job.status
    pods = {
        pod.uid: pod
        for pod in evidence.pods
        if pod.metadata["labels"][names.LABEL_JOB_UID] == job.uid and not pod.deleted
    }
    index_of = {uid: names.parse_pod_name(pod.name) or (-1, -1) for uid, pod in pods.items()}
    succeeded = {index_of[uid][0] for uid, pod in pods.items() if pod.status.get("phase") == "Succeeded"}
    unproven = set(IndexSet.parse(array.get("succeededIndexes", ""))) - succeeded
    if unproven and job.document["spec"]["array"].get("pack", 1) == 1:
        yield f"I5: array {job.name} records successes of tasks without a pod that succeeded: {sorted(unproven)}"
    counted = status.get("attemptCount", 0)
    # A pod that was meant to be started, and may have been, counts although nobody has seen it.
    unseen = sum("podUID" not in attempt for attempt in status.get("attempts", ()))
    if not len(pods) <= counted <= len(pods) + unseen:
        yield f"I5: array {job.name} counts {counted} attempts but had {len(pods)} pods"
    limit = job.document["spec"].get("retry", {}).get("limit", 3)
    most = max((attempt for _, attempt in index_of.values()), default=0)
    if most > limit and not status.get("platformFailedCount") and job.status["phase"] != "Cancelled":
        yield f"I5: a task of array {job.name} had attempt {most} with a limit of {limit} retries"


def nothing_is_left_behind(evidence: Evidence) -> Violations:
    """I7: at the end no pod is without its job, no finished pod of a finished job is held, and no deletion hangs."""
    jobs = _last(evidence.jobs)
    for pod in _last(evidence.pods).values():
        if pod.deleted:
            continue
        job = jobs.get(pod.metadata["labels"][names.LABEL_JOB_UID])
        held = names.FINALIZER in pod.metadata.get("finalizers", ())
        if job is None or job.deleted:
            yield f"I7: pod {pod.name} has outlived its job{' and is held' if held else ''}"
        elif held and job.status.get("phase") in TERMINAL:
            yield f"I7: pod {pod.name} of the finished job {job.name} is still held"
    for job in jobs.values():
        if not job.deleted and "deletionTimestamp" in job.metadata:
            yield f"I7: the deletion of job {job.name} hangs: finalizers {job.metadata.get('finalizers')}"


def quiet_at_the_end(exchanges: Iterable[Exchange], *, since: float) -> Violations:
    """I12: once all is done nothing is written any more, not even when everything is looked at again.

    `since` is the Unix time from which it should be quiet.
    """
    late = [str(exchange) for exchange in exchanges if exchange.writes and exchange.at > since]
    if late:
        yield f"I12: writes although nothing was left to do: {late}"


def only_legal_steps(evidence: Evidence) -> Violations:
    """I13: phases follow the table, and generations, attempts and failures only ever go up."""
    for versions in _lives(evidence.jobs):
        for before, after in itertools.pairwise(versions):
            old, new = before.status, after.status
            phase_before = Phase(old["phase"]) if "phase" in old else None
            phase_after = Phase(new["phase"]) if "phase" in new else None
            if phase_after is not phase_before and (
                phase_after is None or phase_after not in TRANSITIONS[phase_before]
            ):
                yield f"I13: job {after.name} went from {phase_before} to {phase_after}"
            for field in ("observedGeneration", "attemptCount", "failedCount"):
                if new.get(field, 0) < old.get(field, 0):
                    yield f"I13: {field} of job {after.name} fell from {old.get(field)} to {new.get(field)}"
            if new.get("observedGeneration", -1) > after.metadata["generation"]:
                yield f"I13: job {after.name} claims to have seen a generation that there is not yet"
            if "array" in new:
                continue
            numbers = [attempt["number"] for attempt in new.get("attempts", ())]
            if numbers != sorted(set(numbers)):
                yield f"I13: attempts of job {after.name} are out of order: {numbers}"


def few_writes(exchanges: Iterable[Exchange], *, most: int) -> Violations:
    """I14: the operators asked for at most `most` changes of jobs and pods."""
    writes = [str(exchange) for exchange in exchanges if exchange.writes]
    if len(writes) > most:
        yield f"I14: {len(writes)} writes instead of at most {most}: {writes}"


ALWAYS: Final[tuple[Callable[[Evidence], Violations], ...]] = (
    one_started_pod_per_attempt,
    at_most_once_is_at_most_once,
    one_running_pod_per_task,
    one_run_per_key,
    no_lost_job,
    the_end_is_final,
    attempts_are_the_pods,
    nothing_is_left_behind,
    only_legal_steps,
)


def violations(evidence: Evidence) -> list[str]:
    """Return what is broken of the invariants that hold at the end of every run."""
    return [found for check in ALWAYS for found in check(evidence)]


def _attempt(pod: Version) -> tuple[str, str, str]:
    index, _ = names.parse_pod_name(pod.name) or (0, 0)
    labels = pod.metadata["labels"]
    return labels[names.LABEL_JOB_UID], str(index), labels[names.LABEL_ATTEMPT]


def _was_started(pod: Version) -> bool:
    """Return whether a kubelet took the pod up."""
    return bool(pod.status.get("startTime"))


def _may_run(pod: Version) -> bool:
    if pod.deleted or pod.status.get("phase") in _ENDED:
        return False
    # Without a node and being deleted it can never be bound, so never start.
    return "deletionTimestamp" not in pod.metadata or bool(pod.document["spec"].get("nodeName"))


def _last(versions: Iterable[Version]) -> dict[str, Version]:
    return {version.uid: version for version in versions}


def _lives(versions: Iterable[Version]) -> list[list[Version]]:
    lives: dict[str, list[Version]] = defaultdict(list)
    for version in versions:
        lives[version.uid].append(version)
    return list(lives.values())


def _true_conditions(status: Document) -> set[str]:
    return {known["type"] for known in status.get("conditions", ()) if known["status"] == "True"}
