"""Errors of the development cluster. Each says what is wrong and what to do about it.

Raised by every module of this package; the command line prints them as they are, without a traceback.
"""

from __future__ import annotations


class DevClusterError(Exception):
    """A cluster could not be built, started, reached or removed.

    `problem` says what is wrong and where, `remedy` what the reader can do. Both are whole sentences.
    """

    def __init__(self, problem: str, *, remedy: str = "") -> None:
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{problem}\n{remedy}" if remedy else problem)


class BuildError(DevClusterError):
    """A component could not be built or a tool for building could not be had."""


class StartError(DevClusterError):
    """A component was built but didn't come up; the problem ends with the last lines of its log."""
