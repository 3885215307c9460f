"""`spec.idempotencyKey`: of all jobs of a namespace with one key, the first runs and the others are skipped.

A Lease named after the key is the lock, and the tombstone after it: the API server gives its name to one job. What is known of
that Lease comes in as a `KeyClaim`; see docs/adr/0010.
"""

from typing import Final

import msgspec

from podwright.core.commands import ClaimKey
from podwright.core.constants.limits import MOST_KEYS
from podwright.core.constants.names import key_lease_name
from podwright.core.constants.reasons import Reason
from podwright.core.job.gates.result import OPEN, End, Gate, Issue, Wait
from podwright.core.model.job import JobView, KeyClaim
from podwright.core.model.phase import Phase

ASK_AGAIN: Final = 30.0
"""Seconds between tries to claim a key whose Lease can't be written or read."""


def idempotency(*, job: JobView, claim: KeyClaim | None, now: float) -> Gate:
    """Judge by what the API server said of the key's Lease, None if it has not been asked."""
    if not job.idempotency_key:
        return OPEN
    if claim is None:
        return Issue(command=_claim(job=job, replaces=None, now=now))
    if claim.no_room:
        message = f"namespace {job.namespace} has the {MOST_KEYS:,} idempotency keys that are remembered at once"
        return Wait(reason=Reason.TOO_MANY_KEYS, message=message, requeue_at=now + ASK_AGAIN)
    if claim.problem:
        ask_at = claim.at + ASK_AGAIN
        if now >= ask_at:
            return Issue(command=_claim(job=job, replaces=None, now=now))
        return Wait(reason=Reason.KEY_NOT_CLAIMABLE, message=claim.problem, requeue_at=ask_at)
    if claim.holder_uid == job.uid:
        return OPEN
    # Whoever restarts or redrives a job means to run its work again; only while that job goes on it must wait.
    again = claim.until is not None and job.origin_uid == claim.holder_uid
    if again or (claim.until is not None and now >= claim.until):
        return Issue(command=_claim(job=job, replaces=claim, now=now))
    return End(
        phase=Phase.SKIPPED,
        reason=Reason.DUPLICATE,
        message=f"job {claim.holder_name} was first with the same spec.idempotencyKey",
        duplicate_of=claim.holder_name,
    )


def remembered_until(*, holder: JobView) -> float | None:
    """Return the time until which the key of a job that holds it is remembered, None while the job is not over.

    Of a job that ran nothing, as a duplicate or one that was refused or cancelled before its first pod, nothing is remembered.
    """
    status = holder.status
    if not status.is_over or status.finished is None:
        return None
    if (status.phase is Phase.SKIPPED and status.duplicate_of) or never_began(holder):
        return 0.0
    return status.finished + holder.dedup_window


def never_began(holder: JobView) -> bool:
    """Return whether a job that is over surely had no pod. Of an array's end too little is kept to be sure."""
    status = holder.status
    return status.is_over and status.phase is not Phase.SUCCEEDED and holder.array is None and not status.has_begun


def with_end_known(*, claim: KeyClaim, holder: JobView | None) -> KeyClaim:
    """Return the claim with the end of its holder, if a later picture of the holder shows that it has ended."""
    until = None if holder is None or holder.uid != claim.holder_uid else remembered_until(holder=holder)
    return claim if until is None else msgspec.structs.replace(claim, until=until)


def _claim(*, job: JobView, replaces: KeyClaim | None, now: float) -> ClaimKey:
    return ClaimKey(
        of=job.ref,
        namespace=job.namespace,
        name=job.name,
        lease_name=key_lease_name(namespace=job.namespace, key=job.idempotency_key),
        window=job.dedup_window,
        at=now,
        replaced_uid="" if replaces is None else replaces.lease_uid,
        replaced_version="" if replaces is None else replaces.lease_version,
    )
