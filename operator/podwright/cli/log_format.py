"""How the operator's log is written. Used by `podwright operator run`.

Names, messages and server errors in it may be a tenant's words: they must not steer a terminal, hide text or look like lines of their own.
"""

import logging
from types import TracebackType

from podwright.core.attempt.redaction import printable

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class LogFormatter(logging.Formatter):
    """Formats records of any logger: a message is one line, and the lines of a traceback are indented."""

    def __init__(self) -> None:
        super().__init__(_FORMAT)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the standard library's name
        r"""Return a record's line without control and invisible characters; line ends within it are shown as `\n`."""
        return printable(super().formatMessage(record)).replace("\n", "\\n")

    def formatException(self, ei: _ExcInfo) -> str:  # noqa: N802 - the standard library's name
        """Return a traceback."""
        return _indented(super().formatException(ei))

    def formatStack(self, stack_info: str) -> str:  # noqa: N802 - the standard library's name
        """Return the stack of a record that asks for it."""
        return _indented(super().formatStack(stack_info))


def log_to_stderr(*, level: int) -> None:
    """Write what all loggers say from `level` on to stderr; kopf's only from ERROR on."""
    handler = logging.StreamHandler()
    handler.setFormatter(LogFormatter())
    logging.basicConfig(level=level, handlers=[handler])
    # kopf warns that it does not handle signals; they are ours.
    logging.getLogger("kopf").setLevel(max(level, logging.ERROR))


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in printable(text).split("\n"))
