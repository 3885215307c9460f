"""One connection to the API server for one command: requests and streams, with every failure explained.

It uses the operator's credentials and TLS context, over a connection pool of urllib3, since commands wait for one answer at a time.
Objects are shown as they are. Not for several threads.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlencode

import podwright
from podwright.cli.errors import CommandError
from podwright.cli.failures import BrokenStreamError, Unreachable, unreachable, words_of
from podwright.cli.kubeconfig import find_credentials
from podwright.kube.errors import StatusError, parse_status

if TYPE_CHECKING:
    from podwright.kube.access import Access

JSON: Final = "application/json"
MERGE_PATCH: Final = "application/merge-patch+json"
TABLE: Final = "application/json;as=Table;v=v1;g=meta.k8s.io"
METADATA_LIST: Final = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
_CONNECT_SECONDS: Final = 10.0
_ANSWER_SECONDS: Final = 60.0
_THROTTLED_TRIES: Final = 6
_CHUNK: Final = "500"
_DEEPEST_JSON: Final = 12_000  # an API server takes 10,000
_DEEPEST_SHOWN: Final = 200
TOO_DEEP: Final = "(cut off: nested too deeply to be shown)"

Object = dict[str, Any]


class CommandCredentials(Protocol):
    """What a connection asks for."""

    @property
    def access(self) -> Access:
        """Return the present credentials."""
        ...

    def refresh(self) -> None:
        """Get fresh ones.

        Raises:
            CredentialsError: there are none.
        """
        ...


class Connection:
    """The API server of one context."""

    def __init__(self, credentials: CommandCredentials) -> None:
        self._credentials = credentials
        self.server = credentials.access.server
        self.namespace = credentials.access.namespace or "default"
        self.clock_offset = 0.0
        """Seconds by which the API server's clock is ahead of ours, as its last response said."""
        self._pool = self._opened()

    @classmethod
    def open(cls, *, kubeconfig: str | None, context: str | None) -> Connection:
        """Find the cluster that the user means. Nothing is sent yet."""
        return cls(find_credentials(kubeconfig=kubeconfig, context=context))

    def another(self) -> Connection:
        """Open a connection of its own to the same cluster, for another thread."""
        return Connection(self._credentials)

    def get(self, path: str, query: Mapping[str, str] | None = None, *, accept: str = JSON) -> Object:
        """Read something.

        Raises:
            StatusError: the API server refused.
            Unreachable: it gave no answer, twice.
        """
        try:
            return self.request("GET", path, query=query, accept=accept)
        except Unreachable:
            return self.request("GET", path, query=query, accept=accept)

    def read_all(self, path: str, query: Mapping[str, str], *, accept: str = JSON) -> list[Object]:
        """Read a whole collection, some hundred objects at a time; return the responses. Empty parts of the query don't count.

        Raises:
            StatusError: the API server refused.
            Unreachable: it gave no answer, twice.
        """
        chosen = {name: value for name, value in query.items() if value}
        page = {"limit": _CHUNK}
        answers: list[Object] = []
        while True:
            try:
                answer = self.get(path, chosen | page, accept=accept)
            except StatusError as error:
                if error.code != 410 or "continue" not in page:
                    raise
                # We were too slow: what the rest belongs to is forgotten. In one piece it can't happen again.
                answers, page = [], {}
                continue
            answers.append(answer)
            following = (answer.get("metadata") or {}).get("continue")
            if not following:
                return answers
            page["continue"] = following

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
        content_type: str = JSON,
        accept: str = JSON,
    ) -> Object:
        """Send a request and read the answer. It is sent again only if the server said that it was too busy to take it.

        Raises:
            StatusError: the API server refused.
            Unreachable: it gave no full answer.
        """
        content = None if body is None else json.dumps(body).encode()
        for attempt in range(_THROTTLED_TRIES):
            response = self._send(
                method, path, query, content=content, headers={"Accept": accept, "Content-Type": content_type}
            )
            with _closing(response):
                raw = self._read(response, method=method, path=path)
            self._compare_clocks(response)
            if response.status < 300:
                return self._decode(raw, path=path)
            error = parse_status(response.status, raw, retry_after=_retry_after(response))
            if error.code != 429 or attempt == _THROTTLED_TRIES - 1:
                raise error
            time.sleep(min(error.retry_after or 1.0, 10.0))
        raise AssertionError("not reached")

    @contextlib.contextmanager
    def stream(
        self, path: str, query: Mapping[str, str] | None = None, *, silence: float | None = None, accept: str = JSON
    ) -> Iterator[Iterator[bytes]]:
        """Open a stream and return its bytes as they come, in pieces of any size.

        `silence` is the number of seconds without a byte after which it counts as broken; None for never.

        Raises:
            StatusError: the API server refused.
            Unreachable: it could not be reached.
            BrokenStreamError: while iterating, the stream broke off.
        """
        response = self._send("GET", path, query, content=None, headers={"Accept": accept}, silence=silence)
        with _closing(response):
            if response.status >= 300:
                raise parse_status(response.status, self._read(response, method="GET", path=path))
            yield _pieces(response)

    def _opened(self) -> Any:
        from podwright.cli.pool import opened_pool
        from podwright.kube.access import CredentialsError

        try:
            return opened_pool(self._credentials.access)
        except (CredentialsError, OSError, ValueError) as error:
            raise CommandError(f"Cannot connect to {self.server}: {error}") from error

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        *,
        content: bytes | None,
        headers: dict[str, str],
        silence: float | None = _ANSWER_SECONDS,
    ) -> Any:
        """Send a request; once more if new credentials can be had for those that were refused, as when a plugin's token has expired."""
        response = self._send_once(method, path, query, content=content, headers=headers, silence=silence)
        if response.status == 401 and self._renewed():
            response.close()
            response = self._send_once(method, path, query, content=content, headers=headers, silence=silence)
        return response

    def _renewed(self) -> bool:
        from podwright.kube.access import CredentialsError

        refused = self._credentials.access
        try:
            self._credentials.refresh()
        except CredentialsError as error:
            raise CommandError(f"Cannot get credentials for {self.server}: {error}") from error
        if self._credentials.access == refused:
            return False
        self._pool = self._opened()
        return True

    def _send_once(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        *,
        content: bytes | None,
        headers: dict[str, str],
        silence: float | None,
    ) -> Any:
        import urllib3

        url = f"{self.server}{path}?{urlencode(query)}" if query else self.server + path
        try:
            return self._pool.request(
                method,
                url,
                body=content,
                headers=headers | {"User-Agent": f"podwright/{podwright.__version__}"} | self._authorization(),
                timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=silence),
                retries=False,
                redirect=False,
                preload_content=False,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise unreachable(self.server, error) from error

    def _compare_clocks(self, response: Any) -> None:
        with contextlib.suppress(ValueError, TypeError):
            self.clock_offset = parsedate_to_datetime(response.headers.get("Date")).timestamp() - time.time()

    def _authorization(self) -> dict[str, str]:
        access = self._credentials.access
        value = f"Bearer {access.token}" if access.token else access.authorization
        return {"Authorization": value} if value else {}

    def _read(self, response: Any, *, method: str, path: str) -> bytes:
        import urllib3

        try:
            raw: bytes = response.read()
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unreachable(
                f"The answer of {self.server} to {method} {path} broke off: {words_of(error)}.", sent=True
            ) from error
        return raw

    def _decode(self, raw: bytes, *, path: str) -> Object:
        try:
            found = json.loads(raw)
        except RecursionError:
            found = _without_depths(raw)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise CommandError(
                f"{self.server} answered {path} with something other than JSON.",
                remedy="Is that a Kubernetes API server? Check with `kubectl cluster-info`.",
            )
        return found


@contextlib.contextmanager
def _closing(response: Any) -> Iterator[None]:
    try:
        yield
    except BaseException:
        response.close()  # in the middle of an answer: the connection can't serve another request
        raise
    else:
        response.release_conn()


def _pieces(response: Any) -> Iterator[bytes]:
    import urllib3

    try:
        yield from response.stream(amt=1 << 16)
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise BrokenStreamError(words_of(error)) from error


def lines_of(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Cut a stream into lines, without their ends. What follows the last line break comes last."""
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole
    if rest:
        yield rest


def _without_depths(raw: bytes) -> Any:
    """Read JSON that is nested deeper than Python allows, and cut it off where nobody reads on."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(limit + _DEEPEST_JSON)
    try:
        found = json.loads(raw)
    finally:
        sys.setrecursionlimit(limit)
    return _cut(found, _DEEPEST_SHOWN)


def _cut(value: Any, levels: int) -> Any:
    if not isinstance(value, dict | list):
        return value
    if not levels:
        return TOO_DEEP
    if isinstance(value, list):
        return [_cut(each, levels - 1) for each in value]
    return {key: _cut(each, levels - 1) for key, each in value.items()}


def is_whole(value: Any, levels: int = 250) -> bool:
    """Return whether nothing of an object was cut off because it is nested too deeply."""
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return levels > 0 and all(is_whole(each, levels - 1) for each in inner)
    return bool(value != TOO_DEEP)


def _retry_after(response: Any) -> float | None:
    text = response.headers.get("Retry-After")
    return float(text) if text is not None and text.isascii() and text.isdigit() else None
