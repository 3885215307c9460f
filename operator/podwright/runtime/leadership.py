"""Who may act: the election, and what has to be done between winning and acting.

Winning a Lease is not yet leading: first the fence must stand for the new epoch, and the version of the job collection is
taken down, since whatever has not changed since may have been acted on by the former leader (see `LeaderTerm.baseline`).
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from podwright.core.constants.names import lease_name
from podwright.kube.client import ApiClient, Pool
from podwright.kube.codecs.page import JOBS
from podwright.kube.codecs.requests import ApiRequest, jobs_path
from podwright.kube.errors import DecodeError, parse_status
from podwright.kube.lease import LeaseElector
from podwright.kube.responses import ApiResponse, ApiUnreachable
from podwright.runtime.fence import prove_fence
from podwright.runtime.leader_term import LeaderTerm
from podwright.runtime.settings import Settings

_SHARD: Final = 0
_PAUSE: Final = 0.5

_log = logging.getLogger(__name__)


class LeadershipLostError(RuntimeError):
    """A Lease that was held is no longer ours. What the process knows may be old: it should end and start anew."""


class Leadership:
    """Competes for the Lease until it was held and lost. `on_gain` is called once the shard may be acted on.

    There is one shard. Pods carry its number all the same, since the fence's binding selects them by it.
    """

    shards: Final = 1

    def __init__(
        self,
        *,
        client: ApiClient,
        settings: Settings,
        on_gain: Callable[[int], None],
        obstacle: Callable[[], str] = lambda: "",
    ) -> None:
        """Prepare to compete; `obstacle` says why this process could not act if it led, so that it doesn't try to."""
        self._client = client
        self._settings = settings
        self._on_gain = on_gain
        self._term: LeaderTerm | None = None
        self._elector = LeaseElector(
            client,
            namespace=settings.namespace,
            name=lease_name(_SHARD),
            identity=settings.identity,
            duration=settings.lease_duration,
            renew_deadline=settings.renew_deadline,
            renew_interval=settings.renew_interval,
            retry_interval=settings.retry_interval,
            obstacle=obstacle,
        )

    @property
    def held(self) -> int:
        """Return how many shards may be acted on now."""
        return int(self.term(_SHARD) is not None)

    @property
    def problem(self) -> str:
        """Return why this process can't compete for the Lease, or renew it, at the moment; empty if it can."""
        return self._elector.problem

    def term(self, shard: int) -> LeaderTerm | None:
        """Return the term of a shard if it is ours at this very moment."""
        return self._term if shard == _SHARD and self._elector.is_valid() else None

    async def run(self) -> None:
        """Compete, and lead, until cancelled.

        Raises:
            LeadershipLostError: the Lease was lost.
            FenceMissingError: the cluster does not fence out former leaders.
            FenceUnprovenError: it gave no answer that tells.
        """
        running = asyncio.create_task(self._elector.run())
        winning = asyncio.create_task(self._take_office())
        try:
            await asyncio.wait({running, winning}, return_when=asyncio.FIRST_COMPLETED)
            if not running.done():
                await winning
            await running
        finally:
            running.cancel()
            winning.cancel()
        raise LeadershipLostError(self._elector.problem or "another operator leads")

    async def release(self) -> None:
        """Release the Lease, so that a successor need not wait."""
        self._term = None
        await self._elector.release()

    async def _take_office(self) -> None:
        claim = await self._elector.claimed()
        if self._settings.fence:
            await prove_fence(send=self._send, namespace=self._settings.namespace, shard=_SHARD, epoch=claim.epoch)
        # The Lease was written to the database itself; a list may come from an API server whose cache is old, and shows it by its version.
        baseline = max(await self._job_version(), claim.version)
        self._term = LeaderTerm(shard=_SHARD, epoch=claim.epoch, baseline=baseline)
        self._on_gain(_SHARD)

    async def _job_version(self) -> int:
        # Versions count for all namespaces together, so any of those that we may read will do.
        watched = self._settings.watch_namespaces
        request = ApiRequest(method="GET", path=jobs_path(watched[0] if watched else ""), query={"limit": "1"})
        while True:  # until it is known, or the Lease is lost meanwhile and this is cancelled
            try:
                answer = await self._send(request)
                if answer.status == 200:
                    return JOBS.page(answer.body).resource_version
                problem: Exception = parse_status(answer.status, answer.body)
            except (ApiUnreachable, DecodeError) as error:
                problem = error
            _log.warning("cannot read the version of the job collection: %s", problem)
            await asyncio.sleep(_PAUSE)

    async def _send(self, request: ApiRequest) -> ApiResponse:
        return await self._client.send(request, deadline=self._settings.request_deadline, pool=Pool.READ)
