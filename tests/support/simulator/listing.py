"""Chunked lists: the pages of one list show one moment, however long the client takes between them."""

import base64
import binascii
import itertools
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

import msgspec

from tests.support.simulator.errors import bad_request, expired
from tests.support.simulator.kinds import Kind
from tests.support.simulator.selectors import Predicate
from tests.support.simulator.storage import Stored, Table

_KEPT: Final = 1000


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """One answer to a LIST. `remaining` is unknown (None) where a selector is given, as the real one does not count."""

    revision: int
    items: Sequence[Stored]
    token: str = ""
    remaining: int | None = None


class _Rest(msgspec.Struct, frozen=True):
    kind: Kind
    revision: int
    items: Sequence[Stored]
    predicate: Predicate | None


class Pager:
    """Keeps what is left of lists that were begun, until it is fetched, compacted, or too many others were begun."""

    def __init__(self) -> None:
        self._rests: OrderedDict[int, _Rest] = OrderedDict()
        self._numbers = itertools.count(1)

    def first(
        self, kind: Kind, table: Table, *, namespace: str, predicate: Predicate | None, revision: int, limit: int
    ) -> Page:
        """Begin a list; a limit of 0 gives all of it."""
        keys = sorted(key for key in table.objects if namespace in ("", key.namespace))
        return self._page(_Rest(kind, revision, [table.objects[key] for key in keys], predicate), limit=limit)

    def next(self, kind: Kind, table: Table, *, token: str, limit: int) -> Page:
        """Go on with a list.

        Raises:
            ApiError: 400 if the token was not given by this server, 410 if it is too old.
        """
        try:
            number = int(base64.urlsafe_b64decode(token))
        except (ValueError, binascii.Error) as error:
            raise bad_request(f"invalid continue token: continue key is not valid: {error}") from error
        rest = self._rests.get(number)
        if rest is None or rest.kind is not kind or rest.revision < table.compacted:
            raise expired("The provided continue parameter is too old to display a consistent list result.")
        return self._page(rest, limit=limit)

    def _page(self, rest: _Rest, *, limit: int) -> Page:
        """Fill a page. As with etcd, what is left is not looked at: the page after it may turn out empty."""
        found: list[Stored] = []
        used = 0
        for stored in rest.items:
            used += 1
            if rest.predicate is None or rest.predicate(stored.document):
                found.append(stored)
                if len(found) == limit:
                    break
        if used == len(rest.items):
            return Page(revision=rest.revision, items=found)
        number = next(self._numbers)
        self._rests[number] = msgspec.structs.replace(rest, items=rest.items[used:])
        if len(self._rests) > _KEPT:
            self._rests.popitem(last=False)
        token = base64.urlsafe_b64encode(str(number).encode()).decode()
        remaining = len(rest.items) - used if rest.predicate is None else None
        return Page(revision=rest.revision, items=found, token=token, remaining=remaining)
