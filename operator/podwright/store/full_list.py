"""What a full list says about what is stored: what it lacks is gone, unless it is newer than the list."""

from collections.abc import Collection, Iterable, Sequence
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
