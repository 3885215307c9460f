"""The commands for users of jobs, from the command line's own definition."""

import enum
import typing
from collections.abc import Iterator
from typing import Any

import typer

from podwright.cli.reference.sections import table

_ELSEWHERE = ("dev", "operator")
"""Commands that have pages of their own."""
_SHARED = ("--kubeconfig", "--context", "--namespace", "--all-namespaces", "--selector", "--field-selector", "--help")


def shared() -> str:
    """A table of the options that most commands have."""
    options: dict[str, Any] = {}
    for _, command in _commands():
        options |= {each.opts[0]: each for each in command.params if each.opts[0] in _SHARED}
    return table(("Option", "Meaning"), (_option(options[name]) for name in _SHARED if name in options))


def render() -> str:
    """A section for each command, with what only it has."""
    return "\n\n".join("\n\n".join(_section(path, command)) for path, command in _commands())


def _commands() -> Iterator[tuple[str, Any]]:
    # Imported late: `main` puts all commands together, and this module belongs to one of them.
    from podwright.cli.main import app

    yield from _below(typer.main.get_command(app), "podwright")


def _below(group: Any, path: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if command.hidden or (path == "podwright" and name in _ELSEWHERE):
            continue
        if hasattr(command, "commands"):
            yield from _below(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def _section(path: str, command: Any) -> Iterator[str]:
    yield f"### `{path}`"
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    own = [each for each in command.params if each.param_type_name == "option" and each.opts[0] not in _SHARED]
    shared_names = [f"`{each.opts[0]}`" for each in command.params if each.opts[0] in _SHARED]
    yield f"```text\n{path} {' '.join([*(_argument(each) for each in arguments), '[OPTION]...'])}\n```"
    yield from _help(command.help or "")
    if own:
        yield table(("Option", "Meaning"), (_option(each) for each in own))
    if shared_names:
        yield f"And {', '.join(shared_names)}."


def _help(text: str) -> Iterator[str]:
    """Return the paragraphs; examples become code."""
    paragraphs = [" ".join(each.split()) for each in text.split("\n\n") if each.strip()]
    for number, paragraph in enumerate(paragraphs):
        if paragraph == "For example:":
            yield "\n".join(["```text", *paragraphs[number + 1 :], "```"])
            return
        if paragraph.startswith("Example: "):
            yield f"```text\n{paragraph.removeprefix('Example: ')}\n```"
        else:
            yield paragraph


def _argument(argument: Any) -> str:
    name = str(argument.metavar or argument.name).upper()
    several = "..." if argument.nargs == -1 else ""
    return f"{name}{several}" if argument.required else f"[{name}{several}]"


def _option(option: Any) -> tuple[str, str]:
    names = ", ".join(f"`{name}`" for name in option.opts)
    value = option.metavar or _choices(option.type_descriptor.annotation)
    meaning = option.help or ""
    default = getattr(option.default, "value", option.default)
    if default not in (None, False, "", [], ()) and not callable(default):
        meaning = f"{meaning} Default: `{default}`.".strip()
    if option.envvar:
        meaning = f"{meaning} Variable: `{option.envvar}`."
    return (f"{names} `{value}`" if value else names), meaning


def _choices(kind: Any) -> str:
    """Return the values of an enumeration, also of an optional one; nothing of other types."""
    for each in (kind, *typing.get_args(kind)):
        if isinstance(each, type) and issubclass(each, enum.Enum):
            return "/".join(str(member.value) for member in each)
    return ""
