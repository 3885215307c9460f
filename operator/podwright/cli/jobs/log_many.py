"""Following the logs of several pods at once: of an array, or of several jobs. Each line says whose it is."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Final

from podwright.cli.connection import Object
from podwright.cli.errors import CommandError
from podwright.cli.failures import Unreachable
from podwright.cli.job_client import JobClient
from podwright.cli.jobs.log_stream import GoneError, LogOptions, NotStartedError, follow_log, print_log_line
from podwright.cli.jobs.pod_choice import JobPod
from podwright.cli.jobs.state import array_of, finished, name_of, pack_of
from podwright.cli.output import remark
from podwright.cli.patience import Deadline, Patience, passes
from podwright.cli.printable import one_line

MOST_AT_ONCE: Final = 50
_POLL_SECONDS: Final = 1.0


def follow_many(client: JobClient, jobs: Sequence[Object], *, options: LogOptions) -> None:
    """Print what the pods of jobs write, each line with its origin, until all jobs have ended.

    Up to 50 pods are followed at once; further ones are printed when their turn comes.

    Raises:
        CommandError: the API server refuses, or does not answer for too long.
    """
    deadline = Deadline(None)
    patience = Patience(deadline, seconds=120.0)
    running: dict[str, Future[bool]] = {}
    done: set[str] = set()
    several = len(jobs) > 1
    followed = {str(job["metadata"]["uid"]): job for job in jobs}
    # Threads that wait for a silent program must not keep us from ending.
    pool = _Pool(MOST_AT_ONCE, client)
    while True:
        try:
            states = {uid: _current(client, job) for uid, job in followed.items()}
            for job in states.values():
                if job is None:
                    continue
                for pod in [JobPod.from_object(each, job) for each in client.pods(job)]:
                    if pod.name in done or (pod.name in running and not running[pod.name].done()):
                        continue
                    if pod.name in running and running[pod.name].result():
                        done.add(pod.name)
                    else:
                        running[pod.name] = pool.follow(
                            pod, options, prefix=_prefix(job, pod, several=several), deadline=deadline
                        )
            patience.found()
        except CommandError as error:
            if not passes(error):
                raise
            patience.lost(error)
            continue
        over = all(job is None or finished(job) for job in states.values())
        if over and all(future.done() for future in running.values()):
            return
        time.sleep(_POLL_SECONDS)


class _Pool:
    """Follows pods in threads, each with a connection of its own, since a connection is not for several threads."""

    def __init__(self, size: int, client: JobClient) -> None:
        self._client = client
        self._slots = threading.Semaphore(size)
        self._said: set[str] = set()

    def follow(self, pod: JobPod, options: LogOptions, *, prefix: str, deadline: Deadline) -> Future[bool]:
        """Follow a pod. The result says whether its log was printed to its end."""
        future: Future[bool] = Future()

        def work() -> None:
            try:
                with self._slots:
                    future.set_result(self._print(pod, options, prefix=prefix, deadline=deadline))
            except BaseException as error:
                future.set_exception(error)

        threading.Thread(target=work, daemon=True).start()
        return future

    def _print(self, pod: JobPod, options: LogOptions, *, prefix: str, deadline: Deadline) -> bool:
        try:
            for line in follow_log(self._client.connection.another(), pod, options, deadline=deadline):
                print_log_line(line, prefix=prefix)
        except NotStartedError as error:
            self._say(f"{prefix}{one_line(error)}")
            return pod.over
        except GoneError:
            self._say(f"{prefix}The pod {pod.name} has gone; what else it wrote can't be read any more.")
        except Unreachable:
            return False
        return True

    def _say(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            remark(text)


def _prefix(job: Object, pod: JobPod, *, several: bool) -> str:
    parts = [name_of(job)] if several else []
    if array_of(job) is not None:
        parts.append(f"{'pack' if pack_of(job) > 1 else 'task'} {pod.unit}")
    if pod.attempt:
        parts.append(f"attempt {pod.attempt}")
    return f"[{' '.join(parts)}] " if parts else ""


def _current(client: JobClient, job: Object) -> Object | None:
    meta = job["metadata"]
    found = client.find(meta["name"], namespace=meta["namespace"])
    return found if found is not None and found["metadata"]["uid"] == meta["uid"] else None
