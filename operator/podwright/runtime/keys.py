"""What the engine knows of the Leases of idempotency keys. All of it may be forgotten: it is then asked again.

One request at a time is made about one Lease, however many jobs have its key; its answer serves them all. Whether a key is free
is judged on what the API server itself says, never on a cache that lacks an object.
"""

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

import msgspec

from podwright.core.commands import ClaimKey
from podwright.core.constants.names import key_lease_name
from podwright.core.job.gates.idempotency import ASK_AGAIN, remembered_until, with_end_known
from podwright.core.model.job import JobView, KeyClaim
from podwright.kube import key_lease
from podwright.kube.codecs import requests as encode
from podwright.kube.codecs.answer import decode_job
from podwright.kube.errors import DecodeError, parse_status
from podwright.kube.key_lease import KeyLease, decode_key_lease
from podwright.kube.paths import JOBS, LEASES
from podwright.kube.responses import ApiResponse
from podwright.runtime.key_count import KeyCount
from podwright.runtime.lanes import Result
from podwright.runtime.writer import Send
from podwright.store.job_expectations import JobExpectations
from podwright.store.jobs import JobStore

_READING_LIFE: Final = 5.0
"""Seconds for which an answer serves: long enough for a burst, short enough for somebody who deletes a Lease to free a key."""
_FULL_LIFE: Final = 300.0
"""Seconds for which the answer that nobody holds a key serves while its namespace has room for no other."""
_READINGS_KEPT: Final = 10_000

_log = logging.getLogger(__name__)


class Keys:
    """Made once per operator. `namespace` is where the Leases are."""

    def __init__(self, *, send: Send, namespace: str) -> None:
        self.namespace = namespace
        self.count = KeyCount()
        self.departed: deque[JobView] = deque()
        self.has_departed = asyncio.Event()
        self._send = send
        self._readings: OrderedDict[str, KeyClaim] = OrderedDict()
        self._turns: dict[str, set[str]] = {}  # Lease that is being asked about → uids of jobs that wait for the answer

    @staticmethod
    def lease_of(job: JobView) -> str:
        """Name the Lease of the job's key."""
        return key_lease_name(namespace=job.namespace, key=job.idempotency_key)

    def claim_of(self, job: JobView, *, expectations: JobExpectations, store: JobStore, now: float) -> KeyClaim | None:
        """Return what is known of the holder of the job's key, None if the API server must be asked."""
        if not job.idempotency_key:
            return None
        if expectations.key_held:
            return KeyClaim(holder_uid=job.uid, holder_name=job.name)
        lease = self.lease_of(job)
        if not self.is_known(lease, now=now):
            return None
        reading = self._readings[lease]
        if reading.no_room and not self.count.is_full(job.namespace):
            return None
        return with_end_known(claim=reading, holder=store.job(reading.holder_uid))

    def is_known(self, lease: str, *, now: float) -> bool:
        """Return whether there is an answer about a Lease that still serves."""
        reading = self._readings.get(lease)
        if reading is None:
            return False
        if reading.no_room:
            return now < reading.at + _FULL_LIFE  # `claim_of` doubts it earlier
        return now < reading.at + (ASK_AGAIN if reading.problem else _READING_LIFE)

    def must_ask_first(self, job: JobView, *, expectations: JobExpectations, now: float) -> bool:
        """Return whether a key must not be claimed before it is known to be held: its namespace has too many already."""
        if not job.idempotency_key or expectations.key_held or not self.count.is_full(job.namespace):
            return False
        return not self.is_known(self.lease_of(job), now=now)

    def take_turn(self, lease: str, uid: str) -> bool:
        """Begin to ask about a Lease; False if another job does, whose `end_turn` then names this one."""
        if lease in self._turns:
            self._turns[lease].add(uid)
            return False
        self._turns[lease] = set()
        return True

    def end_turn(self, lease: str) -> set[str]:
        """End it, and return the jobs that waited."""
        return self._turns.pop(lease, set())

    def note_departed(self, job: JobView) -> None:
        """Record that a job with a key is gone, with all its pods, so that its end is put on record."""
        if not job.status.duplicate_of:
            self.departed.append(job)
            self.has_departed.set()

    def take_answer(self, command: ClaimKey, *, result: Result, expectations: JobExpectations, now: float) -> None:
        """Record the response to a claim."""
        self._readings.pop(command.lease_name, None)
        if not isinstance(result, ApiResponse):
            return
        if result.status < 300:
            expectations.key_held = True
            if not command.replaced_uid:
                self.count.claimed(command.namespace)
            self._note(
                command.lease_name,
                KeyClaim(holder_uid=command.of.uid, holder_name=command.name, at=now),
            )
        elif result.status not in (409, 429) and result.status < 500:
            error = parse_status(result.status, result.body)
            problem = f"the idempotency key cannot be claimed: {error}"
            self._note(command.lease_name, KeyClaim(problem=problem, at=now))

    async def read_claim(
        self, job: JobView, *, expectations: JobExpectations, now: Callable[[], float]
    ) -> Exception | None:
        """Read who holds the job's key; return the error if that could not be read."""
        lease = self.lease_of(job)
        try:
            claim = await self._read(lease, uid=job.uid, now=now())
            self._readings.pop(lease, None)
            if claim is None and self.count.is_full(job.namespace):
                self._note(lease, KeyClaim(no_room=True, at=now()))
            if claim is not None:
                # From its arrival: it must serve at least the job that asked, however long that took.
                self._note(lease, msgspec.structs.replace(claim, at=now()))
                expectations.key_held = claim.holder_uid == job.uid
        except DecodeError as problem:
            where = f"{self.namespace}/{lease}"
            self._note(lease, KeyClaim(problem=f"the Lease {where} of the key is damaged: {problem}", at=now()))
        except Exception as problem:
            # An error of ours as well: whatever went wrong, all jobs with the key wait for an answer, and would for ever.
            _log.warning("cannot read who holds the key of job %s/%s: %r", job.namespace, job.name, problem)
            return problem
        return None

    async def end_of_holder(self, lease: KeyLease, *, now: float) -> float | None:
        """Ask the API server until when the key of a Lease is remembered; None while its holder is not over.

        The end of a holder that is gone is what the Lease says; without that it is now, the earliest time known to be safe.

        Raises:
            StatusError: the API server refused.
            DecodeError: an answer makes no sense.
            ApiUnreachable: there was none.
        """
        holder = await self._holder(lease)
        if holder is not None:
            return remembered_until(holder=holder)
        if await self._has_running_pod(lease):
            return None
        return (now if lease.ended is None else lease.ended) + lease.window

    async def _read(self, name: str, *, uid: str, now: float) -> KeyClaim | None:
        answer = await self._send(key_lease.get_key_lease(namespace=self.namespace, name=name))
        if answer.status != 200:
            error = parse_status(answer.status, answer.body)
            if error.proves_absence(LEASES, name):
                return None
            raise error
        lease = decode_key_lease(answer.body)
        return KeyClaim(
            holder_uid=lease.holder_uid,
            holder_name=lease.job_name,
            until=None if lease.holder_uid == uid else await self.end_of_holder(lease, now=now),
            lease_uid=lease.uid,
            lease_version=lease.version,
        )

    async def _holder(self, lease: KeyLease) -> JobView | None:
        answer = await self._send(encode.get_job(namespace=lease.job_namespace, name=lease.job_name))
        if answer.status != 200:
            error = parse_status(answer.status, answer.body)
            if error.proves_absence(JOBS, lease.job_name):
                return None
            raise error
        job = decode_job(answer.body)
        return job if job.uid == lease.holder_uid else None

    async def _has_running_pod(self, lease: KeyLease) -> bool:
        request = key_lease.any_running_pod_of(namespace=lease.job_namespace, job_uid=lease.holder_uid)
        answer = await self._send(request)
        if answer.status != 200:
            raise parse_status(answer.status, answer.body)
        return not key_lease.is_empty_list(answer.body)

    def forget(self) -> None:
        """Forget all answers: the clock by which they are old was set back."""
        self._readings.clear()

    def _note(self, lease: str, claim: KeyClaim) -> None:
        self._readings[lease] = claim
        if len(self._readings) > _READINGS_KEPT:
            self._readings.popitem(last=False)
