"""What becomes of the Leases of idempotency keys: the ends of holders that are gone are put on record, and old Leases deleted.

Works at a low rate beside the engine, one request after the other. Every write is under the version of the Lease that was looked
at, and rests on facts that can't change any more (a job is over, or is gone), so a former leader can do no harm with it.
"""

import asyncio
import heapq
import itertools
import logging
import time
from collections.abc import Callable, Collection, Coroutine
from typing import Final

import msgspec

from podwright.core.constants.names import key_lease_name
from podwright.core.job.gates.idempotency import never_began, remembered_until
from podwright.core.model.job import JobView
from podwright.core.shard import shard_of
from podwright.kube import key_lease
from podwright.kube.codecs.requests import ApiRequest
from podwright.kube.errors import DecodeError, StatusError, parse_status
from podwright.kube.key_lease import KeyLease, decode_key_lease, decode_key_leases
from podwright.kube.paths import LEASES
from podwright.kube.responses import ApiResponse, ApiUnreachable
from podwright.runtime.keys import Keys
from podwright.runtime.leader_term import LeaderTerms
from podwright.runtime.writer import Send
from podwright.store.jobs import JobStore

MARGIN: Final = 300.0
"""Seconds for which a Lease outlives its time. A request to create it that was sent long ago and is still under way must find it,
or the key would go to a job that was told to be a duplicate since. The API server ends requests after 60 seconds.
"""
_PAGE: Final = 100
_PAUSE: Final = 1.0
_REST: Final = 600.0
_STANDBY: Final = 2.0
_FAILURES: Final = (ApiUnreachable, StatusError, DecodeError)

_log = logging.getLogger(__name__)


class KeySweep:
    """Walks over all Leases of keys every ten minutes, a page a second; what the engine saw go is done at once."""

    def __init__(
        self,
        *,
        send: Send,
        keys: Keys,
        store: JobStore,
        terms: LeaderTerms,
        clock: Callable[[], float],
        namespaces: Collection[str] = (),
    ) -> None:
        """Prepare the walk; of the keys of other `namespaces` than these, if some are named, nothing may be read or decided."""
        self._namespaces = namespaces
        self._send = send
        self._keys = keys
        self._store = store
        self._terms = terms
        self._clock = clock
        self._token = ""
        self._order = itertools.count()
        # When it is looked at next (monotonic), order, delay before, the job that is gone.
        self._unsettled: list[tuple[float, int, float, JobView]] = []

    async def run(self) -> None:
        """Work until cancelled, whenever any shard is held."""
        next_page = 0.0
        while True:
            self._keys.has_departed.clear()
            while self._keys.departed:
                self._again(self._keys.departed.popleft(), delay=0.0)
            while self._unsettled and self._unsettled[0][0] <= time.monotonic():
                _, _, delay, job = heapq.heappop(self._unsettled)
                await self._safely(self._settle(job, delay=delay))
            if time.monotonic() >= next_page:
                next_page = time.monotonic() + (await self._page() if self._leads_any() else _STANDBY)
            wake = min(next_page, self._unsettled[0][0]) if self._unsettled else next_page
            try:
                async with asyncio.timeout(max(0.0, wake - time.monotonic())):
                    await self._keys.has_departed.wait()
            except TimeoutError:
                pass  # the next page is due

    async def _page(self) -> float:
        """Sweep one page; return the seconds until the next."""
        request = key_lease.list_key_leases(namespace=self._keys.namespace, limit=_PAGE, continue_token=self._token)
        try:
            answer = await self._send(request)
            if answer.status == 410:
                # The list has grown too old to be gone on with from this token; the answer may bring another.
                self._token = key_lease.continue_token_in(answer.body)
                return _PAUSE
            if answer.status != 200:
                raise parse_status(answer.status, answer.body)
            page = decode_key_leases(answer.body)
        except _FAILURES as error:
            _log.warning("cannot list the Leases of idempotency keys: %s", error)
            return _REST / 10
        if page.strange:
            _log.warning("%d Leases of idempotency keys are damaged: delete them to free their keys", page.strange)
        for lease in page.leases:
            self._keys.count.seen(lease.job_namespace)
            if self._leads(lease.job_namespace):
                await self._safely(self._tidy(lease))
        self._token = page.continue_token
        if not self._token:
            self._keys.count.walk_ended()
        return _PAUSE if self._token else _REST

    async def _tidy(self, lease: KeyLease) -> None:
        """Put the end of a holder that is gone on record, and delete the Lease when it is over."""
        holder = self._store.job(lease.holder_uid)
        now = self._clock()
        if holder is not None or lease.ended is not None:
            # Most Leases are not over by far: no need to ask.
            until = remembered_until(holder=holder) if holder is not None else (lease.ended or 0.0) + lease.window
            if until is None or now < until + MARGIN:
                return
        until = await self._keys.end_of_holder(lease, now=now)
        if until is None:
            return
        if now >= until + MARGIN:
            await self._carry_out(key_lease.delete_key_lease(lease, namespace=self._keys.namespace), lease)
            self._keys.count.deleted(lease.job_namespace)
        elif holder is None and lease.ended is None:
            await self._record_end(lease, ended=until - lease.window)

    def _again(self, job: JobView, *, delay: float) -> None:
        heapq.heappush(self._unsettled, (time.monotonic() + delay, next(self._order), delay, job))

    async def _settle(self, job: JobView, *, delay: float) -> None:
        """Record the end of a job that is gone; unlike the walk, this may still know when it was.

        Its pods may take their time to end: then it is looked at again, ever more rarely, until the walk is as good.
        """
        if not self._leads(job.namespace):
            return
        name = key_lease_name(namespace=job.namespace, key=job.idempotency_key)
        answer = await self._send(key_lease.get_key_lease(namespace=self._keys.namespace, name=name))
        if answer.status != 200:
            error = parse_status(answer.status, answer.body)
            if error.proves_absence(LEASES, name):
                return
            raise error
        lease = decode_key_lease(answer.body)
        if lease.holder_uid != job.uid or lease.ended is not None:
            return
        until = await self._keys.end_of_holder(lease, now=self._clock())
        if until is not None:
            ended = job.status.finished or until - lease.window
            await self._record_end(lease, ended=ended - lease.window if never_began(job) else ended)
        elif delay < _REST:
            self._again(job, delay=max(1.0, 2.0 * delay))

    async def _record_end(self, lease: KeyLease, *, ended: float) -> None:
        recorded = msgspec.structs.replace(lease, ended=ended)
        await self._carry_out(key_lease.replace_key_lease(recorded, namespace=self._keys.namespace), lease)

    async def _carry_out(self, request: ApiRequest, lease: KeyLease) -> None:
        if not self._leads(lease.job_namespace):
            return
        answer: ApiResponse = await self._send(request)
        # 404 and 409: somebody has moved on with it, which the next walk will see.
        if answer.status >= 300 and answer.status not in (404, 409):
            raise parse_status(answer.status, answer.body)

    async def _safely(self, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except Exception as error:
            # One Lease that makes no sense must stop neither the walk nor, as a part that died, the operator.
            _log.warning("cannot tidy the Lease of an idempotency key: %r", error)

    def _leads(self, namespace: str) -> bool:
        if self._namespaces and namespace not in self._namespaces:
            return False
        return self._terms.term(shard_of(namespace=namespace, shards=self._terms.shards)) is not None

    def _leads_any(self) -> bool:
        return any(self._terms.term(shard) is not None for shard in range(self._terms.shards))
