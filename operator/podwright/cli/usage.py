"""Typer's complaints about a command line, reworded for people. `main` uses it; loaded for every call, so it imports nothing slow."""

from __future__ import annotations

import re
from typing import Any, Final

from typer.core import TyperGroup
from typer.exceptions import TyperException

from podwright.cli.options import ArgumentsAfterDashes

_WORDS: Final = (
    (re.compile(r"Input should be a valid integer.*", re.DOTALL), "it must be a whole number."),
    (re.compile(r"Input should be greater than or equal to (\S+)"), r"it must be at least \1."),
    (re.compile(r"Input should be less than or equal to (\S+)"), r"it must be at most \1."),
    (re.compile(r"Value error, "), ""),
)
_EXTRA: Final = re.compile(r"Got unexpected extra argument\(s\) \((.*)\)", re.DOTALL)


class Program(TyperGroup):
    """The whole program: a group of commands that rewords typer's complaints about all of them."""

    def make_context(self, *arguments: Any, **extra: Any) -> Any:
        """Read the program's own options; called by typer."""
        try:
            return super().make_context(*arguments, **extra)
        except TyperException as error:
            _reword(error)
            raise

    def invoke(self, ctx: Any) -> Any:
        """Read and run a command; called by typer."""
        try:
            return super().invoke(ctx)
        except TyperException as error:
            _reword(error)
            raise


def _reword(error: Any) -> None:
    """Change the message of one of typer's errors, none of which is typed for it."""
    message, context = getattr(error, "message", None), getattr(error, "ctx", None)
    if not isinstance(message, str):
        return
    for pattern, words in _WORDS:
        message = pattern.sub(words, message)
    extra, option = _EXTRA.fullmatch(message), getattr(error, "option_name", "")
    if extra and context is not None and isinstance(context.command, ArgumentsAfterDashes):
        message = f"Unexpected: {extra[1]}. The program to run and its arguments follow `--`: -- {extra[1]}"
    elif extra:
        message = f"Unexpected: {extra[1]}"
    elif option and context is not None and _is_of_a_command(option, context.command):
        message += f". Options follow the command: {context.command_path} COMMAND {option} …"
    error.message = message


def _is_of_a_command(option: str, group: Any) -> bool:
    """Return whether it is an option of a command of a group; where a command itself complains, there is no group."""
    commands = getattr(group, "commands", {}).values()
    return any(option in each.opts for command in commands for each in command.params)
