"""The fault proxy: an HTTP server between an operator and its API server that forwards everything, records, and misbehaves.

One proxy serves one operator (or one after the other), so a rule needs not say whom it is meant for. Watches are passed
on line by line as they come.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

import aiohttp
import msgspec
from aiohttp import web

from podwright.core.constants import names
from tests.faults.actions import Action, HangUp, Reply
from tests.faults.history import Exchange, History
from tests.support.rest import Server

_VERBS: Final = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_PASSED_UP: Final = ("Accept", "Content-Type", "Authorization", "User-Agent", "Impersonate-User")
_PASSED_DOWN: Final = ("Content-Type", "Retry-After")
_PATH: Final = re.compile(
    r"^/(?:api/v1|apis/[^/]+/[^/]+)(?:/namespaces/(?P<namespace>[^/]+)(?=/))?/(?P<plural>[^/]+)(?:/(?P<name>[^/]+))?(?:/(?P<sub>[^/]+))?$"
)


class Rule(msgspec.Struct, kw_only=True):
    """Which requests an action meets: all fields that are given must match, then the first `skip` are let through.

    `resource` is a plural, with `/status` for that subresource. `writes` stands for every request that asks to change a job
    or a pod. Later rules see what earlier ones leave: the first rule that matches takes the request.
    """

    action: Action
    verb: str = ""
    resource: str = ""
    namespace: str = ""
    name: str = ""
    writes: bool = False
    skip: int = 0
    count: int | None = None
    met: int = 0

    def takes(self, exchange: Exchange) -> bool:
        """Return whether this request is for the action, counting it."""
        if self.writes and not exchange.writes:
            return False
        for wanted, found in (
            (self.verb, exchange.verb),
            (self.resource, exchange.resource),
            (self.namespace, exchange.namespace),
            (self.name, exchange.name),
        ):
            if wanted and wanted != found:
                return False
        self.met += 1
        return self.met > self.skip and (self.count is None or self.met <= self.skip + self.count)


class FaultProxy:
    """A proxy on a free port of loopback, as an asynchronous context manager. `rules` may be changed at any time."""

    def __init__(self, upstream: Server) -> None:
        self._upstream = upstream
        self._session: aiohttp.ClientSession | None = None
        self._runner: web.ServerRunner | None = None
        self._watches: set[asyncio.Task[None]] = set()
        self.port = 0
        self.rules: list[Rule] = []
        self.history = History()

    @property
    def url(self) -> str:
        """Where the operator finds it."""
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> "FaultProxy":
        """Begin to forward."""
        connector = aiohttp.TCPConnector(limit=0, ssl=self._upstream.tls or True)
        timeout = aiohttp.ClientTimeout(total=None, connect=10)
        self._session = aiohttp.ClientSession(
            self._upstream.url, connector=connector, timeout=timeout, auto_decompress=False
        )
        server = web.Server(self._handle, access_log=None, keepalive_timeout=600)
        self._runner = web.ServerRunner(server, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, backlog=1024).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *exception: object) -> None:
        """End all connections."""
        for task in list(self._watches):
            task.cancel()
        if self._runner is not None:
            await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()

    def add(
        self,
        action: Action,
        *,
        verb: str = "",
        resource: str = "",
        namespace: str = "",
        name: str = "",
        writes: bool = False,
        skip: int = 0,
        count: int | None = None,
    ) -> Rule:
        """Put a rule before the others; see `Rule`."""
        rule = Rule(
            action=action,
            verb=verb,
            resource=resource,
            namespace=namespace,
            name=name,
            writes=writes,
            skip=skip,
            count=count,
        )
        self.rules.insert(0, rule)
        return rule

    def cut_watches(self) -> None:
        """End the connections of all watches that are open."""
        for task in list(self._watches):
            task.cancel()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        exchange = self._note(request, body)
        rule = next((rule for rule in self.rules if rule.takes(exchange)), None)
        action = rule.action if rule is not None else Action()
        try:
            if exchange.verb == "watch":
                return await self._watch(request, exchange, action)
            reply = await action.reply(exchange, lambda: self._forward(request, body, exchange))
        except HangUp:
            return _hang_up(request)
        except (aiohttp.ClientError, OSError, TimeoutError):
            # The API server is away: so are we.
            return _hang_up(request)
        exchange.answered = reply.status
        return await _send(request, reply)

    def _note(self, request: web.BaseRequest, body: bytes) -> Exchange:
        match = _PATH.match(request.path)
        plural, name, sub = (match["plural"], match["name"], match["sub"]) if match else (request.path, "", "")
        verb = _VERBS.get(request.method)
        if verb is None:
            watches = request.query.get("watch") in ("1", "true")
            verb = "get" if name else "watch" if watches else "list"
        if verb == "create" and not name:
            name = _name_in(body)
        namespace = (match["namespace"] or "") if match else ""
        if plural == "leases":
            # The Lease of an idempotency key is about a job in another namespace.
            namespace = _metadata_in(body).annotations.get(names.ANNOTATION_JOB_NAMESPACE, namespace)
        return self.history.begin(
            verb=verb,
            resource=f"{plural}/{sub}" if sub else plural,
            namespace=namespace,
            name=name or "",
            query=request.query_string,
            dry_run="All" in request.query.getall("dryRun", ()),
            body=body,
        )

    async def _forward(self, request: web.BaseRequest, body: bytes, exchange: Exchange) -> Reply:
        async with self._open(request, body) as response:
            content = await response.read()
        exchange.code = response.status
        if exchange.writes and response.status < 300:
            metadata = _metadata_in(content)
            exchange.uid, exchange.resource_version = metadata.uid, metadata.resource_version
        headers = {name: response.headers[name] for name in _PASSED_DOWN if name in response.headers}
        return Reply(status=response.status, headers=headers, body=content)

    def _open(self, request: web.BaseRequest, body: bytes) -> "aiohttp.client._RequestContextManager":
        assert self._session is not None
        headers = {name: request.headers[name] for name in _PASSED_UP if name in request.headers}
        headers["Accept-Encoding"] = "identity"
        return self._session.request(request.method, request.path_qs, data=body or None, headers=headers)

    async def _watch(self, request: web.BaseRequest, exchange: Exchange, action: Action) -> web.StreamResponse:
        refusal = action.opening(exchange)
        if refusal is not None:
            exchange.answered = refusal.status
            return await _send(request, refusal)
        async with self._open(request, b"") as upstream:
            exchange.code = upstream.status
            if upstream.status != 200:
                exchange.answered = upstream.status
                return await _send(request, Reply(status=upstream.status, headers={}, body=await upstream.read()))
            exchange.answered = 200
            response = web.StreamResponse(headers={"Content-Type": "application/json"})
            response.enable_chunked_encoding()
            await response.prepare(request)
            passing = asyncio.create_task(_pass_on(action.lines(exchange, _lines(upstream)), response))
            self._watches.add(passing)
            try:
                await passing
                with suppress(ConnectionError):
                    await response.write_eof()
            except (asyncio.CancelledError, HangUp, aiohttp.ClientError, ConnectionError):
                _hang_up(request)
            finally:
                self._watches.discard(passing)
                passing.cancel()
            return response


async def _lines(upstream: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    rest = b""
    async for chunk in upstream.content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line + b"\n"


async def _pass_on(lines: AsyncIterator[bytes], response: web.StreamResponse) -> None:
    async for line in lines:
        await response.write(line)


async def _send(request: web.BaseRequest, reply: Reply) -> web.StreamResponse:
    if reply.cut is not None:
        response = web.StreamResponse(status=reply.status, headers=reply.headers)
        response.content_length = len(reply.body)
        await response.prepare(request)
        await response.write(reply.body[: reply.cut])
        return _hang_up(request)
    whole = web.Response(status=reply.status, headers=reply.headers, body=reply.body)
    if reply.after is not None:
        await whole.prepare(request)
        await whole.write_eof()
        reply.after()
    return whole


def _hang_up(request: web.BaseRequest) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=502)  # never arrives


class _Metadata(msgspec.Struct):
    name: str = ""
    generate_name: str = msgspec.field(default="", name="generateName")
    annotations: dict[str, str] = msgspec.field(default_factory=dict)
    uid: str = ""
    resource_version: str = msgspec.field(default="", name="resourceVersion")


class _Object(msgspec.Struct):
    metadata: _Metadata = msgspec.field(default_factory=_Metadata)


def _metadata_in(body: bytes) -> _Metadata:
    try:
        return msgspec.json.decode(body, type=_Object).metadata
    except msgspec.DecodeError:
        return _Metadata()


def _name_in(body: bytes) -> str:
    metadata = _metadata_in(body)
    return metadata.name or metadata.generate_name
