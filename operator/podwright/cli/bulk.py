"""Acting on many jobs: which ones are meant, how fast, and whether the user really wants it."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

from podwright.cli.connection import Object
from podwright.cli.errors import CommandError, MisuseError
from podwright.cli.job_client import JobClient

_RATE: Final = re.compile(r"([0-9]{1,5})(?:/([sm]))?")

Item = TypeVar("Item")


def chosen(
    client: JobClient, names: Sequence[str], *, selector: str, fields: str = "", every: bool = False
) -> list[Object]:
    """Read the jobs that are named, or else those that are selected.

    Raises:
        CommandError: none or both ways are used, or a named one doesn't exist.
    """
    selected = bool(selector or fields or every)
    if names and (selected or client.everywhere):
        raise MisuseError("Give either names or selectors, not both.")
    if not names and not selected:
        raise MisuseError("Which jobs? Give names, or a selector such as --selector=team=finance.")
    if names:
        return [client.read(name) for name in dict.fromkeys(names)]
    return client.all(selector=selector, fields=fields)


def parse_rate(text: str) -> float:
    """Read `10/s`, `30/m` or `10` as seconds between two.

    Raises:
        CommandError: it is no rate.
    """
    match = _RATE.fullmatch(text)
    if match is None or int(match[1]) == 0:
        raise MisuseError(f"{text!r} is not a rate: write a number of at least 1 with /s or /m, such as 10/s.")
    return (60.0 if match[2] == "m" else 1.0) / int(match[1])


def paced(
    items: Sequence[Item],
    *,
    gap: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Item]:
    """Return the items one after the other, at least `gap` seconds from one to the next; the first comes at once."""
    due = clock()
    for item in items:
        if (wait := due - clock()) > 0:
            sleep(wait)
        # From now, not from when it was due: what was slow is not caught up with in a burst.
        due = max(due, clock()) + gap
        yield item


def confirm(question: str, *, yes: bool) -> None:
    """Ask on a terminal; without one only `--yes` is a yes.

    Raises:
        CommandError: it is not wanted, or nobody can be asked.
    """
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise CommandError(
            f"{question} There is no terminal to ask on.", remedy="Add --yes, or look first with --dry-run."
        )
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise CommandError("Nothing was done.")
