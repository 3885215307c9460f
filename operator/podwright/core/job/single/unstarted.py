"""The next attempt has no pod yet: create it, wait for its time, or end the job instead."""

from podwright.core.attempt.ending import collided
from podwright.core.attempt.refusal import refused_memory, refuses_more_memory
from podwright.core.attempt.verdict import verdict_without_pod
from podwright.core.commands import CreateChild, Decision, WriteStatus
from podwright.core.constants.reasons import Reason
from podwright.core.job.at_most_once import begin
from podwright.core.job.gates.capacity import capacity
from podwright.core.job.gates.result import Wait
from podwright.core.job.single import ended
from podwright.core.job.status import next_status, write_status
from podwright.core.model.attempt import Refusal, RefusalKind
from podwright.core.model.job import JobView
from podwright.core.model.phase import Phase
from podwright.core.run.stop import Stop, explain, phase_after


def decide(
    *,
    job: JobView,
    create: CreateChild,
    refusal: Refusal | None,
    stop: Stop | None,
    now: float,
    room: int,
    intended: bool = False,
) -> Decision:
    """Decide on a job whose current attempt has no pod and, as far as status knows, never had one.

    `room` is how many creations the operator takes now. `intended` says that the job's own intent to create the pod, taken out of
    `job`, is on record; see `at_most_once`.
    """
    if stop is not None:
        return _stopped(job=job, stop=stop, now=now)
    if job.status.phase in (Phase.SUSPENDED, Phase.STOPPING):
        return resume(job=job, now=now)
    if job.status.next_attempt is not None and now < job.status.next_attempt:
        return Decision(requeue_at=job.status.next_attempt)
    if refusal is not None and refusal.kind is not RefusalKind.RETRYABLE:
        return _refused(job=job, create=create, refusal=refusal, now=now)
    held = capacity(job=job, now=now, refusal=refusal, room=room)
    if isinstance(held, Wait):
        # A recorded intent is taken back before the wait: a crash during it must not make the job one that may have run.
        return Decision(commands=explanation(job=job, wait=held, now=now, urgent=intended), requeue_at=held.requeue_at)
    if not held:
        return Decision()
    return Decision(commands=(begin(job=job, create=create, intended=intended, refusal=refusal, now=now),))


def resume(*, job: JobView, now: float) -> Decision:
    """Record that a suspended job goes on: the new start of the total clock must be on record before anything runs."""
    status = next_status(
        job=job,
        phase=Phase.PENDING,
        reason=Reason.RESUMED,
        message="the job was resumed",
        now=now,
        started=now,
        next_attempt=job.status.next_attempt,
    )
    return Decision(commands=(write_status(job=job, status=status),))


def _stopped(*, job: JobView, stop: Stop, now: float) -> Decision:
    phase = phase_after(stop)
    if job.status.phase is phase:
        return Decision()
    status = next_status(
        job=job,
        phase=phase,
        reason=str(stop),
        message=explain(job=job, stop=stop),
        now=now,
        next_attempt=None if stop.final else job.status.next_attempt,
    )
    return Decision(commands=(write_status(job=job, status=status),))


def _refused(*, job: JobView, create: CreateChild, refusal: Refusal, now: float) -> Decision:
    """Decide on a job whose pod will never be created as it is, or not under this name."""
    if refusal.kind is RefusalKind.PERMANENT:
        phase, reason, message = Phase.FAILED, refusal.reason, refusal.message
        escalation = job.failure_policy.escalation
        if refuses_more_memory(refusal=refusal, out_of_memory=job.status.out_of_memory_count, escalation=escalation):
            phase = Phase.DEAD_LETTERED if job.dead_letter else Phase.FAILED
            reason, message = Reason.OOM_KILLED, refused_memory(refusal)
        status = next_status(job=job, phase=phase, reason=reason, message=message, now=now)
        return Decision(commands=(write_status(job=job, status=status),))
    attempt = collided(number=create.spec.attempt, pod_name=create.name, message=refusal.message, now=now)
    return ended.record(job=job, verdict=verdict_without_pod(job=job, attempt=attempt), stop=None, now=now)


def explanation(*, job: JobView, wait: Wait, now: float, urgent: bool = False) -> tuple[WriteStatus, ...]:
    """Return the write that says why there is no pod, unless the status says so. `urgent` is one that something hangs on."""
    if job.status.reason == wait.reason and not urgent:
        return ()  # the server's words hold changing numbers; rewriting them at each try would be a hot loop
    phase = Phase.PENDING if job.status.phase is None else job.status.phase
    status = next_status(
        job=job,
        phase=phase,
        reason=wait.reason,
        message=wait.message,
        now=now,
        next_attempt=job.status.next_attempt,
    )
    return (write_status(job=job, status=status, deferrable=not urgent),)
