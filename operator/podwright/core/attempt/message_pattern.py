"""`onMessage`: regular expressions that anybody who may create a job can give us, in RE2 syntax.

RE2 takes time in proportion to text and program, whatever the expression: nothing a tenant writes can stop the operator
(ADR 0008). What is bounded here is the size of the program.
"""

from typing import Any, Final

import re2

PROGRAM_LIMIT: Final = 2000
"""Most instructions of all expressions of a job together. Measured: 4 KiB of text cost at most 20 ms then."""
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
    """Return whether `pattern` matches anywhere in `text`. One that can't be compiled matches nothing."""
    try:
        return _compiled(pattern).search(text) is not None
    except PatternError:
        return False  # such a job has a problem and runs nothing new; what ran before is judged without this rule
