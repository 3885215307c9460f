"""An answer of the API server, or what is known where there is none: whether the request may have been executed.

Made by the client; read by the writer, the leases and the reflector, which act on the difference. Must not judge what a status means.
"""

from typing import Final

import aiohttp
import msgspec
from yarl import URL

from podwright.kube.errors import LONGEST_RETRY_AFTER


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


class ApiResponse(msgspec.Struct, frozen=True, gc=False):
    """An answer, whatever its status. `retry_after` in seconds, if the server named a time."""

    status: int
    body: bytes
    retry_after: float | None = None


NETWORK_ERRORS: Final = (aiohttp.ClientError, OSError, TimeoutError)
"""What the HTTP library raises where an answer is missing or incomplete."""


def was_closed(error: Exception) -> bool:
    """Return whether a connection was closed instead of an answer, as one is that was kept for too long."""
    if isinstance(error, aiohttp.ClientConnectorError | TimeoutError):
        return False
    return isinstance(error, aiohttp.ServerDisconnectedError | OSError)


def unreachable(method: str, url: URL, error: Exception) -> ApiUnreachable:
    """Return what an error of the network says about the request: surely not executed, or unknown."""
    message = f"{method} {url.path}: {describe(error)}"
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return Unsent(message)
    return Ambiguous(message)


def describe(error: Exception) -> str:
    """Return an error's message, or its type where it has none."""
    return str(error) or type(error).__name__


def retry_after(response: aiohttp.ClientResponse) -> float | None:
    """Return `Retry-After` in seconds, within bounds; the API server never uses its other form, a date."""
    text = response.headers.get("Retry-After")
    return min(float(text), LONGEST_RETRY_AFTER) if text is not None and text.isascii() and text.isdigit() else None


async def read_at_most(response: aiohttp.ClientResponse, most: int) -> bytes:
    """Read an answer of `most` bytes.

    Raises:
        AnswerTooLarge: it has more; its connection is closed.
    """
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


async def read_rest(response: aiohttp.ClientResponse) -> bytes:
    """Read what there is of a refusal: its status alone says enough."""
    try:
        return await response.read()
    except NETWORK_ERRORS:
        return b""
