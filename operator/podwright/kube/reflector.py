"""Keeps a `Sink` in step with one collection of the API server: LIST in pages, then WATCH, for ever.

Started by the runtime, one per kind. It survives everything the API server or the network may do, and says in `problem` what
is wrong at the moment. It must not interpret objects, nor decide anything: that is what the sink's owner does.

The list is read consistently (no resourceVersion given), so a list that is older than what was already seen means that the
API server went back in time, as after a restored backup. That is refused until it catches up: the probes see the silence,
and a new process starts from what is there.
"""

import asyncio
import enum
import logging
import random
import time
from collections.abc import Callable
from typing import Any, Final, Generic, Protocol, TypeVar

from podwright.kube.client import ApiClient, Pool
from podwright.kube.codecs.page import EventType, ObjectDecoder, Undecodable, WatchEvent
from podwright.kube.errors import DecodeError, StatusError, parse_status
from podwright.kube.paging import PAGE_SIZE, PageLimit
from podwright.kube.poison import Result, Steps
from podwright.kube.responses import AnswerTooLarge, ApiResponse, ApiUnreachable

View = TypeVar("View")

_TURN_SECONDS: Final = 0.01  # then the loop's other tasks get their turn
_LIST_DEADLINE: Final = 60.0
_WATCH_SECONDS: Final = (290, 590)
_FIRST_DELAY: Final = 0.25
_LONGEST_DELAY: Final = 30.0
_PATIENCE: Final = 5  # failed watches in a row before the list is read anew
_FRUITLESS: Final = 3  # the same for watches that end before they tell anything
_SOUND_SECONDS: Final = 10.0  # a watch that lasted so long had no problem, even if nothing happened

_log = logging.getLogger(__name__)


class Cause(enum.Enum):
    """What keeps a collection from being mirrored at the moment, by kind; `Reflector.problem` has the words."""

    NONE = ""
    UNREACHABLE = "Unreachable"  # no connection, no answer, or a proxy's
    REFUSED = "Refused"  # by the API server, such as for lack of rights
    ENDED = "WatchEnded"
    WENT_BACK = "WentBack"  # it shows an older state than was seen
    UNREADABLE = "Unreadable"  # an answer that makes no sense


class Sink(Protocol[View]):
    """What takes the objects. Called in the loop's thread, one call at a time; must be quick and must not raise."""

    def replaced_in_steps(self, items: list[View | Undecodable], list_resource_version: int) -> Steps[None]:
        """Store all objects there are, however many; the list is the sink's, and may be emptied. What is not among them is gone, unless it is newer than the list.

        Undecodable objects are among them: they exist, so nothing that is known of them may be thrown away.
        """

    def changed(self, item: View) -> None:
        """Store a new or changed object."""

    def deleted(self, item: View | Undecodable) -> None:
        """Record that an object is gone; `item` is its last state."""

    def undecodable(self, item: Undecodable) -> None:
        """Record a new or changed object that cannot be understood."""


class WentBackError(Exception):
    """The API server lists an older state than the one that was already seen."""


class _ListAgain(Exception):  # noqa: N818 - a turn of the control flow, never seen outside
    """The watch cannot go on from where it is."""


class Reflector(Generic[View]):
    """One collection, mirrored; of one namespace, if it has one.

    `synced` is set after the first list; `last_contact`, in monotonic seconds, is when the API server last told something of it.
    """

    def __init__(
        self,
        *,
        client: ApiClient,
        path: str,
        namespace: str = "",
        decoder: ObjectDecoder[Any, View],
        sink: Sink[View],
        label_selector: str = "",
        page_size: int = PAGE_SIZE,
        silence: float = 75.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._path = path
        self.kind = decoder.kind
        self.namespace = namespace
        self._decoder = decoder
        self._sink = sink
        self._selection = {"labelSelector": label_selector} if label_selector else {}
        self._limit = PageLimit(most=page_size)
        self._turn_began = time.monotonic()
        self._silence = silence
        self._clock = clock
        self._failures = 0
        self._watching_since: float | None = None
        self._silent = False
        self.resource_version = 0
        """How far the sink has got."""
        self.synced = asyncio.Event()
        self.last_contact = clock()
        self.problem = ""
        """What is wrong now, in words; empty while all is well."""
        self.cause = Cause.NONE
        self.went_back = False
        """Whether the API server shows an older state than was seen. If that lasts, only a new process helps."""
        self.lists = 0
        """How often all objects were read."""
        self.watches = 0
        """How often a watch was opened."""

    async def run(self) -> None:
        """Mirror the collection until cancelled."""
        listed = False
        while True:
            try:
                if not listed:
                    await self._list()
                    listed = True
                await self._watch()
            except _ListAgain as cause:
                listed = False
                await self._back_off(str(cause), Cause.ENDED)
            except WentBackError as error:
                await self._back_off(str(error), Cause.WENT_BACK)
            except StatusError as error:
                # A watch that is refused for its resourceVersion answers like this as well as within the stream.
                listed = listed and error.code != 410 and self._failures < _PATIENCE
                await self._back_off(f"{self._path}: {error}", Cause.REFUSED, at_least=error.retry_after or 0.0)
            except DecodeError as error:
                listed = listed and self._failures < _PATIENCE
                await self._back_off(f"{self._path}: {error}", Cause.UNREADABLE)
            except ApiUnreachable as error:
                # A watch that fell silent without a word may be one that a proxy holds back: only a list tells.
                listed = listed and self._failures < _PATIENCE and not (self._was_sound() and self._silent)
                await self._back_off(f"{self._path}: {error}", Cause.UNREACHABLE)

    async def _list(self) -> None:
        items: list[View | Undecodable] = []
        token, ahead = "", None
        try:
            while True:
                answer = await (self._answer(token) if ahead is None else ahead)
                if answer.status != 200:
                    # 410 here says that the list took too long for its snapshot; it starts over.
                    raise parse_status(answer.status, answer.body, retry_after=answer.retry_after)
                self.last_contact = self._clock()
                self._limit.received(len(answer.body))
                token = self._decoder.continue_token(answer.body)
                # The API server encodes the next page while we decode this one.
                ahead = asyncio.create_task(self._answer(token)) if token else None
                await asyncio.sleep(0)  # it is sent now
                self._turn_began = time.monotonic()
                page = await self._in_turns(self._decoder.page_in_steps(answer.body))
                items += page.items
                if ahead is None:
                    token = page.continue_token
                    if not token:
                        break
        finally:
            if ahead is not None:
                ahead.cancel()
        self.went_back = page.resource_version < self.resource_version
        if self.went_back:
            raise WentBackError(
                f"{self._path}: the API server lists version {page.resource_version}, but {self.resource_version} was seen "
                "before: it is behind, or was restored from a backup"
            )
        self.lists += 1
        self.resource_version = page.resource_version
        self._turn_began = time.monotonic()
        await self._in_turns(self._sink.replaced_in_steps(items, page.resource_version))
        self.last_contact = self._clock()
        self.synced.set()

    async def _answer(self, token: str) -> ApiResponse:
        """Ask for a page, and for a smaller one while it is too large."""
        while True:
            query = {"limit": str(self._limit.objects), **self._selection}
            if token:
                query["continue"] = token
            try:
                return await self._client.request(
                    "GET",
                    self._path,
                    query=query,
                    deadline=_LIST_DEADLINE,
                    pool=Pool.READ,
                    most_bytes=self._limit.most_bytes,
                )
            except AnswerTooLarge as error:
                self._limit.received(error.size)

    async def _watch(self) -> None:
        query = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": str(self.resource_version),
            "timeoutSeconds": str(random.randint(*_WATCH_SECONDS)),
            **self._selection,
        }
        handled = 0
        self._turn_began = time.monotonic()
        async with self._client.open_stream(self._path, query, silence=self._silence) as stream:
            # Being let in is no news yet: that something comes through, only a line proves.
            self._watching_since, self._silent = self._clock(), True
            self.watches += 1
            self.problem, self.cause = "", Cause.NONE
            async for lines in stream:
                self.last_contact, self._silent = self._clock(), False
                self._turn_began = time.monotonic()
                for line in lines:
                    event = self._decoder.usual_event(line)
                    if event is None:
                        event = await self._in_turns(self._decoder.unusual_event_in_steps(line))
                    self._take(event)
                    handled += 1
                    if time.monotonic() - self._turn_began >= _TURN_SECONDS:
                        await self._end_turn()
        if not handled and not self._was_sound():
            problem = f"{self._path}: the watch ended at once"
            if self._failures + 1 >= _FRUITLESS:
                # A loaded API server drops watches that it can't feed quickly enough, and the longer we wait the more
                # there is to feed. A list gets over all of it.
                raise _ListAgain(problem)
            # Some proxies end streams at once; without a pause this would be a hot loop.
            await self._back_off(problem, Cause.ENDED)

    async def _in_turns(self, steps: Steps[Result]) -> Result:
        """Do all steps, and let the loop's other tasks have their turn between."""
        while True:
            try:
                next(steps)
            except StopIteration as end:
                result: Result = end.value
                return result
            if time.monotonic() - self._turn_began >= _TURN_SECONDS:
                await self._end_turn()

    async def _end_turn(self) -> None:
        await asyncio.sleep(0)
        self._turn_began = time.monotonic()

    def _take(self, event: WatchEvent[View]) -> None:
        item = event.item
        if event.type is EventType.CHANGED:
            if isinstance(item, Undecodable):
                self._sink.undecodable(item)
            elif item is not None:
                self._sink.changed(item)
        elif event.type is EventType.DELETED and item is not None:
            self._sink.deleted(item)
        elif event.type is EventType.ERROR:
            raise _ListAgain(f"{self._path}: the watch ended: {event.error}")
        # Old events may be repeated after a reconnection; they must not turn the watch back.
        self.resource_version = max(self.resource_version, event.resource_version)
        self._failures = 0

    def _was_sound(self) -> bool:
        since = self._watching_since
        return since is not None and self._clock() - since >= _SOUND_SECONDS

    async def _back_off(self, problem: str, cause: Cause, *, at_least: float = 0.0) -> None:
        """Wait before the next try: doubling up to half a minute, half of it random so that replicas spread."""
        if self._was_sound():
            self._failures = 0
        self._watching_since = None
        ceiling = min(_LONGEST_DELAY, _FIRST_DELAY * 2.0 ** min(self._failures, 16))
        self._failures += 1
        if problem != self.problem:
            _log.warning("%s", problem)
        self.problem, self.cause = problem, cause
        await asyncio.sleep(max(at_least, ceiling * random.uniform(0.5, 1.0)))
