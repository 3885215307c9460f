"""Cutting a stream of bytes into lines of any length. Pure; used by the client for watches."""

from typing import Final

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
