"""`spec.dependsOn`: what other jobs must have done before this one starts, and what follows if they never will.

A dependency is a name: the job that bears it when the gate is asked is the one that counts. Nothing is remembered of a job that
bore it before. The gate is asked until the first pod exists, and never again after that.
"""

import enum
from collections.abc import Mapping

import msgspec

from podwright.core.constants.reasons import Reason
from podwright.core.job.gates.cycle import Cycle, in_words
from podwright.core.job.gates.result import OPEN, End, Gate, Wait
from podwright.core.model.job import JobView
from podwright.core.model.phase import Phase
from podwright.core.spec import Dependency, DependencyCondition, Otherwise


class Dependencies(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the jobs that a job depends on.

    Attributes:
        jobs: those that exist, by name.
        started: names of those of which a pod is known to have started, though their status may not say so yet.
        cycle: a cycle of dependencies that keeps this job waiting.
    """

    jobs: Mapping[str, JobView] = {}
    started: frozenset[str] = frozenset()
    cycle: Cycle | None = None


class Outlook(enum.Enum):
    """How a condition stands."""

    MET = "Met"
    OPEN = "Open"  # it may yet come true
    NEVER = "Never"


NO_DEPENDENCIES = Dependencies()
WORDS = {
    DependencyCondition.SUCCEEDED: "succeed",
    DependencyCondition.FAILED: "fail",
    DependencyCondition.FINISHED: "finish",
    DependencyCondition.STARTED: "start",
}


def dependency(*, job: JobView, dependencies: Dependencies) -> Gate:
    """Judge all dependencies. One that can't be met ends the job at once, whatever the others still do."""
    missing: Dependency | None = None
    waiting: Dependency | None = None
    for wanted in job.dependencies:
        other = dependencies.jobs.get(wanted.name)
        if other is None:
            missing = missing or wanted
            continue
        if wanted.task_by_task:
            mismatch = task_mismatch(job=job, other=other)
            if mismatch:
                return End(phase=Phase.FAILED, reason=Reason.DEPENDENCY_MISMATCH, message=mismatch)
            continue  # decided for each task
        outlook = judge(wanted=wanted, other=other, started=wanted.name in dependencies.started)
        if outlook is Outlook.NEVER and wanted.otherwise is not Otherwise.RUN:
            return _end(wanted=wanted, other=other)
        if outlook is Outlook.OPEN:
            waiting = waiting or wanted
    if dependencies.cycle is not None:
        return Wait(
            reason=Reason.DEPENDENCY_CYCLE,
            message=f"jobs wait for each other: {in_words(dependencies.cycle)}; delete or cancel one of them",
        )
    if missing is not None:
        return Wait(
            reason=Reason.DEPENDENCY_MISSING,
            message=f"there is no job {missing.name}, which must {WORDS[missing.condition]} first",
        )
    if waiting is not None:
        return Wait(
            reason=Reason.DEPENDENCY_WAITING,
            message=f"job {waiting.name} must {WORDS[waiting.condition]} first",
        )
    return OPEN


def judge(*, wanted: Dependency, other: JobView, started: bool) -> Outlook:
    """Judge the condition of one dependency on a job as a whole. `started` adds to what its status says."""
    phase = other.status.phase
    over = other.status.is_over
    if wanted.condition is DependencyCondition.STARTED:
        if started or has_started(other):
            return Outlook.MET
        return Outlook.NEVER if over else Outlook.OPEN
    if not over:
        return Outlook.OPEN
    if wanted.condition is DependencyCondition.FINISHED:
        return Outlook.MET
    # A job that was cancelled or skipped neither succeeded nor failed: it was not wanted.
    met = {
        DependencyCondition.SUCCEEDED: phase is Phase.SUCCEEDED,
        DependencyCondition.FAILED: phase in (Phase.FAILED, Phase.DEAD_LETTERED),
    }[wanted.condition]
    return Outlook.MET if met else Outlook.NEVER


def has_started(job: JobView) -> bool:
    """Return whether status shows that a pod of the job has started: was taken up by the kubelet of a node.

    Attempts also end without: when a name was taken, a pod was refused by its node's admission or stopped before it had one.
    """
    status = job.status
    if status.phase in (Phase.RUNNING, Phase.SUCCEEDED):
        return True
    if any(attempt.started is not None for attempt in status.attempts):
        return True
    # What the record calls running or started are pods that were asked for: they may still wait for a node.
    record = status.array
    return record is not None and record.any_ended and not record.never_started


def task_mismatch(*, job: JobView, other: JobView) -> str:
    """Say why tasks of the one job can't wait for tasks of the other, "" if they can."""
    ours = "no array" if job.array is None else f"an array of {job.array.size}"
    theirs = "no array" if other.array is None else f"an array of {other.array.size}"
    if job.array is not None and other.array is not None and job.array.size == other.array.size:
        return ""
    return (
        f"spec.dependsOn[{other.name}].tasks is NToN, which needs two arrays of one size: job {job.name} is {ours},"
        f" job {other.name} is {theirs}"
    )


def _end(*, wanted: Dependency, other: JobView) -> End:
    skip = wanted.otherwise is Otherwise.SKIP
    return End(
        phase=Phase.SKIPPED if skip else Phase.FAILED,
        reason=Reason.DEPENDENCY_FAILED,
        message=f"job {wanted.name} should {WORDS[wanted.condition]} first, but it ended as {other.status.phase}",
    )
