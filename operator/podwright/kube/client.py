"""The HTTP client of the API server: bytes in, bytes out, and a clear word on whether a request may have been executed.

Used by the reflector, the leases and the runtime's writer. It interprets nothing but 401 (credentials are renewed once),
and it does not repeat a POST or PATCH that may have been executed. A GET, PUT or DELETE is repeated once if the connection was
closed instead of an answer: our PUTs and DELETEs carry preconditions, so a repetition changes nothing. If the second one can't be
sent, the first may have been executed all the same, so that is `Ambiguous`.
"""

import asyncio
import enum
import functools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlencode

import aiohttp
import msgspec
from yarl import URL

from podwright.kube.codecs.requests import JSON, ApiRequest
from podwright.kube.credentials import Credentials
from podwright.kube.errors import is_foreign, parse_status
from podwright.kube.paths import checked_path
from podwright.kube.renewal import Renewal
from podwright.kube.responses import (
    NETWORK_ERRORS,
    Ambiguous,
    ApiResponse,
    ForeignAnswer,
    Unsent,
    describe,
    read_at_most,
    read_rest,
    retry_after,
    unreachable,
    was_closed,
)
from podwright.kube.server_clock import ServerClock
from podwright.kube.stream import LineStream
from podwright.kube.trust import Trust

_NO_CEILING: Final = 1e9  # aiohttp rounds long timeouts up to whole seconds; a lease cannot have that
_CONNECT_SHARE: Final = 0.9
_IDLE_SECONDS: Final = (
    30.0  # less than any server's own limit, so that it rarely closes a connection we are about to use
)
_CONNECT_SECONDS: Final = 10.0
_LEAST_SECONDS: Final = 0.001
_READ_BUFFER: Final = 1 << 18
_REPEATABLE: Final = frozenset({"GET", "PUT", "DELETE"})


class _Untrusted(Exception):  # noqa: N818 - a turn of the control flow, never seen outside
    """The API server's certificate is not one that we trust, so nothing was sent."""


class Pool(enum.Enum):
    """Connections of their own, so that neither a long watch nor a burst of writes holds up a lease renewal."""

    WRITE = "write"
    READ = "read"
    LEASE = "lease"


class _Outgoing(msgspec.Struct, gc=False):
    """A request as it is sent; its headers are written anew when the credentials are renewed. `until` in the loop's time."""

    method: str
    url: URL
    body: bytes | None
    headers: dict[str, str]
    until: float
    pool: Pool
    most_bytes: int | None


class ApiClient:
    """A client for one API server. Make it inside a running event loop; use it in that loop only, and close it."""

    def __init__(
        self,
        credentials: Credentials,
        *,
        user_agent: str = "podwright",
        write_connections: int = 128,
        clock: ServerClock | None = None,
    ) -> None:
        """Prepare connection pools; nothing is sent yet. `clock` is told the API server's time.

        Raises:
            CredentialsError: the certificates cannot be read.
        """
        self.clock = clock or ServerClock()
        self._credentials = credentials
        access = credentials.access
        self.server = access.server.rstrip("/")
        self._server_name = access.server_name or None
        self._trust = Trust(credentials)
        self._renewal = Renewal(credentials, self._trust)
        limits = {Pool.WRITE: write_connections, Pool.READ: 0, Pool.LEASE: 0}
        self._sessions = {pool: self._session(limit=limit, user_agent=user_agent) for pool, limit in limits.items()}

    def _session(self, *, limit: int, user_agent: str) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=limit, keepalive_timeout=_IDLE_SECONDS)
        session = aiohttp.ClientSession(
            connector=connector,
            # Compression costs more time than it saves within a cluster.
            headers={"User-Agent": user_agent, "Accept-Encoding": "identity"},
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )
        # It would repeat requests without telling, and what then can't be sent looks as if nothing ever had been.
        session._retry_connection = False
        return session

    async def __aenter__(self) -> Self:
        """Return the client itself; it is closed at the end of the block."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the client."""
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        self._renewal.close()
        for session in self._sessions.values():
            await session.close()

    async def send(self, request: ApiRequest, *, deadline: float = 10.0, pool: Pool = Pool.WRITE) -> ApiResponse:
        """Send an encoded request; see `request`.

        Raises:
            Unsent: no connection could be made.
            Ambiguous: there was no full answer in time.
            AnswerTooLarge: the answer is larger than the request's `most_bytes`.
            ForeignAnswer: it was refused or redirected, but not by a Kubernetes API server.
        """
        response = await self.request(
            request.method,
            request.path,
            query=request.query,
            body=request.body,
            content_type=request.content_type,
            accept=request.accept,
            deadline=deadline,
            pool=pool,
            most_bytes=request.most_bytes,
        )
        if is_foreign(response.status, response.body):
            error = parse_status(response.status, response.body)
            raise ForeignAnswer(f"{request.method} {request.path}: not an answer of an API server: {error}")
        return response

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = JSON,
        accept: str = JSON,
        deadline: float = 10.0,
        pool: Pool = Pool.WRITE,
        most_bytes: int | None = None,
    ) -> ApiResponse:
        """Send one request and read the whole answer, whatever its HTTP status, within `deadline` seconds.

        Raises:
            Unsent: no connection could be made.
            Ambiguous: there was no full answer in time.
            AnswerTooLarge: the answer has more than `most_bytes`.
        """
        outgoing = _Outgoing(
            method,
            self._url(path, query),
            body,
            {"Accept": accept} if body is None else {"Accept": accept, "Content-Type": content_type},
            asyncio.get_running_loop().time() + deadline,
            pool,
            most_bytes,
        )
        try:
            return await self._authorized(outgoing, deadline)
        except _Untrusted as error:
            # No request was sent: the cluster's authority may have been replaced, or a certificate of ours.
            if not await self._renewal.of_certificates(until=outgoing.until):
                raise Unsent(str(error)) from error
        try:
            return await self._authorized(outgoing, self._left(outgoing))
        except _Untrusted as error:
            raise Unsent(str(error)) from error

    async def _authorized(self, outgoing: _Outgoing, deadline: float) -> ApiResponse:
        """Send a request with our token, and once more if that is refused and there is another."""
        token = self._authorize(outgoing.headers)
        response = await self._exchange(outgoing, deadline)
        if response.status != 401 or not await self._renewal.of_token(token, until=outgoing.until):
            return response
        self._authorize(outgoing.headers)
        return await self._exchange(outgoing, self._left(outgoing))

    @asynccontextmanager
    async def open_stream(
        self, path: str, query: Mapping[str, str] | None = None, *, silence: float = 75.0
    ) -> AsyncIterator[LineStream]:
        """Open a stream of lines, as watches are. It breaks off once no byte came for `silence` seconds.

        Raises:
            StatusError: the API server refused.
            Unsent, Ambiguous: it could not be reached.
        """
        url = self._url(path, query)
        headers = {"Accept": JSON}
        until = asyncio.get_running_loop().time() + min(silence, _CONNECT_SECONDS)
        token = self._authorize(headers)
        response = await self._open(url, headers=headers, silence=silence, until=until)
        try:
            if response.status == 401 and await self._renewal.of_token(token, until=until):
                response.close()
                self._authorize(headers)
                response = await self._open(url, headers=headers, silence=silence, until=until)
            if response.status != 200:
                raise parse_status(response.status, await read_rest(response), retry_after=retry_after(response))
            yield LineStream(response)
        finally:
            # Not `release`: a watch is left in the middle, so its connection cannot serve another request.
            response.close()

    async def _exchange(self, outgoing: _Outgoing, deadline: float, *, repeated: bool = False) -> ApiResponse:
        try:
            async with self._sessions[outgoing.pool].request(
                outgoing.method,
                outgoing.url,
                data=outgoing.body,
                headers=outgoing.headers,
                timeout=_timeout(deadline),
                allow_redirects=False,
                server_hostname=self._server_name,
                ssl=self._trust.context,
                proxy=self._credentials.access.proxy or None,
            ) as response:
                if self.clock.is_due and response.status < 300:  # of refusals, some are a proxy's
                    self.clock.observe(response.headers.get("Date"))
                most = outgoing.most_bytes
                content = await (response.read() if most is None else read_at_most(response, most))
                return ApiResponse(response.status, content, retry_after(response))
        except aiohttp.ClientConnectorCertificateError as error:
            raise _Untrusted(f"{outgoing.method} {outgoing.url.path}: {describe(error)}") from error
        except NETWORK_ERRORS as error:
            if repeated or outgoing.method not in _REPEATABLE or not was_closed(error):
                raise unreachable(outgoing.method, outgoing.url, error) from error
        try:
            return await self._exchange(outgoing, self._left(outgoing), repeated=True)
        except (Unsent, _Untrusted) as error:
            raise Ambiguous(f"{error}; a first try was sent and not answered") from error

    async def _open(self, url: URL, *, headers: dict[str, str], silence: float, until: float) -> aiohttp.ClientResponse:
        timeout = aiohttp.ClientTimeout(total=None, connect=min(silence, _CONNECT_SECONDS), sock_read=silence)
        try:
            return await self._sessions[Pool.READ].get(
                url,
                headers=headers,
                timeout=timeout,
                allow_redirects=False,
                server_hostname=self._server_name,
                ssl=self._trust.context,
                proxy=self._credentials.access.proxy or None,
                read_bufsize=_READ_BUFFER,
            )
        except aiohttp.ClientConnectorCertificateError as error:
            # The next try may find that the cluster's authority was replaced, or a certificate of ours.
            await self._renewal.of_certificates(until=until)
            raise Unsent(f"GET {url.path}: {describe(error)}") from error
        except NETWORK_ERRORS as error:
            raise unreachable("GET", url, error) from error

    def _url(self, path: str, query: Mapping[str, str] | None) -> URL:
        # Quoted already: to have aiohttp check it again would cost more than the rest.
        scheme, authority, prefix = _origin(self.server)
        return URL.build(
            scheme=scheme,
            authority=authority,
            path=f"{prefix}{checked_path(path)}",
            query_string=urlencode(query) if query else "",
            encoded=True,
        )

    def _authorize(self, headers: dict[str, str]) -> str:
        access = self._credentials.access
        token = access.token
        if token or access.authorization:
            headers["Authorization"] = f"Bearer {token}" if token else access.authorization
        return token

    @staticmethod
    def _left(outgoing: _Outgoing) -> float:
        return outgoing.until - asyncio.get_running_loop().time()


@functools.lru_cache(maxsize=16)
def _origin(server: str) -> tuple[str, str, str]:
    """Return scheme, authority and path of a server's URL: to take it apart for each request would cost more than the rest."""
    url = URL(server, encoded=True)
    return url.scheme, url.raw_authority, url.raw_path.rstrip("/")


@functools.lru_cache(maxsize=16)  # nearly all requests have the same
def _timeout(deadline: float) -> aiohttp.ClientTimeout:
    deadline = max(deadline, _LEAST_SECONDS)  # to aiohttp nothing left would mean no limit
    # Connecting ends a little earlier than the whole, so that a connection that is never made counts as `Unsent`.
    return aiohttp.ClientTimeout(total=deadline, connect=deadline * _CONNECT_SHARE, ceil_threshold=_NO_CEILING)
