"""`onMessage`: regular expressions that anybody who may create a job can give us, in RE2 syntax.

RE2 takes time in proportion to text and program, whatever the expression: nothing a tenant writes can stop the operator
(ADR 0008). What is bounded here is the size of the program.
"""

from typing import Any, Final

import re2

PROGRAM_LIMIT: Final = 300
"""Most instructions of all expressions of a job together."""
TEXT_LIMIT: Final = 2048
"""Most characters that are searched, from the end: as many as the kubelet takes from the end of a log.

Where its automaton grows too large RE2 falls back to a simulation that takes some 7 µs for each instruction and KiB: together
the two limits bound what one failure costs to some 4 ms at worst on a busy machine (measured; most expressions take microseconds).
"""
_MEMORY: Final = 512 * 1024


def _options() -> Any:
    options = re2.Options()
    options.max_mem = _MEMORY  # bounds the program and the automaton that is cached with it
    options.log_errors = False  # they are told to who wrote the expression, not to the operator's log
    options.never_capture = True
    return options


_OPTIONS: Final = _options()


class PatternError(ValueError):
    """An expression can't be compiled; the text says why."""


def _compiled(pattern: str) -> Any:
    try:
        # The library keeps the last 128 programs.
        return re2.compile(pattern, options=_OPTIONS)
    except re2.error as error:
        reason = error.args[0] if error.args else "unknown error"
        raise PatternError(reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)) from None


def program_size(pattern: str) -> int:
    """Return the number of instructions that `pattern` compiles to.

    Raises:
        PatternError: it is no RE2 expression, or too large a one.
    """
    return int(_compiled(pattern).programsize)


def found(*, pattern: str, text: str) -> bool:
    """Return whether `pattern` matches anywhere in the end of `text`. One that can't be compiled matches nothing."""
    return _search(pattern=pattern, text=text) is not None


def matched_line(*, pattern: str, text: str) -> str:
    """Return the line in which the match of `pattern` begins, "" if there is none."""
    match = _search(pattern=pattern, text=text)
    if match is None:
        return ""
    text = text[-TEXT_LIMIT:]
    begin = text.rfind("\n", 0, match.start()) + 1
    return text[begin:].partition("\n")[0]


def _search(*, pattern: str, text: str) -> Any:
    try:
        return _compiled(pattern).search(text[-TEXT_LIMIT:])
    except PatternError:
        return None  # such a job has a problem and runs nothing new; what ran before is judged without this rule
