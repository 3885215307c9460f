"""Leader election on a `coordination.k8s.io/v1` Lease, with an epoch that fences the writes of a former leader.

The runtime runs one elector per shard and asks `is_valid` before every write. The rules that make it safe:
- Time is measured by the monotonic clock only. A claim is valid for `renew_deadline` seconds from the moment at which the last
  successful renewal was *sent*; somebody else takes the Lease at the earliest `duration` seconds after having *seen* that
  renewal. The difference between the two is the margin, for slow clocks and for writes under way.
- Every write is a compare-and-swap on the Lease's resourceVersion, so of two electors that race one loses.
- Every acquisition has a higher epoch (`spec.leaseTransitions`) than all before it. The claim ends at once if the Lease shows
  another holder or another epoch, or is gone: an epoch that others may reuse must not be written under.
- No request outlives the claim it would prolong.

The rights it needs on the Lease: get, update, and create unless the Lease exists.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable
from typing import Final

import msgspec

from podwright.kube.client import ApiClient, Pool
from podwright.kube.codecs.times import format_micro_time
from podwright.kube.errors import DecodeError, StatusError, parse_status
from podwright.kube.lease_record import LeaseRecord, decode_lease, lease_path, lease_update, new_lease
from podwright.kube.paths import LEASES
from podwright.kube.responses import ApiResponse, ApiUnreachable

LONGEST_DURATION: Final = 60.0
"""Seconds. A Lease that promises its holder more is not believed: a typing error would keep a shard idle for years."""
_REQUESTS_PER_DEADLINE: Final = 3  # so that one hung request does not cost the claim
_CONFLICT_PAUSE: Final = 0.05
_MICRO_TIME_STEP: Final = 2e-6
_FAILURES: Final = (ApiUnreachable, DecodeError, StatusError)

_log = logging.getLogger(__name__)


class LeaseClaim(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The right to act under `epoch` until `valid_until`, a time of the monotonic clock. `version` is that of the Lease when it was won."""

    epoch: int
    valid_until: float
    version: int = 0


class LeaseElector:
    """One candidate for one Lease. `claim` is what it holds; `problem` says in words why it cannot compete, if so."""

    def __init__(
        self,
        client: ApiClient,
        *,
        namespace: str,
        name: str,
        identity: str,
        duration: float = 10.0,
        renew_deadline: float = 7.0,
        renew_interval: float = 2.0,
        retry_interval: float = 1.0,
        obstacle: Callable[[], str] = lambda: "",
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """Prepare to compete.

        Args:
            client: the API client.
            namespace: where the Lease is.
            name: the Lease.
            identity: who we are; unique for every start of a process.
            duration: seconds for which others leave the Lease alone after a renewal, whole.
            renew_deadline: seconds after which an unrenewed claim is given up.
            renew_interval: seconds between renewals.
            retry_interval: seconds between looks at a Lease that somebody else holds, and after failures.
            obstacle: says why we must not compete now, empty if we may; asked before each try.
            clock: monotonic seconds.
            wall_clock: Unix seconds; only written for people to read.

        Raises:
            ValueError: the times don't leave a margin.
        """
        if not 0 < retry_interval <= renew_interval < renew_deadline < duration <= LONGEST_DURATION:
            raise ValueError(
                "lease times must be 0 < retry_interval <= renew_interval < renew_deadline < duration <= "
                f"{LONGEST_DURATION:.0f}, not {retry_interval}, {renew_interval}, {renew_deadline}, {duration}"
            )
        if duration != int(duration):
            raise ValueError(f"a Lease's duration is in whole seconds, not {duration}")
        self._client = client
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._duration = duration
        self._renew_deadline = renew_deadline
        self._renew_interval = renew_interval
        self._retry_interval = retry_interval
        self._obstacle = obstacle
        self._clock = clock
        self._wall_clock = wall_clock
        self._record: LeaseRecord | None = None
        self._observed_at = 0.0
        self._written_at = 0.0
        self._acquired = ""
        self._doubtful = False
        self._highest_epoch = 0
        self._stopped = asyncio.Event()
        self._claimed = asyncio.Event()
        self.claim: LeaseClaim | None = None
        self.problem = ""

    def is_valid(self) -> bool:
        """Return whether the claim holds at this very moment."""
        claim = self.claim
        return claim is not None and self._clock() < claim.valid_until

    async def claimed(self) -> LeaseClaim:
        """Wait until the Lease is ours."""
        while True:
            claim = self.claim
            if claim is not None:
                return claim
            self._claimed.clear()
            await self._claimed.wait()

    def stop(self) -> None:
        """Make `run` return, for good. The claim stays until `release`, or until it expires."""
        self._stopped.set()

    async def run(self) -> None:
        """Compete for the Lease, hold it, and return once it is lost or `stop` was called. After a loss, run it again."""
        while self.claim is None and not self._stopped.is_set():
            if obstacle := self._obstacle():
                self._note(f"not competing for the Lease {self._where}: {obstacle}")
            else:
                await self._compete()
            if self.claim is None:
                await self._pause(self._retry_interval * random.uniform(0.9, 1.1))
        while self.claim is not None and not self._stopped.is_set():
            await self._hold(self.claim)

    async def release(self, *, within: float = 2.0) -> None:
        """Return the Lease back, so that a successor need not wait. Call it after `run` ended and all writes with it.

        The claim ends at once; that the API server could not be told in `within` seconds is no error.
        """
        claim, self.claim = self.claim, None
        if claim is None:
            return
        with contextlib.suppress(TimeoutError, *_FAILURES):
            async with asyncio.timeout(within):
                try:
                    await self._write(holder="", epoch=claim.epoch, deadline=within)
                except StatusError as error:
                    # A renewal that was cut off, or somebody's label, may have made our reading old.
                    if error.code == 409 and _names(await self._read(deadline=within), self._identity, claim.epoch):
                        await self._write(holder="", epoch=claim.epoch, deadline=within)

    # Competing.

    async def _compete(self) -> None:
        """Try once to get the Lease."""
        limit = self._renew_deadline / _REQUESTS_PER_DEADLINE
        try:
            record = await self._read(deadline=limit)
            if record is None:
                record = await self._create(deadline=limit)
            self.problem = ""
            if not self._is_free(record):
                return
            epoch = max(record.transitions + 1, self._highest_epoch + 1, record.least_epoch)
            sent = self._clock()
            await self._write(holder=self._identity, epoch=epoch, deadline=limit, acquired=True)
        except StatusError as error:
            if not (error.genuine and error.code == 409):  # that is a lost race
                self._note(f"cannot compete for the Lease {self._where}: {error}{_advice(error)}")
        except (ApiUnreachable, DecodeError) as error:
            self._note(f"cannot compete for the Lease {self._where}: {error}")
        else:
            version = 0 if self._record is None else self._record.version
            self.claim = LeaseClaim(epoch=epoch, valid_until=sent + self._renew_deadline, version=version)
            self._claimed.set()
            _log.info("holding the Lease %s in epoch %d", self._where, epoch)

    def _is_free(self, record: LeaseRecord) -> bool:
        """Return whether nobody can be acting under the Lease any more.

        If it names us while we have no claim, we gave the claim up before, and may ask for a new one.
        """
        if record.holder in {"", self._identity}:
            return True
        promised = min(max(record.duration, self._duration), LONGEST_DURATION)
        return self._clock() - self._observed_at >= promised

    # Holding.

    async def _hold(self, claim: LeaseClaim) -> None:
        """Wait until the next renewal is due, then make it or end the claim."""
        await self._pause(claim.valid_until - self._renew_deadline + self._renew_interval - self._clock())
        while self.claim is claim and not self._stopped.is_set():
            left = claim.valid_until - self._clock()
            if left <= 0:
                self._lose(f"it was not renewed in time: {self.problem or 'this process stood still'}")
                return
            pause = await self._renew(claim, deadline=min(left, self._renew_deadline / _REQUESTS_PER_DEADLINE))
            await self._pause(min(pause, claim.valid_until - self._clock()))

    async def _renew(self, claim: LeaseClaim, *, deadline: float) -> float:
        """Make one request towards a renewal, and give the seconds to wait before the next one, if it failed."""
        try:
            if self._doubtful:
                record = await self._read(deadline=deadline)
                if record is None:
                    self._lose("it was deleted")
                elif not _names(record, self._identity, claim.epoch):
                    self._lose(f"it is held by {record.holder or 'nobody'} in epoch {record.transitions}")
                return 0.0
            sent = self._clock()
            await self._write(holder=self._identity, epoch=claim.epoch, deadline=deadline)
        except StatusError as error:
            self._doubtful = True
            if error.genuine and error.code in {404, 409}:
                return random.uniform(0.0, _CONFLICT_PAUSE)
            self._note(f"cannot renew the Lease {self._where}: {error}")
        except (ApiUnreachable, DecodeError) as error:
            # Whether a renewal was carried out, only a look at the Lease can tell.
            self._doubtful = True
            self._note(f"cannot renew the Lease {self._where}: {error}")
        else:
            self.claim = msgspec.structs.replace(claim, valid_until=sent + self._renew_deadline)
            self.problem = ""
            return 0.0
        return self._retry_interval * random.uniform(0.5, 1.0)

    def _lose(self, why: str) -> None:
        self.claim = None
        self.problem = f"lost the Lease {self._where}: {why}"
        _log.warning("%s", self.problem)

    # Requests.

    async def _read(self, *, deadline: float) -> LeaseRecord | None:
        path = lease_path(self._namespace, self._name)
        answer = await self._client.request("GET", path, deadline=deadline, pool=Pool.LEASE)
        if answer.status == 404:
            error = parse_status(answer.status, answer.body)
            if not error.proves_absence(LEASES, self._name):
                raise error
            self._record, self._doubtful = None, False
            return None
        return self._take(answer)

    async def _create(self, *, deadline: float) -> LeaseRecord:
        """Make the Lease, held by nobody: only its creation time tells from where its epochs count."""
        body = new_lease(namespace=self._namespace, name=self._name)
        path = lease_path(self._namespace)
        return self._take(await self._client.request("POST", path, body=body, deadline=deadline, pool=Pool.LEASE))

    async def _write(self, *, holder: str, epoch: int, deadline: float, acquired: bool = False) -> None:
        if self._record is None:
            raise DecodeError("the Lease was not read yet")
        # Others see a renewal only by its time, which a clock that stands still or is set back must not repeat.
        self._written_at = max(self._wall_clock(), self._written_at + _MICRO_TIME_STEP)
        now = format_micro_time(self._written_at)
        if acquired:
            self._acquired = now
        body = lease_update(
            replaces=self._record,
            holder=holder,
            epoch=epoch,
            duration=self._duration,
            acquired=self._acquired,
            renewed=now,
        )
        path = lease_path(self._namespace, self._name)
        self._take(await self._client.request("PUT", path, body=body, deadline=deadline, pool=Pool.LEASE))

    def _take(self, answer: ApiResponse) -> LeaseRecord:
        if answer.status not in {200, 201}:
            raise parse_status(answer.status, answer.body)
        record = decode_lease(answer.body)
        if not record.same_holding(self._record):
            self._observed_at = self._clock()
        self._record, self._doubtful = record, False
        self._highest_epoch = max(self._highest_epoch, record.transitions)
        return record

    async def _pause(self, seconds: float) -> None:
        """Wait, but no longer than until `stop`."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopped.wait()

    @property
    def _where(self) -> str:
        return f"{self._namespace}/{self._name}"

    def _note(self, problem: str) -> None:
        if problem != self.problem:
            _log.warning("%s", problem)
        self.problem = problem


def _names(record: LeaseRecord | None, identity: str, epoch: int) -> bool:
    return record is not None and record.holder == identity and record.transitions == epoch


def _advice(error: StatusError) -> str:
    if error.code == 403:
        return " (this account needs the verbs get and update on the Lease, and create unless it exists already)"
    return ""
