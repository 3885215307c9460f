"""The nursery process: reads orders from its standard input, forks an operator for each, and tells of births and deaths.

Run as `python -m tests.faults.nursery`. It ends with its input, and its operators with it: a test that dies leaves nothing.
"""

import ctypes
import logging
import os
import selectors
import signal
import sys
from pathlib import Path
from typing import Final

import msgspec

_PR_SET_PDEATHSIG: Final = 1
_RECORD_EVERY: Final = 0.05
"""Seconds, a twentieth of the real pause between two records of an array: what is written is the same, and nearly every run of
an array that is killed once more would else stand still for it.
"""

_log = logging.getLogger(__name__)


class Start(msgspec.Struct, frozen=True):
    """The order to start an operator."""

    kubeconfig: str
    environment: dict[str, str]
    log: str


class Started(msgspec.Struct, frozen=True, tag="started"):
    """An operator was started."""

    pid: int


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """An operator is gone; negative for a signal."""

    pid: int
    exit_code: int


def main() -> None:
    """Serve orders until the input ends."""
    # What an operator would import after its start, so that forks share it.
    import kopf  # noqa: F401
    import kubernetes.client
    import kubernetes.config  # noqa: F401

    import podwright.adapters.entry
    import podwright.adapters.service  # noqa: F401
    from podwright.core.job.array import status_updates, termination

    for module in (termination, status_updates):
        vars(module)["RECORD_EVERY"] = _RECORD_EVERY
    selector = selectors.DefaultSelector()
    wake, woken = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(woken)
    selector.register(sys.stdin.fileno(), selectors.EVENT_READ)
    selector.register(wake, selectors.EVENT_READ)
    rest = b""
    while True:
        for key, _ in selector.select():
            if key.fd == wake:
                os.read(wake, 4096)
                _reap()
                continue
            data = os.read(key.fd, 1 << 16)
            if not data:
                return  # the operators get SIGKILL as their parent ends
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                _tell(Started(_fork(msgspec.json.decode(line, type=Start))))


def _reap() -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        _tell(Ended(pid, os.waitstatus_to_exitcode(status)))


def _tell(message: Started | Ended) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(message) + b"\n")
    sys.stdout.buffer.flush()


def _fork(order: Start) -> int:
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _become_operator(order)
        code = 0
    except BaseException:
        _log.exception("the operator ended")
    finally:
        logging.shutdown()
        os._exit(code)


def _become_operator(order: Start) -> None:
    log = os.open(order.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True)
    logging.getLogger("kopf").setLevel(logging.WARNING)
    os.environ.update(order.environment)

    from podwright.adapters.entry import run_operator
    from podwright.adapters.service import settings_from_environment
    from podwright.kube.credentials import load_credentials

    credentials = load_credentials(kubeconfig=str(Path(order.kubeconfig)))
    run_operator(credentials=credentials, settings=settings_from_environment())


if __name__ == "__main__":
    main()
