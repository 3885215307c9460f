"""The signals of Linux by number: how a container that was killed is told from one that gave up.

Source: signal(7), the numbers of x86-64 and arm64, which are the same. (Python's own module is of the machine it runs on.)
"""

from typing import Final

_NAMES: Final = [
    "SIGHUP",
    "SIGINT",
    "SIGQUIT",
    "SIGILL",
    "SIGTRAP",
    "SIGABRT",
    "SIGBUS",
    "SIGFPE",
    "SIGKILL",
    "SIGUSR1",
    "SIGSEGV",
    "SIGUSR2",
    "SIGPIPE",
    "SIGALRM",
    "SIGTERM",
    "SIGSTKFLT",
    "SIGCHLD",
    "SIGCONT",
    "SIGSTOP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGXCPU",
    "SIGXFSZ",
    "SIGVTALRM",
    "SIGPROF",
    "SIGWINCH",
    "SIGIO",
    "SIGPWR",
    "SIGSYS",
]
SIGNALS: Final = frozenset(_NAMES)


def signal_name(*, signal: int | None, exit_code: int) -> str:
    """Name the signal that ended a container, "" if none did.

    Most runtimes leave `signal` out and report 128 + n as exit code, which is how a shell tells it too.
    """
    number = signal or exit_code - 128
    return _NAMES[number - 1] if 1 <= number <= len(_NAMES) else ""
