"""One BatchJob, looked at as a whole: which writes its recorded state and its pods call for now.

Called by the engine whenever the job, one of its pods, or the clock asks for it. Level-triggered: it looks at the state,
never at what changed. It must not assume that a former decision was carried out; what must happen in order is ordered by
the state: a verdict is recorded, then its pod is released, then the next attempt may be created.
"""

from collections.abc import Sequence

from podwright.core.attempt import termination as pod_end
from podwright.core.attempt.avoidance import nodes_to_avoid
from podwright.core.attempt.ending import current_number, recorded_end
from podwright.core.commands import Command, Decision, Delete
from podwright.core.constants.names import pod_name
from podwright.core.job import ended, invalid, unfinished, unstarted
from podwright.core.job.at_most_once import recorded_intent, without_intent
from podwright.core.job.gates.dependency import NO_DEPENDENCIES, Dependencies
from podwright.core.job.gates.gate import before_first_pod
from podwright.core.job.pod.attempt_pod import AttemptPod, confirm_pod, create_pod
from podwright.core.run.deadline import total_deadline
from podwright.core.run.phase import Phase
from podwright.core.run.retention import expires_at, pods_expire_at
from podwright.core.run.stop import wanted_stop
from podwright.core.view import JobView, KeyClaim, PodView, Refusal, RefusalKind


def decide_job(
    *,
    job: JobView,
    pods: Sequence[PodView],
    refusal: Refusal | None,
    now: float,
    keep_until: float = 0.0,
    dependencies: Dependencies = NO_DEPENDENCIES,
    claim: KeyClaim | None = None,
    own_intent: bool = False,
) -> Decision:
    """Decide on one job.

    Args:
        job: the job.
        pods: all pods that it controls, those that vanished unrecorded included.
        refusal: the API server's last refusal of a pod of this job, if any.
        now: Unix seconds.
        keep_until: the job must not end or be deleted before, as a pod creation of unknown outcome may be on its way.
        dependencies: what is known of the jobs that it depends on; only looked at until its first pod.
        claim: what is known of its idempotency key; likewise.
        own_intent: whether an intent on record is the caller's own, and its pod was surely not asked for (`at_most_once`).
    """
    if job.deleting:
        return Decision(commands=release_all(pods))
    if job.status.is_over:
        return after_the_end(job=job, pods=pods, now=now, keep_until=keep_until)
    refused = invalid.decide(job=job, pods=pods, now=now, keep_until=keep_until)
    if refused is not None:
        return refused
    held, recheck_at = before_first_pod(
        job=job, pods=pods, dependencies=dependencies, claim=claim, now=now, keep_until=keep_until
    )
    if held is not None:
        return held
    decision = _on_pods(job=job, pods=pods, refusal=refusal, now=now, keep_until=keep_until, own_intent=own_intent)
    if recheck_at is None:
        return decision
    return Decision(commands=decision.commands, requeue_at=_earliest(decision.requeue_at, recheck_at))


def _on_pods(
    *,
    job: JobView,
    pods: Sequence[PodView],
    refusal: Refusal | None,
    now: float,
    keep_until: float,
    own_intent: bool,
) -> Decision:
    # A pod numbered beyond the record was permitted by a status that we do not see (yet): it is the current one.
    number = max([current_number(job.status), *(pod.attempt for pod in pods)])
    former = tuple(pod for pod in pods if pod.attempt < number)
    settle = tuple(command for pod in former for command in _settle(job=job, pod=pod))
    if any(not pod.finished and not recorded_end(status=job.status, pod=pod) for pod in former):
        return Decision(commands=settle)  # no next attempt while a pod of a former one may run
    # A pod that was taken for gone and then came after all is the one that counts.
    current = min((pod for pod in pods if pod.attempt == number), key=lambda pod: pod.gone, default=None)
    decision = _on_current(
        job=job,
        number=number,
        pod=current,
        refusal=refusal,
        now=now,
        keep_until=keep_until,
        own_intent=own_intent,
    )
    deadline = total_deadline(job)
    return Decision(
        commands=(*settle, *decision.commands),
        # A deadline that has passed was acted upon; to wait for it again would be a hot loop.
        requeue_at=_earliest(decision.requeue_at, deadline if deadline is not None and deadline > now else None),
    )


def release_all(pods: Sequence[PodView]) -> tuple[Command, ...]:
    """Let go of all pods of a job that is gone or going: nothing is left to record their ends in."""
    return tuple(pod_end.release(pod) for pod in pods if pod.held and not pod.gone)


def _on_current(
    *,
    job: JobView,
    number: int,
    pod: PodView | None,
    refusal: Refusal | None,
    now: float,
    keep_until: float,
    own_intent: bool,
) -> Decision:
    stop = wanted_stop(job=job, now=now)
    if stop is None and job.status.phase is Phase.SUSPENDED:
        # Whatever became of a pod that came late: the new start of the total clock is on record before anything else.
        return unstarted.resume(job=job, now=now)
    if pod is not None and pod.finished:
        return ended.decide(job=job, pod=pod, stop=stop, now=now)
    if pod is not None:
        return unfinished.decide(job=job, pod=pod, stop=stop, now=now)
    intent = recorded_intent(job.status)
    own_intent = own_intent and intent is not None
    known = refusal if refusal is not None and refusal.attempt == number else None
    given_up = stop.final if stop is not None else known is not None and known.kind is RefusalKind.PERMANENT
    if now < keep_until and (given_up or (intent is not None and not own_intent)):
        return Decision(requeue_at=keep_until)  # a job that has ended promises that nothing of it will start
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
    return unstarted.decide(job=job, create=create, refusal=known, stop=stop, now=now, intended=own_intent)


def _settle(*, job: JobView, pod: PodView) -> tuple[Command, ...]:
    """Let go of a pod of a former attempt. One that its attempt's record does not name was never permitted: end it."""
    if not pod.unsettled:
        return ()
    if pod.finished or recorded_end(status=job.status, pod=pod):
        return (pod_end.release(pod),) if pod.held else ()
    return pod_end.end(pod)


def after_the_end(*, job: JobView, pods: Sequence[PodView], now: float, keep_until: float) -> Decision:
    """Decide on a job that is over, single or array: let go of its pods, and delete it when its time has come."""
    settle = tuple(command for pod in pods if pod.unsettled for command in _let_go(job=job, pod=pod))
    if settle:
        return Decision(commands=settle)
    expires = expires_at(job)
    if expires is not None:
        expires = max(expires, keep_until)
        if now >= expires:
            delete = Delete(
                of=job.ref,
                target=job.ref,
                namespace=job.namespace,
                name=job.name,
                resource_version=job.resource_version,
            )
            return Decision(commands=(delete,))
    # That a pod is still there is all that has to be known of what is left to do: it needs no record and no list.
    unwanted = tuple(pod for pod in pods if pod.deletion_requested is None and not pod.gone)
    due = pods_expire_at(job) if unwanted else None
    if due is not None and now >= due:
        return Decision(commands=tuple(pod_end.delete(pod, cleanup=True) for pod in unwanted), requeue_at=expires)
    return Decision(requeue_at=_earliest(expires, due))


def _let_go(*, job: JobView, pod: PodView) -> tuple[Command, ...]:
    if pod.finished or pod.deletion_requested is not None or recorded_end(status=job.status, pod=pod):
        return (pod_end.release(pod),) if pod.held else ()
    # No attempt of a finished job may run: such a pod was never permitted by the record.
    return (pod_end.delete(pod),)


def _earliest(*times: float | None) -> float | None:
    return min((time for time in times if time is not None), default=None)
