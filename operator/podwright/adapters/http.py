"""What the operator serves over HTTP: probes for the kubelet and metrics for Prometheus. No user data, no authentication.

`/livez` fails only when the process cannot help itself (its loop is stuck or a part has died), never because the API server
is away: a restart would not bring that back. `/readyz` fails while this process could not act or take over.

Whoever reaches the port may open connections and send anything, so everything is bounded: how many are open, how long one may
wait for a request, how large its headers are. When there are too many, the one that was unused for longest is closed, so that a
probe always gets in. What clients do wrong is answered, not logged. Metrics are rendered by the loop that also renews the Leases,
so all who ask for them within a second get the same ones.
"""

import asyncio
import errno
import logging
import math
import socket
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final

from aiohttp import web

from podwright.runtime.metrics import CONTENT_TYPE
from podwright.runtime.operator import Health

ALL_ADDRESSES: Final = "::"
OPEN_CONNECTIONS: Final = 64
IDLE_SECONDS: Final = 15.0
"""How long a connection may take to send a request: the first one, or another one."""
_FRESH_SECONDS: Final = 1.0
_RENDERING_SHARE: Final = 0.05
_BACKLOG: Final = 128
_LINE_BYTES: Final = 2048
_FIELD_BYTES: Final = 4096
_HEADERS: Final = 64
_LINGER_SECONDS: Final = 1.0
_NO_IPV6: Final = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT, errno.ENOPROTOOPT})
_TEXT: Final = "text/plain"

_log = logging.getLogger(__name__)


class HttpServer:
    """Serves on `host` and `port` (0: a free one) from `start` to `stop`. The host `::` means all addresses, IPv4 as well."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        health: Callable[[], Health],
        metrics: Callable[[], bytes],
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._host = host
        self._port = port
        self._idle_seconds = idle_seconds
        shared = SharedPage(metrics)
        self._pages: Mapping[str, Callable[[], web.Response]] = {
            "/livez": lambda: _probe(health().alive_problem),
            "/readyz": lambda: _probe(health().ready_problem),
            "/metrics": lambda: web.Response(body=shared.page(), headers={"Content-Type": CONTENT_TYPE}),
        }
        self._server: _Server | None = None
        self._runner: web.ServerRunner | None = None

    async def start(self) -> int:
        """Start serving and return the port.

        Raises:
            OSError: the port is taken or forbidden.
        """
        self._server = _Server(
            self._answer,
            most=OPEN_CONNECTIONS,
            access_log=None,
            logger=_log,
            keepalive_timeout=self._idle_seconds,
            max_line_size=_LINE_BYTES,
            max_field_size=_FIELD_BYTES,
            max_headers=_HEADERS,
            lingering_time=_LINGER_SECONDS,
        )
        self._runner = web.ServerRunner(self._server, shutdown_timeout=1.0)
        await self._runner.setup()
        listening = _listen(self._host, self._port)
        try:
            await web.SockSite(self._runner, listening, backlog=_BACKLOG).start()
        except BaseException:
            listening.close()
            raise
        port: int = listening.getsockname()[1]
        return port

    async def stop(self) -> None:
        """Stop serving."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if self._server is not None:
            self._server.used(request.protocol)
        page = self._pages.get(request.path)
        if page is None:
            return web.Response(status=404, text=f"not found: try {', '.join(self._pages)}", content_type=_TEXT)
        if request.method not in {"GET", "HEAD"}:
            return web.Response(status=405, headers={"Allow": "GET, HEAD"})
        return page()


class SharedPage:
    """A page that costs something to render: one rendering serves all who ask while it is fresh.

    It stays fresh for a second, and for longer if it took long, so that rendering never takes more than a small part of the time.
    """

    def __init__(self, render: Callable[[], bytes], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._render = render
        self._clock = clock
        self._page = b""
        self._fresh_until = -math.inf

    def page(self) -> bytes:
        """Return the page, rendered anew if the last one is too old."""
        began = self._clock()
        if began >= self._fresh_until:
            self._page = self._render()
            ended = self._clock()
            self._fresh_until = ended + max(_FRESH_SECONDS, (ended - began) / _RENDERING_SHARE)
        return self._page


class _Server(web.Server):
    """Keeps its open connections in order, the one that was unused for longest first, and closes that if there are too many."""

    def __init__(self, handler: Any, *, most: int, **settings: Any) -> None:
        super().__init__(handler)
        self._most = most
        self._settings = settings
        self._order: OrderedDict[web.RequestHandler, None] = OrderedDict()

    def __call__(self) -> web.RequestHandler:
        return _Connection(self, loop=asyncio.get_running_loop(), **self._settings)

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        self._order[handler] = None
        while len(self._order) > self._most:
            unused, _ = self._order.popitem(last=False)
            if unused.transport is not None:
                unused.transport.abort()

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        self._order.pop(handler, None)
        super().connection_lost(handler, exc)

    def used(self, handler: web.RequestHandler) -> None:
        """Record that a connection brought a whole request. Single bytes don't count: they are cheap to send."""
        if handler in self._order:
            self._order.move_to_end(handler)


class _Connection(web.RequestHandler):
    """A connection that does not log what its client does wrong."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if status >= 500:
            return super().handle_error(request, status, exc, message)
        response = web.Response(status=status, text="bad request\n", content_type=_TEXT)
        response.force_close()
        return response


def _listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; for all addresses it takes both families, or IPv4 where the machine has no IPv6.

    Raises:
        OSError: the port is taken or forbidden, or the address is not this machine's.
    """
    if host == ALL_ADDRESSES:
        try:
            return socket.create_server((host, port), family=socket.AF_INET6, backlog=_BACKLOG, dualstack_ipv6=True)
        except ValueError:  # the platform can't serve both families with one socket
            _log.info("no socket here serves IPv6 and IPv4: serving IPv4 only")
        except OSError as error:
            if error.errno not in _NO_IPV6:
                raise
            _log.info("this machine has no IPv6 (%s): serving IPv4 only", error)
        host = "0.0.0.0"  # noqa: S104 - the kubelet's probes and Prometheus come from outside the pod
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=_BACKLOG)


def _probe(problem: str) -> web.Response:
    return web.Response(text=problem or "ok", status=500 if problem else 200, content_type=_TEXT)
