"""The lines of a watch that is open: cut from its bytes, of any length. Made by the client; read by the reflector."""

from typing import Final, Self

import aiohttp

from podwright.kube.responses import NETWORK_ERRORS, Ambiguous, describe

LINE_LIMIT: Final = 32 << 20
"""Bytes. Objects are limited to a twentieth of it by etcd, so only a broken server sends more without a line end."""


class LineTooLongError(ValueError):
    """A line did not end within the limit."""


class LineSplitter:
    """Collects chunks until they end lines. Memory: the unfinished line only."""

    def __init__(self, *, limit: int = LINE_LIMIT) -> None:
        self._limit = limit
        self._pending: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the lines that the next chunk completes, without line ends and empty lines.

        Raises:
            LineTooLongError: the unfinished line is longer than the limit.
        """
        end = chunk.rfind(b"\n")
        if end < 0:
            self._keep(chunk)
            return []
        head = chunk[:end]
        if self._pending:
            # Joined only once, so that a long line costs no more per byte than a short one.
            self._pending.append(head)
            head = b"".join(self._pending)
            self._pending.clear()
            self._size = 0
        if end + 1 < len(chunk):
            self._keep(chunk[end + 1 :])
        return [line for line in head.split(b"\n") if line]

    def _keep(self, part: bytes) -> None:
        self._pending.append(part)
        self._size += len(part)
        if self._size > self._limit:
            raise LineTooLongError(f"a line is longer than {self._limit} bytes")


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
            except (*NETWORK_ERRORS, LineTooLongError) as error:
                raise Ambiguous(f"the stream {self._response.url.path} broke off: {describe(error)}") from error
            if lines:
                return lines
            if not chunk:
                raise StopAsyncIteration
