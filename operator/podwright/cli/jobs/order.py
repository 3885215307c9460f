"""In which order jobs are listed. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from podwright.cli.errors import MisuseError
from podwright.cli.jsonpath import select

Key = Callable[[Mapping[str, Any]], tuple[Any, ...]]

NEWEST_FIRST: Final = "age"
_PATHS: Final = {
    "name": ".metadata.name",
    "created": ".metadata.creationTimestamp",
    "phase": ".status.phase",
    "reason": ".status.reason",
    "priority": ".spec.priority",
    "attempts": ".status.attemptCount",
    "started": ".status.startTime",
    "finished": ".status.finishTime",
}


def needs_objects(sort_by: str) -> bool:
    """Return whether more than the metadata of jobs is needed to sort them."""
    return not _path(sort_by).startswith(".metadata.")


def in_order(items: list[dict[str, Any]], sort_by: str) -> list[dict[str, Any]]:
    """Return objects in order: `age` is the newest first, other keys and JSON paths are ascending, as in kubectl.

    Raises:
        MisuseError: there is no such key.
    """
    path = _path(sort_by)
    by_name = sorted(items, key=lambda item: str((item.get("metadata") or {}).get("name")))
    return sorted(by_name, key=lambda item: _rank(select(path, item)), reverse=sort_by == NEWEST_FIRST)


def _path(sort_by: str) -> str:
    text = sort_by.strip().removeprefix("{").removesuffix("}")
    if sort_by == NEWEST_FIRST:
        return _PATHS["created"]
    if text in _PATHS:
        return _PATHS[text]
    if text.startswith("."):
        return text
    raise MisuseError(
        f"--sort-by {sort_by!r} is not known.",
        remedy=f"Use {NEWEST_FIRST}, {', '.join(_PATHS)}, or a path such as .status.phase",
    )


def _rank(found: list[Any]) -> tuple[int, float, str]:
    """Make values of any type comparable; what has none comes last."""
    if not found or found[0] is None:
        return (2, 0.0, "")
    if isinstance(found[0], int | float):
        return (0, float(found[0]), "")
    return (1, 0.0, str(found[0]))
