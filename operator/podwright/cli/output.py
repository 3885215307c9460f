"""How objects and news are printed: results on standard output, remarks on standard error."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from podwright.cli.connection import Object
from podwright.cli.errors import CommandError
from podwright.cli.failures import Unreachable
from podwright.cli.jsonpath import evaluate
from podwright.cli.options import JSONPATH, DryRun, Format, Manner
from podwright.cli.printable import one_line, several_lines
from podwright.core.constants import names


def full_name(job: Mapping[str, Any]) -> str:
    """Return the name that `kubectl` takes as well: `batchjob.podwright.dev/report`."""
    meta = job.get("metadata") or {}
    return f"{names.JOB_KIND.lower()}.{names.GROUP}/{one_line(meta.get('name') or meta.get('generateName', ''))}"


def without_managed_fields(item: Object) -> Object:
    """Leave out who set which field, which nobody wants to read."""
    meta = {key: value for key, value in (item.get("metadata") or {}).items() if key != "managedFields"}
    return {**item, "metadata": meta} if "metadata" in item else item


def print_object(item: Object, form: str) -> None:
    """Print one object as json, yaml or name."""
    if form.startswith(JSONPATH):
        # A template says itself where lines end; without one, the next prompt begins on a line of its own.
        text = several_lines(evaluate(form.removeprefix(JSONPATH), item))
        print(text, end="" if text.endswith("\n") else "\n")
    elif form == Format.NAME:
        print(full_name(item))
    elif form == Format.JSON:
        # Everything but ASCII is escaped, so no text of the cluster reaches the terminal as it is.
        print(json.dumps(without_managed_fields(item), indent=4))
    else:
        import yaml

        print(yaml.safe_dump(without_managed_fields(item), sort_keys=False, allow_unicode=False), end="")


def print_objects(items: Sequence[Object], form: str, *, as_list: bool) -> None:
    """Print several: names one a line, else as one List. A single one is only wrapped into a List if `as_list`."""
    if form == Format.NAME:
        for item in items:
            print(full_name(item))
    elif len(items) == 1 and not as_list:
        print_object(items[0], form)
    else:
        found = [without_managed_fields(item) for item in items]
        print_object({"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": found}, form)


def print_lines(lines: Iterable[str]) -> None:
    """Print lines of a result at once, so that a reader on a pipe gets them as they come."""
    for each in lines:
        print(each)
    sys.stdout.flush()


def remark(text: str) -> None:
    """Print a remark for the user, which is not a result."""
    sys.stdout.flush()
    print(text, file=sys.stderr, flush=True)


def news(form: Format | None) -> Callable[[str], None]:
    """Return what tells of news beside a verb's results: objects on standard output must not be mixed with anything."""
    return print_line if form is None else remark


def print_line(text: str) -> None:
    """Print a line of a result at once."""
    print(text, flush=True)


class Report:
    """Tells of jobs that a verb changed, each at once in words or as names, or all at the end as objects.

    At the end of its block, also if that is an error, objects are printed, and what failed before is told.
    """

    def __init__(self, manner: Manner) -> None:
        self._form = manner.output
        suffixes = {DryRun.NONE: "", DryRun.CLIENT: " (dry run)", DryRun.SERVER: " (server dry run)"}
        self._suffix = suffixes[manner.dry_run]
        self._items: list[Object] = []
        self._failures: list[str] = []

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Print what is still to be printed. Raises CommandError if anything failed."""
        if self._items and self._form is not None:
            print_objects(self._items, self._form, as_list=False)
        if self._failures and (error is None or isinstance(error, CommandError)):
            last = () if error is None else (error.problem,)
            remedy = "" if error is None else error.remedy
            raise CommandError("\n".join((*self._failures, *last)), remedy=remedy) from error

    def tell(self, job: Object, done: str) -> None:
        """Report a job and what was done to it, such as `cancelled`."""
        if self._form is None:
            print_line(f"{full_name(job)} {done}{self._suffix}")
        elif self._form is Format.NAME:
            print_line(full_name(job))
        else:
            self._items.append(job)

    @contextlib.contextmanager
    def bearing_failures(self) -> Iterator[None]:
        """Let the block fail for one job without holding up the others, unless the API server does not answer any more."""
        try:
            yield
        except CommandError as error:
            if isinstance(error, Unreachable) or isinstance(error.__cause__, Unreachable):
                raise
            self.fail(str(error))

    def fail(self, problem: str) -> None:
        """Record a failure, to be reported at the end; it does not hold up the other jobs."""
        self._failures.append(problem)
