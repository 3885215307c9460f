"""What the operator serves over HTTP: probes for the kubelet and metrics for Prometheus. No user data, no authentication.

`/livez` fails only when the process cannot help itself (its loop is stuck or a part has died), never because the API server
is away: a restart would not bring that back. `/readyz` fails until the caches are filled.
"""

from collections.abc import Callable
from typing import Final

from aiohttp import web

from podwright.runtime.metrics import CONTENT_TYPE
from podwright.runtime.operator import Health

_TEXT: Final = "text/plain"


class HttpServer:
    """Serves on `host` and `port` (0: a free one) from `start` to `stop`."""

    def __init__(self, *, host: str, port: int, health: Callable[[], Health], metrics: Callable[[], bytes]) -> None:
        self._host = host
        self._port = port
        self._health = health
        self._metrics = metrics
        self._runner: web.AppRunner | None = None

    async def start(self) -> int:
        """Start serving and give the port.

        Raises:
            OSError: the port is taken or forbidden.
        """
        app = web.Application()
        app.add_routes(
            [
                web.get("/livez", self._livez),
                web.get("/readyz", self._readyz),
                web.get("/metrics", self._exposition),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        await site.start()
        port: int = self._runner.addresses[0][1]
        return port

    async def stop(self) -> None:
        """Stop serving."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _livez(self, _request: web.Request) -> web.Response:
        return _probe(self._health().alive_problem)

    async def _readyz(self, _request: web.Request) -> web.Response:
        return _probe(self._health().ready_problem)

    async def _exposition(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._metrics(), headers={"Content-Type": CONTENT_TYPE})


def _probe(problem: str) -> web.Response:
    return web.Response(text=problem or "ok", status=500 if problem else 200, content_type=_TEXT)
