"""The log of one container, line by line, as the API server passes it on from the kubelet."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from podwright.cli.connection import Connection, lines_of
from podwright.cli.errors import CommandError
from podwright.cli.failures import BrokenStreamError, Unreachable
from podwright.cli.jobs.pod_choice import JobPod, container_of
from podwright.cli.patience import Deadline, Patience, passes
from podwright.cli.printable import one_line, several_lines
from podwright.cli.refusals import explain
from podwright.kube.errors import StatusError
from podwright.kube.paths import PODS, resource_path

_PRINTING: Final = threading.Lock()
"""Held while a line is printed: several logs may be followed at once."""
_PAUSE_SECONDS: Final = 0.5
_GIVE_UP_SECONDS: Final = 60.0
_SILENCE_SECONDS: Final = 60.0


class NotStartedError(Exception):
    """The container has no log yet; the message tells what it waits for."""


class GoneError(Exception):
    """The pod is not there any more."""


@dataclass(frozen=True, kw_only=True)
class LogOptions:
    """Which lines of a log are wanted, and how."""

    container: str = ""
    """Empty for the job's own."""
    tail: int | None = None
    since_seconds: int | None = None
    timestamps: bool = False

    def query(self, pod: JobPod, *, timestamps: bool) -> dict[str, str]:
        """Return the query of a request for the log of a pod.

        Raises:
            CommandError: the pod has no such container.
        """
        wanted = {"container": container_of(pod, self.container)}
        if self.tail is not None:
            wanted["tailLines"] = str(self.tail)
        if self.since_seconds is not None:
            wanted["sinceSeconds"] = str(self.since_seconds)
        return wanted | ({"timestamps": "true"} if timestamps else {})

    def text_of(self, line: bytes) -> bytes:
        """Return a line as the program wrote it."""
        return line.partition(b" ")[2] if self.timestamps else line


def read_log(connection: Connection, pod: JobPod, options: LogOptions) -> Iterator[bytes]:
    """Return the lines that there are.

    Raises:
        NotStartedError, GoneError: there is no log.
        CommandError: it can't be read.
    """
    _require_node(pod)
    try:
        with connection.stream(_path(pod), options.query(pod, timestamps=options.timestamps), silence=60.0) as pieces:
            yield from lines_of(pieces)
    except StatusError as error:
        raise _no_log(error, pod) from error
    except BrokenStreamError as error:
        raise CommandError(f"The log of the pod {pod.name} broke off: {error}.", remedy="Try again.") from error


def follow_log(connection: Connection, pod: JobPod, options: LogOptions, *, deadline: Deadline) -> Iterator[bytes]:
    """Return the lines that there are and those that come, until the container has ended. A stream that breaks is resumed.

    Raises:
        NotStartedError, GoneError: there is no log.
        CommandError: it can't be read any more.
        DeadlineError: the time is over.
    """
    _require_node(pod)
    last = ""  # the time of the last line
    patience = Patience(deadline, seconds=_GIVE_UP_SECONDS)
    while True:
        query = options.query(pod, timestamps=True) | {"follow": "true"}
        if last:
            query = {key: value for key, value in query.items() if key not in ("tailLines", "sinceSeconds")}
            query["sinceTime"] = last
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
                    yield line if options.timestamps else text
                    deadline.left()
        except (StatusError, BrokenStreamError, Unreachable) as error:
            if not passes(error):
                raise _no_log(error, pod) from error
            try:
                patience.lost(CommandError(f"The log of the pod {pod.name} broke off: {one_line(error)}."))
            except CommandError:
                if _ended(connection, pod, container=query["container"]):
                    raise GoneError(pod.name) from error
                raise
        else:
            if _ended(connection, pod, container=query["container"]):
                return
            deadline.sleep(_PAUSE_SECONDS)


def _require_node(pod: JobPod) -> None:
    if not pod.scheduled:
        raise NotStartedError(f"the pod {pod.name} has not been assigned to a node")


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
    with _PRINTING:
        if sys.stdout.isatty():
            print(prefix + several_lines(line.decode(errors="replace")))
        else:
            sys.stdout.flush()
            sys.stdout.buffer.write(prefix.encode() + line + b"\n")
        sys.stdout.flush()
