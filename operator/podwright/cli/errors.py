"""The error that a command shows to its user as it is, without a traceback.

Raised by the commands, printed by `main`. Anything else that escapes from a command is a bug and keeps its traceback.
"""

from __future__ import annotations


class CommandError(Exception):
    """A command couldn't do what it was asked to.

    `problem` says what is wrong and where, `remedy` what the reader can do about it. Both are whole sentences.
    """

    exit_code = 1

    def __init__(self, problem: str, *, remedy: str = "") -> None:
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{problem}\n{remedy}" if remedy else problem)


class MisuseError(CommandError):
    """The command line itself is wrong: an invalid value, or options that contradict each other."""

    exit_code = 2
