"""What a full list says about what is stored: what it lacks is gone, unless it is newer than the list.

Lists have as many objects as users make, so they are stored in steps, between which others have their turn. What is decided meanwhile
is decided as beside a watch that is a little behind: each object only moves forward.
"""

from collections.abc import Callable, Collection, Generator, Iterable, Sequence
from typing import Protocol, TypeVar


class Listed(Protocol):
    """What is stored of any object."""

    @property
    def uid(self) -> str:
        """Return its uid."""
        ...

    @property
    def namespace(self) -> str:
        """Return its namespace."""
        ...

    @property
    def resource_version(self) -> int:
        """Return its version."""
        ...


L = TypeVar("L", bound=Listed)


def replace_in_steps(
    items: Iterable[L],
    *,
    put: Callable[[L], None],
    known: Callable[[], Iterable[L]],
    remove: Callable[[L], None],
    list_version: int,
    also_present: Collection[str],
    namespace: str,
) -> Generator[None, None, None]:
    """Store a full list, and pause after each object.

    Args:
        items: the objects in it.
        put: stores one of them.
        known: returns what is stored.
        remove: records that a stored one is gone.
        list_version: the list's resourceVersion.
        also_present: uids that are in the list, but not in `items`, since nothing else of them can be understood.
        namespace: the namespace that was listed, or "" for all.
    """
    listed = set(also_present)
    for item in items:
        listed.add(item.uid)
        put(item)
        yield
    for gone in vanished(known(), listed=listed, list_version=list_version, namespace=namespace):
        remove(gone)
        yield


def vanished(known: Iterable[L], *, listed: Collection[str], list_version: int, namespace: str) -> Sequence[L]:
    """Return the stored objects that are gone.

    Args:
        known: what is stored.
        listed: the uids in the list, those that can't be read included.
        list_version: the list's resourceVersion.
        namespace: the namespace that was listed, or "" for all.
    """
    return [
        one
        for one in known
        if one.uid not in listed and one.resource_version <= list_version and namespace in ("", one.namespace)
    ]
