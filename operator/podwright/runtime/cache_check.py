"""Which objects of a kind the cache surely has in their newest version, found out once at the beginning of a term.

Until then a new leader's cache may lag behind what the former one did last, and nothing may be started on it (ADR 0003). One list of
metadata tells for all objects, by far cheaper for the API server than to read each of them; whoever wants to start something
before it is there waits for it, but not for long: pages come in the order of namespaces, and those of one tenant may be slow. What it
doesn't confirm in time is read alone. Used by the dispatcher; made once per controller.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from podwright.core.values.ref import Ref
from podwright.kube.codecs.answer import decode_version_page
from podwright.kube.codecs.requests import list_versions
from podwright.kube.errors import DecodeError
from podwright.kube.paging import PageLimit
from podwright.runtime.leader_term import LeaderTerm
from podwright.runtime.pages import read_page
from podwright.runtime.writer import Send

PATIENCE: Final = 2.0
"""Seconds from its beginning for which others wait for the check."""

_log = logging.getLogger(__name__)


class CacheCheck:
    """The check of one kind.

    `paths` are the collections to list, `selector` a field selector for the objects that may still start something. `version_of`
    returns the version that the store has of a uid, None if it has none.
    """

    def __init__(
        self,
        *,
        kind: str,
        send: Send,
        paths: Callable[[], Iterable[str]],
        version_of: Callable[[str], int | None],
        mark: Callable[[Ref], None],
        selector: str = "",
    ) -> None:
        self._kind = kind
        self._send = send
        self._paths = paths
        self._selector = selector
        self._version_of = version_of
        self._mark = mark
        self._epoch = -1
        self._confirmed: set[str] = set()
        self._waiting: set[str] = set()
        self._running: asyncio.Task[None] | None = None
        self._patience: asyncio.TimerHandle | None = None  # while others wait for the check

    def begin(self, term: LeaderTerm) -> None:
        """Start the check of a term, which has begun before this is called."""
        if self._running is not None:
            self._running.cancel()
        if self._patience is not None:
            self._patience.cancel()
        self._epoch = term.epoch
        self._confirmed.clear()
        self._patience = asyncio.get_running_loop().call_later(PATIENCE, self._wait_no_longer)
        self._running = asyncio.create_task(self._run(term.baseline), name=f"check of the cache of {self._kind}")

    def has_confirmed(self, uid: str, term: LeaderTerm) -> bool:
        """Return whether the cache has an object as it was when the term began, or newer."""
        return term.epoch == self._epoch and uid in self._confirmed

    def waits(self, ref: Ref, term: LeaderTerm) -> bool:
        """Have an object marked once the check tells of it; False if it has told all that it can, or takes too long."""
        if self._patience is None or term.epoch != self._epoch:
            return False
        self._waiting.add(ref.uid)
        return True

    async def _run(self, baseline: int) -> None:
        try:
            for path in self._paths():
                await self._list(path, baseline=baseline)
        except Exception as error:
            # Whatever went wrong: objects are read one by one then.
            _log.warning("cannot list the versions of %s objects: %s", self._kind, error)
        finally:
            if self._running is asyncio.current_task():
                self._running = None
                self._wait_no_longer()

    async def _list(self, path: str, *, baseline: int) -> None:
        limit = PageLimit()
        token = ""
        while True:
            request = partial(list_versions, path=path, selector=self._selector, continue_token=token)
            versions, listed_at, token = decode_version_page(await read_page(self._send, request, limit=limit))
            if listed_at < baseline:
                raise DecodeError(f"the list is of version {listed_at}, older than the term, which began at {baseline}")
            same = {uid for uid, version in versions.items() if self._version_of(uid) == version}
            self._confirmed |= same
            self._wake(self._waiting & same)
            if not token:
                return

    def _wait_no_longer(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        self._wake(set(self._waiting))

    def _wake(self, uids: set[str]) -> None:
        self._waiting -= uids
        for uid in uids:
            self._mark(Ref(self._kind, uid))
