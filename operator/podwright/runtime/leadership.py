"""Who may act on which shard: one elector per shard, and what has to be done between winning and acting.

Winning a Lease is not yet leading: first the fence must stand for the new epoch, and the version of the job collection is
taken down, since whatever has not changed since may have been acted on by the former leader (see `Tenure.baseline`).
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from podwright.core.constants.names import lease_name
from podwright.kube.client import ApiClient, ApiResponse, ApiUnreachable, Pool
from podwright.kube.codecs.page import JOBS
from podwright.kube.codecs.requests import ApiRequest, jobs_path
from podwright.kube.errors import DecodeError, parse_status
from podwright.kube.lease import LeaseElector
from podwright.runtime.fence import prove_fence
from podwright.runtime.settings import Settings
from podwright.runtime.tenure import Tenure

_PAUSE: Final = 0.5

_log = logging.getLogger(__name__)


class LeadershipLostError(RuntimeError):
    """A Lease that was held is no longer ours. What the process knows may be old: it should end and start anew."""


class Leadership:
    """Competes for all shards until one that was held is lost. `on_gain` is called once a shard may be acted on."""

    def __init__(self, *, client: ApiClient, settings: Settings, on_gain: Callable[[int], None]) -> None:
        self._client = client
        self._settings = settings
        self._on_gain = on_gain
        self._tenures: dict[int, Tenure] = {}
        self._electors = {
            shard: LeaseElector(
                client,
                namespace=settings.namespace,
                name=lease_name(shard),
                identity=settings.identity,
                duration=settings.lease_duration,
                renew_deadline=settings.renew_deadline,
                renew_interval=settings.renew_interval,
                retry_interval=settings.retry_interval,
            )
            for shard in range(settings.shards)
        }

    @property
    def shards(self) -> int:
        """Return the number of shards."""
        return self._settings.shards

    @property
    def held(self) -> int:
        """Return how many shards may be acted on now."""
        return sum(self.tenure(shard) is not None for shard in self._electors)

    def tenure(self, shard: int) -> Tenure | None:
        """Return the tenure of a shard if it is ours at this very moment."""
        tenure = self._tenures.get(shard)
        if tenure is None or not self._electors[shard].is_valid():
            return None
        return tenure

    async def run(self) -> None:
        """Compete, and lead, until cancelled.

        Raises:
            LeadershipLostError: a shard was lost.
            FenceMissingError: the cluster does not fence out former leaders.
            FenceUnprovenError: it gave no answer that tells.
        """
        parts = [asyncio.create_task(self._lead(shard)) for shard in self._electors]
        try:
            await asyncio.gather(*parts)
        finally:
            for part in parts:
                part.cancel()

    async def release(self) -> None:
        """Return all Leases back, so that a successor need not wait."""
        self._tenures.clear()
        await asyncio.gather(*(elector.release() for elector in self._electors.values()))

    async def _lead(self, shard: int) -> None:
        elector = self._electors[shard]
        running = asyncio.create_task(elector.run())
        winning = asyncio.create_task(self._take_office(shard, elector))
        try:
            await asyncio.wait({running, winning}, return_when=asyncio.FIRST_COMPLETED)
            if not running.done():
                await winning
            await running
        finally:
            running.cancel()
            winning.cancel()
        raise LeadershipLostError(f"shard {shard} was lost: {elector.problem or 'another operator leads'}")

    async def _take_office(self, shard: int, elector: LeaseElector) -> None:
        claim = await elector.claimed()
        if self._settings.fence:
            await prove_fence(send=self._send, namespace=self._settings.namespace, shard=shard, epoch=claim.epoch)
        self._tenures[shard] = Tenure(shard=shard, epoch=claim.epoch, baseline=await self._job_version())
        self._on_gain(shard)

    async def _job_version(self) -> int:
        while True:  # until it is known, or the Lease is lost meanwhile and this is cancelled
            try:
                answer = await self._send(ApiRequest(method="GET", path=jobs_path(), query={"limit": "1"}))
                if answer.status == 200:
                    return JOBS.page(answer.body).resource_version
                problem: Exception = parse_status(answer.status, answer.body)
            except (ApiUnreachable, DecodeError) as error:
                problem = error
            _log.warning("cannot read the version of the job collection: %s", problem)
            await asyncio.sleep(_PAUSE)

    async def _send(self, request: ApiRequest) -> ApiResponse:
        return await self._client.send(request, deadline=self._settings.request_deadline, pool=Pool.READ)
