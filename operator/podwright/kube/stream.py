"""The lines of a watch that is open. Made by the client; read by the reflector."""

from typing import Self

import aiohttp

from podwright.kube.lines import LineSplitter, LineTooLongError
from podwright.kube.responses import NETWORK_ERRORS, Ambiguous, describe


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
