"""The HTTP client of the API server: bytes in, bytes out, and a clear word on whether a request may have been executed.

Used by the reflector, the leases and the runtime's writer. It interprets nothing but 401 (credentials are renewed once),
and it does not repeat a POST or PATCH that may have been executed. A GET, PUT or DELETE is repeated once if the connection was
closed instead of an answer: our PUTs and DELETEs carry preconditions, so a repetition changes nothing. If the second one can't be
sent, the first may have been executed all the same, so that is `Ambiguous`.
"""

import asyncio
import enum
import functools
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlencode

import aiohttp
import msgspec
from yarl import URL

from podwright.kube.access import CredentialsError
from podwright.kube.codecs.requests import JSON, ApiRequest
from podwright.kube.credentials import Credentials
from podwright.kube.errors import LONGEST_RETRY_AFTER, is_foreign, parse_status
from podwright.kube.lines import LineSplitter, LineTooLongError
from podwright.kube.paths import checked_path
from podwright.kube.server_clock import ServerClock
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

_log = logging.getLogger(__name__)


class ApiUnreachable(Exception):  # noqa: N818 - a fact about a request that its sender must act on, as are the two below
    """A request got no full answer from the API server."""


class Unsent(ApiUnreachable):
    """No connection could be made: the request was surely not executed."""


class Ambiguous(ApiUnreachable):
    """The request was sent, or may have been, without a full answer: it may or may not have been executed."""


class ForeignAnswer(Ambiguous):
    """Something on the way, such as a proxy, answered instead of an API server; what became of the request is unknown."""


class AnswerTooLarge(Ambiguous):
    """The answer has more bytes than its reader wanted, so it was given up; `size` is how many it has at least."""

    def __init__(self, message: str, *, size: int) -> None:
        super().__init__(message)
        self.size = size


class _Untrusted(Exception):  # noqa: N818 - a turn of the control flow, never seen outside
    """The API server's certificate is not one that we trust, so nothing was sent."""


class ApiResponse(msgspec.Struct, frozen=True, gc=False):
    """An answer, whatever its status. `retry_after` in seconds, if the server named a time."""

    status: int
    body: bytes
    retry_after: float | None = None


class Pool(enum.Enum):
    """Connections of their own, so that neither a long watch nor a burst of writes holds up a lease renewal."""

    WRITE = "write"
    READ = "read"
    LEASE = "lease"


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
        self._renewal: asyncio.Task[bool] | None = None
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
        if self._renewal is not None:
            self._renewal.cancel()
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
        url = self._url(path, query)
        headers = {"Accept": accept} if body is None else {"Accept": accept, "Content-Type": content_type}
        token = self._authorize(headers)
        until = asyncio.get_running_loop().time() + deadline
        try:
            response = await self._exchange(
                method, url, body=body, headers=headers, deadline=deadline, pool=pool, most_bytes=most_bytes
            )
            if response.status != 401:
                return response
            return await self._renewed(
                response, token, method, url, body=body, headers=headers, until=until, pool=pool, most_bytes=most_bytes
            )
        except _Untrusted as error:
            # No request was sent: the cluster's authority may have been replaced, or a certificate of ours.
            if not await self._renew(refused=None, until=until):
                raise Unsent(str(error)) from error
        token = self._authorize(headers)
        try:
            left = until - asyncio.get_running_loop().time()
            response = await self._exchange(
                method, url, body=body, headers=headers, deadline=left, pool=pool, most_bytes=most_bytes
            )
            if response.status != 401:
                return response
            return await self._renewed(
                response, token, method, url, body=body, headers=headers, until=until, pool=pool, most_bytes=most_bytes
            )
        except _Untrusted as error:
            raise Unsent(str(error)) from error

    async def _renewed(
        self,
        refusal: ApiResponse,
        token: str,
        method: str,
        url: URL,
        *,
        body: bytes | None,
        headers: dict[str, str],
        until: float,
        pool: Pool,
        most_bytes: int | None,
    ) -> ApiResponse:
        """Send a request once more whose token was refused; return the refusal if there is no other token."""
        if not await self._renew(refused=token, until=until):
            return refusal
        self._authorize(headers)
        left = until - asyncio.get_running_loop().time()
        return await self._exchange(
            method, url, body=body, headers=headers, deadline=left, pool=pool, most_bytes=most_bytes
        )

    @asynccontextmanager
    async def open_stream(
        self, path: str, query: Mapping[str, str] | None = None, *, silence: float = 75.0
    ) -> AsyncIterator["LineStream"]:
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
            if response.status == 401 and await self._renew(refused=token, until=until):
                response.close()
                self._authorize(headers)
                response = await self._open(url, headers=headers, silence=silence, until=until)
            if response.status != 200:
                raise parse_status(response.status, await _read_rest(response), retry_after=_retry_after(response))
            yield LineStream(response)
        finally:
            # Not `release`: a watch is left in the middle, so its connection cannot serve another request.
            response.close()

    async def _exchange(
        self,
        method: str,
        url: URL,
        *,
        body: bytes | None,
        headers: dict[str, str],
        deadline: float,
        pool: Pool,
        most_bytes: int | None,
        repeated: bool = False,
    ) -> ApiResponse:
        until = asyncio.get_running_loop().time() + deadline
        try:
            async with self._sessions[pool].request(
                method,
                url,
                data=body,
                headers=headers,
                timeout=_timeout(deadline),
                allow_redirects=False,
                server_hostname=self._server_name,
                ssl=self._trust.context,
                proxy=self._credentials.access.proxy or None,
            ) as response:
                if self.clock.is_due and response.status < 300:  # of refusals, some are a proxy's
                    self.clock.observe(response.headers.get("Date"))
                content = await (response.read() if most_bytes is None else _read_at_most(response, most_bytes))
                return ApiResponse(response.status, content, _retry_after(response))
        except aiohttp.ClientConnectorCertificateError as error:
            raise _Untrusted(f"{method} {url.path}: {_words(error)}") from error
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            if repeated or method not in _REPEATABLE or not _was_closed(error):
                raise _unreachable(method, url, error) from error
        left = until - asyncio.get_running_loop().time()
        try:
            return await self._exchange(
                method,
                url,
                body=body,
                headers=headers,
                deadline=left,
                pool=pool,
                most_bytes=most_bytes,
                repeated=True,
            )
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
            await self._renew(refused=None, until=until)
            raise Unsent(f"GET {url.path}: {_words(error)}") from error
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise _unreachable("GET", url, error) from error

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

    async def _renew(self, *, refused: str | None, until: float) -> bool:
        """Get fresh credentials after a 401, or fresh certificates if `refused` is None; return whether there are others.

        Many requests may fail at once, and one renewal serves them all. Each waits for it no longer than `until`, however long a
        credential plugin takes; one that hangs is never started a second time beside itself.
        """
        if refused is not None and self._credentials.access.token != refused:
            return True
        if self._renewal is None or self._renewal.done():
            if refused is None and not self._trust.may_reload():
                return False
            self._renewal = asyncio.create_task(self._reload(), name="renewal of credentials")
        try:
            async with asyncio.timeout_at(until):
                return await asyncio.shield(self._renewal)
        except TimeoutError:
            _log.warning("fresh credentials for %s were not there in time", self.server)
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


class LineStream:
    """The lines of an open stream, in batches of what arrived together. Iterating ends when the server ends the stream.

    Raises, while iterating:
        Ambiguous: the stream broke off, fell silent or is not made of lines.
    """

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self._splitter = LineSplitter()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[bytes]:
        """Wait for the next lines."""
        while True:
            try:
                chunk = await self._response.content.readany()
                lines = self._splitter.feed(chunk)
            except (aiohttp.ClientError, OSError, TimeoutError, LineTooLongError) as error:
                raise Ambiguous(f"the stream {self._response.url.path} broke off: {_words(error)}") from error
            if lines:
                return lines
            if not chunk:
                raise StopAsyncIteration


async def _read_at_most(response: aiohttp.ClientResponse, most: int) -> bytes:
    size = response.content_length or 0
    chunks: list[bytes] = []
    if size <= most:
        size = 0
        async for chunk in response.content.iter_any():
            size += len(chunk)
            if size > most:
                break
            chunks.append(chunk)
    if size > most:
        response.close()  # with its connection, on which the rest would come
        raise AnswerTooLarge(f"{response.method} {response.url.path}: the answer has more than {most} bytes", size=size)
    return b"".join(chunks)


async def _read_rest(response: aiohttp.ClientResponse) -> bytes:
    try:
        return await response.read()
    except (aiohttp.ClientError, OSError, TimeoutError):
        return b""  # the status alone says enough


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


def _was_closed(error: Exception) -> bool:
    """Return whether a connection was closed instead of an answer, as one is that was kept for too long."""
    if isinstance(error, aiohttp.ClientConnectorError | TimeoutError):
        return False
    return isinstance(error, aiohttp.ServerDisconnectedError | OSError)


def _unreachable(method: str, url: URL, error: Exception) -> ApiUnreachable:
    message = f"{method} {url.path}: {_words(error)}"
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return Unsent(message)
    return Ambiguous(message)


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__


def _retry_after(response: aiohttp.ClientResponse) -> float | None:
    """Read `Retry-After` in seconds, within bounds; the API server never uses its other form, a date."""
    text = response.headers.get("Retry-After")
    return min(float(text), LONGEST_RETRY_AFTER) if text is not None and text.isascii() and text.isdigit() else None
