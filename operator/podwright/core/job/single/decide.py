"""The pods of a job of one task: its attempts follow each other, and what comes next is ordered by the record.

A verdict is recorded, then its pod is released; the next attempt may be created as soon as the former pod has ended on record.
"""

from podwright.core.attempt import termination as pod_end
from podwright.core.attempt.avoidance import nodes_to_avoid
from podwright.core.attempt.ending import current_number, recorded_end
from podwright.core.commands import Command, Decision
from podwright.core.constants.names import pod_name
from podwright.core.job.at_most_once import recorded_intent, without_intent
from podwright.core.job.gates.capacity import refused_for_now
from podwright.core.job.pod.attempt_pod import AttemptPod, confirm_pod, create_pod
from podwright.core.job.single import ended, unfinished, unstarted
from podwright.core.job.snapshot import Snapshot
from podwright.core.model.attempt import RefusalKind
from podwright.core.model.job import JobView
from podwright.core.model.phase import Phase
from podwright.core.model.pod import PodView
from podwright.core.run.deadline import total_deadline
from podwright.core.run.retention import pods_go_early
from podwright.core.run.stop import wanted_stop


def decide(snapshot: Snapshot) -> Decision:
    """Decide on the pods of a job that is neither over nor held back by a gate."""
    job, now = snapshot.job, snapshot.now
    # A pod numbered beyond the record was permitted by a status that we do not see (yet): it is the current one.
    number = max([current_number(job.status), *[pod.attempt for pod in snapshot.pods]])
    former = [pod for pod in snapshot.pods if pod.attempt < number]
    settle = tuple([command for pod in former for command in _settle(job=job, pod=pod)])
    if any(not pod.finished and not recorded_end(status=job.status, pod=pod) for pod in former):
        return Decision(commands=settle)  # no next attempt while a pod of a former one may run
    # A pod that was taken for gone and then came after all is the one that counts.
    candidates = [pod for pod in snapshot.pods if pod.attempt == number]
    current = min(candidates, key=lambda pod: pod.gone) if candidates else None
    decision = _on_current(snapshot, number=number, pod=current)
    deadline = total_deadline(job)
    if not settle and deadline is None:
        return decision
    # A deadline that has passed was acted upon; to wait for it again would be a hot loop.
    times = (decision.requeue_at, deadline if deadline is not None and deadline > now else None)
    return Decision(
        commands=(*settle, *decision.commands),
        requeue_at=min((time for time in times if time is not None), default=None),
    )


def _on_current(snapshot: Snapshot, *, number: int, pod: PodView | None) -> Decision:
    job, now = snapshot.job, snapshot.now
    stop = wanted_stop(job=job, now=now)
    if stop is None and job.status.phase is Phase.SUSPENDED:
        # Whatever became of a pod that came late: the new start of the total clock is on record before anything else.
        return unstarted.resume(job=job, now=now)
    if pod is not None and pod.finished:
        return ended.decide(job=job, pod=pod, stop=stop, now=now)
    if pod is not None:
        return unfinished.decide(job=job, pod=pod, stop=stop, now=now)
    intent = recorded_intent(job.status)
    own_intent = bool(snapshot.intended) and intent is not None
    refusal = snapshot.refusal
    known = refusal if refusal is not None and refusal.attempt == number else None
    given_up = stop.final if stop is not None else known is not None and known.kind is RefusalKind.PERMANENT
    if now < snapshot.keep_until and (given_up or (intent is not None and not own_intent)):
        # A job that has ended promises that nothing of it will start. Until then it says what the creation was answered with.
        if given_up or known is None:
            return Decision(requeue_at=snapshot.keep_until)
        answer = refused_for_now(job=job, refusal=known, until=snapshot.keep_until)
        return Decision(commands=unstarted.explanation(job=job, wait=answer, now=now), requeue_at=snapshot.keep_until)
    last = job.status.attempts[-1] if job.status.attempts else None
    if last is not None and last.outcome is None and not own_intent:
        return Decision(commands=(confirm_pod(job=job, name=last.pod_name),))
    create = create_pod(
        job=job,
        name=pod_name(job_name=job.name, job_uid=job.uid, task_index=0, attempt=number),
        pod=AttemptPod(
            task_index=0,
            attempt=number,
            nodes_to_avoid=nodes_to_avoid(policy=job.failure_policy, attempts=job.status.attempts),
            out_of_memory=job.status.out_of_memory_count,
        ),
    )
    if own_intent:
        job = without_intent(job)
    return unstarted.decide(
        job=job, create=create, refusal=known, stop=stop, now=now, room=snapshot.room, intended=own_intent
    )


def _settle(*, job: JobView, pod: PodView) -> tuple[Command, ...]:
    """Let go of a pod of a former attempt. One that its attempt's record does not name was never permitted: end it."""
    if pod.gone:
        return ()
    if pod.finished or recorded_end(status=job.status, pod=pod):
        if pods_go_early(job) and pod.finished and pod.deletion_requested is None:
            return (pod_end.delete(pod, cleanup=True),)
        return (pod_end.release(pod),) if pod.held else ()
    return pod_end.end(pod)
