"""The simulator over HTTP on loopback: requests are parsed here, answered by `api`, and counted by user.

A bearer token is taken as the name of its user, and everybody may impersonate, so a test says who it is without any
set-up. `Simulator` is the entry
point for tests; `python -m tests.support.simulator` runs one as a process.
"""

import asyncio
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import msgspec
from aiohttp import web

from tests.support.simulator import patch, pods
from tests.support.simulator.api import Api, Change
from tests.support.simulator.deletion import DeleteOptions, parse_options
from tests.support.simulator.errors import ApiError, bad_request, unsupported_media_type
from tests.support.simulator.kinds import NAMESPACE, POD
from tests.support.simulator.listing import Page, Pager
from tests.support.simulator.metadata import check_place
from tests.support.simulator.routes import Route, discovery, route
from tests.support.simulator.selectors import Predicate, both, field_selector, label_selector
from tests.support.simulator.storage import Document, Key, Stored
from tests.support.simulator.watch import WatchRequest, stream

ANONYMOUS: Final = "system:anonymous"
_PARTIAL: Final = "as=PartialObjectMetadata"
_PATCHES: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "application/json-patch+json": patch.json_patch,
    "application/merge-patch+json": patch.merge_patch,
    "application/strategic-merge-patch+json": patch.strategic_merge_patch,
}
_VERBS: Final = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_decode: Final = msgspec.json.Decoder().decode


class Simulator:
    """An API server on a free port of loopback, used as an asynchronous context manager.

    Args:
        api: what it serves.
        tls: makes it speak HTTPS with this context.
        bookmark_seconds: how often a watch gets a bookmark.
        expire_by_status: whether a watch from forgotten history gets HTTP 410 rather than an ERROR event.
    """

    def __init__(
        self,
        api: Api,
        *,
        tls: ssl.SSLContext | None = None,
        bookmark_seconds: float = 60.0,
        expire_by_status: bool = False,
        port: int = 0,
    ) -> None:
        self.api = api
        self.requests: Counter[tuple[str, str, str]] = Counter()
        self.port = port
        self.bookmark_seconds = bookmark_seconds
        self.expire_by_status = expire_by_status
        self._tls = tls
        self._pager = Pager()
        self._runner: web.ServerRunner | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    async def __aenter__(self) -> "Simulator":
        """Begin to answer."""
        self._runner = web.ServerRunner(
            web.Server(self._answer, access_log=None, keepalive_timeout=600), shutdown_timeout=0.1
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=self._tls, backlog=1024)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Close every connection and stop."""
        if self._runner is not None:
            await self._runner.cleanup()

    @asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        """Answer nobody during the block, as if the process had been killed; what is stored stays."""
        await self.__aexit__()
        try:
            yield
        finally:
            await self.__aenter__()

    def written(self, user: str) -> int:
        """Count the requests of a user that ask to change something, leases left out: they don't belong to any job."""
        return sum(
            count
            for (who, verb, resource), count in self.requests.items()
            if who == user and verb in _VERBS.values() and resource != "leases"
        )

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._dispatch(request)
        except ApiError as error:
            return _json(error.body(), error.code)

    async def _dispatch(self, request: web.BaseRequest) -> web.StreamResponse:
        target = route(request.path)
        if target is None:
            return self._own_page(request)
        authorization = request.headers.get("Authorization", "")
        user = authorization.removeprefix("Bearer ") if authorization.startswith("Bearer ") else ANONYMOUS
        user = request.headers.get("Impersonate-User", user)
        query = request.query
        verb = _VERBS.get(request.method)
        if verb is None:
            verb = "get" if target.name else "watch" if query.get("watch") in ("1", "true") else "list"
        self.requests[user, verb, target.resource] += 1
        encode = _metadata_only if _PARTIAL in request.headers.get("Accept", "") else _whole
        if verb == "watch":
            return await self._watch(request, target, encode)
        if verb == "list":
            return _json(self._list(request, target, encode))
        if verb == "get":
            return _json(encode(self.api.get(target.kind, Key(target.namespace, target.name))))
        body = await request.read()
        if verb == "delete":
            return self._delete(request, target, body, user, encode)
        dry_run = query.get("dryRun") == "All"
        if verb == "create" and not target.subresource:
            if target.name:
                return web.Response(status=405)
            stored = self.api.create(target.kind, target.namespace, _object(body), user=user, dry_run=dry_run)
            return _json(encode(stored), 201)
        if not target.name:
            return web.Response(status=405)
        if verb == "create":
            return self._bind(target, body, user)
        stored, created = self.api.update(
            target.kind,
            Key(target.namespace, target.name),
            _change(request, target, body, verb),
            user=user,
            subresource=target.subresource,
            by_put=verb == "update",
            dry_run=dry_run,
        )
        return _json(encode(stored), 201 if created else 200)

    def _own_page(self, request: web.BaseRequest) -> web.Response:
        if request.path in ("/healthz", "/livez", "/readyz"):
            return web.Response(text="ok")
        found = discovery(request.path)
        if found is None:
            return web.Response(text="404 page not found\n", status=404)
        return _json(msgspec.json.encode(found))

    def _bind(self, target: Route, body: bytes, user: str) -> web.Response:
        if target.kind is not POD or target.subresource != "binding":
            return web.Response(status=405)
        binding = _object(body)
        check_place(binding.get("metadata") or {}, namespace=target.namespace, name=target.name)
        key = Key(target.namespace, target.name)
        self.api.update(POD, key, lambda pod: pods.bound(pod, binding), user=user, subresource="binding")
        return _json(b'{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Success","code":201}', 201)

    def _delete(
        self, request: web.BaseRequest, target: Route, body: bytes, user: str, encode: Callable[[Stored], bytes]
    ) -> web.Response:
        if not target.name:
            return web.Response(status=405)
        options = parse_options(body) if body else _options(request)
        stored, gone = self.api.delete(target.kind, Key(target.namespace, target.name), options, user=user)
        if not gone or target.kind in (POD, NAMESPACE):
            return _json(encode(stored))
        details = {"name": target.name, "kind": target.kind.plural, "uid": stored.document["metadata"]["uid"]}
        if target.kind.group:
            details["group"] = target.kind.group
        status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
        return _json(msgspec.json.encode(status))

    def _list(self, request: web.BaseRequest, target: Route, encode: Callable[[Stored], bytes]) -> bytes:
        query = request.query
        limit = _whole_number(query.get("limit", "0"))
        table = self.api.table(target.kind)
        if token := query.get("continue"):
            page = self._pager.next(target.kind, table, token=token, limit=limit)
        else:
            page = self._pager.first(
                target.kind,
                table,
                namespace=target.namespace,
                predicate=_predicate(request, target),
                revision=self.api.revisions.last,
                limit=limit,
            )
        return _list_body(target, page, encode, partial=encode is _metadata_only)

    async def _watch(
        self, request: web.BaseRequest, target: Route, encode: Callable[[Stored], bytes]
    ) -> web.StreamResponse:
        query = request.query
        version = query.get("resourceVersion", "")
        after = _whole_number(version) if version not in ("", "0") else None
        table = self.api.table(target.kind)
        if self.expire_by_status and after is not None and table.position_after(after) is None:
            raise ApiError(410, "Expired", f"too old resource version: {after} ({table.compacted})")
        wanted = WatchRequest(
            kind=target.kind,
            namespace=target.namespace,
            predicate=_predicate(request, target),
            after=after,
            announce_initial_end=query.get("sendInitialEvents") == "true",
            bookmarks=query.get("allowWatchBookmarks") in ("1", "true"),
            bookmark_seconds=self.bookmark_seconds,
            timeout_seconds=float(query.get("timeoutSeconds", "1800")),
        )
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        with suppress(ConnectionError, asyncio.CancelledError):
            async for lines in stream(table, wanted, latest=lambda: self.api.revisions.last, encode=encode):
                if lines:
                    await response.write(lines)
            await response.write_eof()
        return response


def _change(request: web.BaseRequest, target: Route, body: bytes, verb: str) -> Change:
    if verb == "update":
        wanted = _object(body)
        return lambda _: wanted
    content_type = request.headers.get("Content-Type", "").partition(";")[0]
    accepted = [known for known in _PATCHES if not (target.kind.custom and "strategic" in known)]
    if content_type not in accepted:
        raise unsupported_media_type(accepted)
    patched = _PATCHES[content_type]
    # The real one reads the patch only once it has an object to apply it to.
    return lambda current: patched(current, _patch(body, objects_only=patched is not patch.json_patch))


def _patch(body: bytes, *, objects_only: bool) -> Any:
    try:
        found = _decode(body)
    except msgspec.DecodeError as error:
        raise bad_request(f"error decoding patch: {error}") from error
    if objects_only and not isinstance(found, dict):
        raise bad_request("error decoding patch: json: cannot unmarshal into Go value of type map[string]interface {}")
    return found


def _object(body: bytes) -> Document:
    try:
        document = _decode(body)
    except msgspec.DecodeError as error:
        raise bad_request(
            f"the object provided is unrecognized: couldn't get version/kind; json parse error: {error}"
        ) from error
    if not isinstance(document, dict):
        raise bad_request("the object provided is unrecognized: it is no object")
    return document


def _options(request: web.BaseRequest) -> DeleteOptions:
    query = request.query
    grace = query.get("gracePeriodSeconds")
    return DeleteOptions(
        grace_period_seconds=_whole_number(grace) if grace is not None else None,
        propagation_policy=query.get("propagationPolicy"),
        dry_run=tuple(query.getall("dryRun", ())),
    )


def _predicate(request: web.BaseRequest, target: Route) -> Predicate | None:
    query = request.query
    labels, fields = query.get("labelSelector"), query.get("fieldSelector")
    return both(
        label_selector(labels) if labels else None,
        field_selector(fields, fields=target.kind.fields) if fields else None,
    )


def _whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from error


def _whole(stored: Stored) -> bytes:
    return stored.encoded


def _metadata_only(stored: Stored) -> bytes:
    metadata = stored.document["metadata"]
    return msgspec.json.encode({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata})


def _list_body(target: Route, page: Page, encode: Callable[[Stored], bytes], *, partial: bool) -> bytes:
    metadata: dict[str, Any] = {"resourceVersion": str(page.revision), "continue": page.token}
    if page.remaining is not None:
        metadata["remainingItemCount"] = page.remaining
    kind = "PartialObjectMetadata" if partial else target.kind.kind
    version = "meta.k8s.io/v1" if partial else target.kind.api_version
    head = msgspec.json.encode({"kind": f"{kind}List", "apiVersion": version, "metadata": metadata})
    return head[:-1] + b',"items":[' + b",".join(map(encode, page.items)) + b"]}"


def _json(body: bytes, status: int = 200) -> web.Response:
    return web.Response(body=body, status=status, content_type="application/json")
