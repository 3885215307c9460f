"""What can go wrong with a request: each action wraps the forwarding of one, or the lines of one watch.

Actions are given to the proxy in rules that say which requests they meet. They hold no state of the operator.
"""

import asyncio
import enum
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
from typing_extensions import override

from tests.faults.history import Exchange

Forward = Callable[[], Awaitable["Reply"]]
Lines = AsyncIterator[bytes]


class Reply(msgspec.Struct, kw_only=True):
    """An answer on its way to the operator. With `cut` only that many bytes of the body are sent before the connection ends."""

    status: int
    headers: dict[str, str]
    body: bytes
    cut: int | None = None
    after: Callable[[], None] | None = None
    """Called once the operator has been sent all of it."""


class HangUp(Exception):  # noqa: N818 - a turn of the control flow, caught by the proxy
    """End the operator's connection without an answer."""


class Action:
    """Does nothing; the others change one of these."""

    async def reply(self, exchange: Exchange, forward: Forward) -> Reply:
        """Return the answer to a request other than a watch."""
        return await forward()

    def opening(self, exchange: Exchange) -> Reply | None:
        """Return the answer to a watch that is refused, or None to open it."""
        return None

    def lines(self, exchange: Exchange, lines: Lines) -> Lines:
        """Return the lines of a watch."""
        return lines


class Delay(Action):
    """The request reaches the API server late."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    @override
    async def reply(self, exchange: Exchange, forward: Forward) -> Reply:
        """Wait, then forward."""
        await asyncio.sleep(self._seconds)
        return await forward()


class Answer(Action):
    """The request is refused on its way; the API server never sees it."""

    def __init__(
        self, status: int, *, reason: str = "", message: str = "injected", retry_after: int | None = None
    ) -> None:
        self._status = status
        self._headers = {"Content-Type": "application/json"}
        if retry_after is not None:
            self._headers["Retry-After"] = str(retry_after)
        self._body = _status_body(status, reason, message)

    @override
    async def reply(self, exchange: Exchange, forward: Forward) -> Reply:
        """Refuse."""
        return self.opening(exchange)

    @override
    def opening(self, exchange: Exchange) -> Reply:
        """Refuse a watch likewise."""
        return Reply(status=self._status, headers=dict(self._headers), body=self._body)


class AnswerAfterwards(Answer):
    """The API server executes the request, but the operator is told that it failed (a timeout on the way back)."""

    @override
    async def reply(self, exchange: Exchange, forward: Forward) -> Reply:
        """Forward, then lie."""
        await forward()
        return await super().reply(exchange, forward)


class Drop(Action):
    """The connection ends before the request is sent on."""

    @override
    async def reply(self, exchange: Exchange, forward: Forward) -> Reply:
        """Hang up."""
        raise HangUp

    @override
    def opening(self, exchange: Exchange) -> Reply | None:
        """Hang up on a watch likewise."""
        raise HangUp


class DropReply(Action):
    """The API server executes the request, and the connection ends before the operator learns of it."""

    @override
    async def reply(self, exchange: Exchange, forward: Forward) -> Reply:
        """Forward, then hang up."""
        await forward()
        raise HangUp


class Truncate(Action):
    """Only the first part of the answer arrives."""

    def __init__(self, share: float = 0.5) -> None:
        self._share = share

    @override
    async def reply(self, exchange: Exchange, forward: Forward) -> Reply:
        """Forward, then cut."""
        reply = await forward()
        reply.cut = int(len(reply.body) * self._share)
        return reply


class Hold(Action):
    """Requests, and the lines of watches, wait until `release` is called: a network that is slow, or a half-open watch."""

    def __init__(self) -> None:
        self._released = asyncio.Event()
        self.holding = 0

    def release(self) -> None:
        """Let everything through from now on."""
        self._released.set()

    @override
    async def reply(self, exchange: Exchange, forward: Forward) -> Reply:
        """Wait, then forward."""
        self.holding += 1
        await self._released.wait()
        self.holding -= 1
        return await forward()

    @override
    async def lines(self, exchange: Exchange, lines: Lines) -> Lines:
        """Pass lines on only once released; the connection stays open without a byte."""
        async for line in lines:
            self.holding += 1
            await self._released.wait()
            self.holding -= 1
            yield line


class EndWatch(Action):
    """The watch ends after some lines: cleanly, with an ERROR event, or by a broken connection."""

    def __init__(self, *, after: int = 0, code: int | None = None, hang_up: bool = False) -> None:
        self._after = after
        self._code = code
        self._hang_up = hang_up

    @override
    async def lines(self, exchange: Exchange, lines: Lines) -> Lines:
        """Pass the first lines on, then end."""
        passed = 0
        while passed < self._after:
            try:
                yield await anext(lines)
            except StopAsyncIteration:
                return
            passed += 1
        if self._code is not None:
            reason = "Expired" if self._code == 410 else "InternalError"
            status = _status_body(self._code, reason, "injected").decode()
            yield f'{{"type":"ERROR","object":{status}}}\n'.encode()
        if self._hang_up:
            raise HangUp


class EditEvents(Action):
    """Events of a watch are dropped, doubled or changed: `edit` gives what to send in place of each."""

    def __init__(self, edit: Callable[[dict[str, Any]], list[dict[str, Any]]]) -> None:
        self._edit = edit

    @override
    async def lines(self, exchange: Exchange, lines: Lines) -> Lines:
        """Send what `edit` says."""
        async for line in lines:
            for event in self._edit(msgspec.json.decode(line)):
                yield msgspec.json.encode(event) + b"\n"


class Replay(Action):
    """Answers a GET as it was answered before: what an API server with an old cache, or a restored one, would do."""

    def __init__(self) -> None:
        self._taken: dict[tuple[str, str, str, str], Reply] = {}
        self.replaying = False
        self.replayed = 0

    @override
    async def reply(self, exchange: Exchange, forward: Forward) -> Reply:
        """Remember answers while not replaying; then repeat them where there are any."""
        key = (exchange.resource, exchange.namespace, exchange.name, exchange.query)
        if self.replaying and key in self._taken:
            self.replayed += 1
            known = self._taken[key]
            return Reply(status=known.status, headers=dict(known.headers), body=known.body)
        reply = await forward()
        if not self.replaying:
            self._taken[key] = reply
        return reply


class Moment(enum.StrEnum):
    """When, around one request, the operator is killed."""

    BEFORE_SEND = "before it is sent"
    SENT_NO_REPLY = "sent, no reply"
    AFTER_REPLY = "after the reply"


class Kill(Action):
    """SIGKILL for the operator at one moment around the request."""

    def __init__(self, kill: Callable[[], None], moment: Moment) -> None:
        self._kill = kill
        self._moment = moment
        self.victim: Exchange | None = None

    @override
    async def reply(self, exchange: Exchange, forward: Forward) -> Reply:
        """Forward and kill, in the order that the moment asks for."""
        self.victim = exchange
        if self._moment is Moment.BEFORE_SEND:
            self._kill()
            raise HangUp
        reply = await forward()
        if self._moment is Moment.SENT_NO_REPLY:
            self._kill()
            raise HangUp
        reply.after = self._kill
        return reply


def _status_body(code: int, reason: str, message: str) -> bytes:
    status = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "code": code,
    }
    return msgspec.json.encode({**status, "reason": reason} if reason else status)


class Randomly(Action):
    """Holds every request up for a while that `draw` gives: requests of several operators interleave in ever new ways."""

    def __init__(self, draw: Callable[[], float]) -> None:
        self._draw = draw

    @override
    async def reply(self, exchange: Exchange, forward: Forward) -> Reply:
        """Wait, forward, wait."""
        await asyncio.sleep(self._draw())
        reply = await forward()
        await asyncio.sleep(self._draw())
        return reply

    @override
    async def lines(self, exchange: Exchange, lines: Lines) -> Lines:
        """Let events come late, in order."""
        async for line in lines:
            await asyncio.sleep(self._draw())
            yield line
