"""The log of one container, line by line, as the API server passes it on from the kubelet."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Final

from podwright.cli.connection import Connection, lines_of
from podwright.cli.errors import CommandError
from podwright.cli.failures import BrokenStreamError, Unreachable
from podwright.cli.jobs.pod_choice import JobPod
from podwright.cli.patience import Deadline, Patience, passes
from podwright.cli.printable import one_line, several_lines
from podwright.cli.refusals import explain
from podwright.kube.errors import StatusError
from podwright.kube.paths import PODS, resource_path

_PAUSE_SECONDS: Final = 0.5
_GIVE_UP_SECONDS: Final = 60.0
_SILENCE_SECONDS: Final = 60.0


class NotStartedError(Exception):
    """The container has no log yet; the message tells what it waits for."""


class GoneError(Exception):
    """The pod is not there any more."""


def read_log(connection: Connection, pod: JobPod, *, container: str, tail: int | None = None) -> Iterator[bytes]:
    """Return the lines that there are.

    Raises:
        NotStartedError, GoneError: there is no log.
        CommandError: it can't be read.
    """
    query = {"container": container} | ({} if tail is None else {"tailLines": str(tail)})
    try:
        with connection.stream(_path(pod), query, silence=60.0) as pieces:
            yield from lines_of(pieces)
    except StatusError as error:
        raise _no_log(error, pod) from error
    except BrokenStreamError as error:
        raise CommandError(f"The log of the pod {pod.name} broke off: {error}.", remedy="Try again.") from error


def follow_log(
    connection: Connection, pod: JobPod, *, container: str, deadline: Deadline, tail: int | None = None
) -> Iterator[bytes]:
    """Return the lines that there are and those that come, until the container has ended. A stream that breaks is resumed.

    Raises:
        NotStartedError, GoneError: there is no log.
        CommandError: it can't be read any more.
        DeadlineError: the time is over.
    """
    last = ""  # the time of the last line
    patience = Patience(deadline, seconds=_GIVE_UP_SECONDS)
    while True:
        query = {"container": container, "follow": "true", "timestamps": "true"}
        if last:
            query["sinceTime"] = last
        elif tail is not None:
            query["tailLines"] = str(tail)
        try:
            skipping = last
            # Opened anew after some silence: a kubelet may have gone without a word, and its pod with it.
            silence = min(_SILENCE_SECONDS, deadline.left())
            with connection.stream(_path(pod), query, silence=silence) as pieces:
                patience.found()
                for line in lines_of(pieces):
                    stamp, _, text = line.partition(b" ")
                    moment = stamp.decode(errors="replace")
                    # `sinceTime` has whole seconds: what was printed already comes again.
                    if skipping and _order(moment) <= _order(skipping):
                        continue
                    last, skipping = moment, ""
                    yield text
                    deadline.left()
        except (StatusError, BrokenStreamError, Unreachable) as error:
            if not passes(error):
                raise _no_log(error, pod) from error
            try:
                patience.lost(CommandError(f"The log of the pod {pod.name} broke off: {one_line(error)}."))
            except CommandError:
                if _ended(connection, pod, container=container):
                    raise GoneError(pod.name) from error
                raise
        else:
            if _ended(connection, pod, container=container):
                return
            deadline.sleep(_PAUSE_SECONDS)


def _order(moment: str) -> tuple[str, str]:
    """Make times comparable, whose fractions have no trailing zeros: `…:01Z`, `…:01.5Z`."""
    whole, _, fraction = moment.rstrip("Z").partition(".")
    return whole, fraction.ljust(9, "0")


def _ended(connection: Connection, pod: JobPod, *, container: str) -> bool:
    """Return whether the container writes no more: a stream may also end because some proxy had enough."""
    try:
        found = connection.get(resource_path(PODS, namespace=pod.namespace, name=pod.name))
    except StatusError as error:
        return error.proves_absence(PODS, pod.name)
    except Unreachable:
        return False
    status = found.get("status") or {}
    if status.get("phase") in ("Succeeded", "Failed"):
        return True
    every = (*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ()))
    states = [each.get("state") or {} for each in every if each.get("name") == container]
    return any("terminated" in state for state in states)


def _path(pod: JobPod) -> str:
    return resource_path(PODS, namespace=pod.namespace, name=pod.name, subresource="log")


def _no_log(error: Exception, pod: JobPod) -> Exception:
    if not isinstance(error, StatusError):
        return error
    if error.proves_absence(PODS, pod.name):
        return GoneError(pod.name)
    if error.code == 400:
        return NotStartedError(error.message)
    return explain(error, doing=f"read the log of the pod {pod.name}", namespace=pod.namespace)


def print_log_line(line: bytes, *, prefix: str = "") -> None:
    """Print a line of a log: as it is to a file or pipe, without what could steer it to a terminal."""
    if sys.stdout.isatty():
        print(prefix + several_lines(line.decode(errors="replace")))
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(prefix.encode() + line + b"\n")
    sys.stdout.flush()
