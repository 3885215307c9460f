"""Fresh credentials and certificates when the ones in use are refused, got once for all requests that found out. Used by the client."""

import asyncio
import logging

from podwright.kube.access import CredentialsError
from podwright.kube.credentials import Credentials
from podwright.kube.trust import Trust

_log = logging.getLogger(__name__)


class Renewal:
    """Renews the credentials of one client. Close it to end a renewal that is under way."""

    def __init__(self, credentials: Credentials, trust: Trust) -> None:
        self._credentials = credentials
        self._trust = trust
        self._running: asyncio.Task[bool] | None = None

    def close(self) -> None:
        """Give up a renewal that is under way."""
        if self._running is not None:
            self._running.cancel()

    async def of_token(self, refused: str, *, until: float) -> bool:
        """Get another token after a 401; return whether there is one.

        Many requests may fail at once, and one renewal serves them all. Each waits for it until `until`, in the loop's time, however
        long a credential plugin takes; one that hangs is never started a second time beside itself.
        """
        return self._credentials.access.token != refused or await self._renewed(until)

    async def of_certificates(self, *, until: float) -> bool:
        """Load the certificates anew after one was not trusted; return whether that was possible, and not tried just before."""
        if not self._is_running and not self._trust.may_reload():
            return False
        return await self._renewed(until)

    @property
    def _is_running(self) -> bool:
        return self._running is not None and not self._running.done()

    async def _renewed(self, until: float) -> bool:
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._reload(), name="renewal of credentials")
        try:
            async with asyncio.timeout_at(until):
                return await asyncio.shield(self._running)
        except TimeoutError:
            _log.warning("fresh credentials for %s were not there in time", self._credentials.access.server)
            return False

    async def _reload(self) -> bool:
        try:
            await self._credentials.reload()
            self._trust.reload()
        except CredentialsError as error:
            _log.warning(
                "the API server refuses our credentials, or we its certificate, and there are no others: %s", error
            )
            return False
        return True
