"""What the flags of `podwright submit` mean, one by one. Pure: environment and time are arguments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from podwright.cli.errors import CommandError

CONDITIONS: Final = ("Succeeded", "Failed", "Finished", "Started")


def pairs(values: Iterable[str], *, option: str) -> dict[str, str]:
    """Read `KEY=VALUE` texts.

    Raises:
        CommandError: one of them is none.
    """
    found: dict[str, str] = {}
    for value in values:
        key, sign, rest = value.partition("=")
        if not key or not sign:
            raise CommandError(f"{option} {value!r} must be written KEY=VALUE.")
        found[key] = rest
    return found


def variables(values: Iterable[str], *, environment: Mapping[str, str]) -> list[dict[str, str]]:
    """Read `--env` values as entries of a container's `env`; `KEY` alone takes the value from our own environment.

    Raises:
        CommandError: one has no name, or no value anywhere.
    """
    found: dict[str, str] = {}
    for value in values:
        key, sign, rest = value.partition("=")
        if not key:
            raise CommandError(
                f"--env {value!r} must be written KEY=VALUE, or KEY to pass on a variable of this shell."
            )
        if not sign and key not in environment:
            raise CommandError(f"--env {key}: this shell has no variable {key}.", remedy=f"Write --env {key}=VALUE.")
        found[key] = rest if sign else environment[key]
    return [{"name": key, "value": value} for key, value in found.items()]


def items(text: str) -> list[str]:
    r"""Read `--items a,b`. A comma that belongs to an item is written `\,`.

    Raises:
        CommandError: there is none, an empty one or one twice.
    """
    found: list[str] = []
    current = ""
    escaped = False
    for character in text:
        if escaped:
            current += character if character in ",\\" else f"\\{character}"
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == ",":
            found.append(current)
            current = ""
        else:
            current += character
    found.append(current + ("\\" if escaped else ""))
    if "" in found:
        raise CommandError(
            f"--items {text!r} has an empty item.", remedy="Write them with commas between: --items a,b,c"
        )
    twice = sorted({item for item in found if found.count(item) > 1})
    if twice:
        raise CommandError(f"--items has {', '.join(twice)} more than once; each item is one task.")
    return found


def dependency(text: str) -> dict[str, Any]:
    """Read `--depends-on NAME[:CONDITION]`; how the condition is capitalized doesn't matter.

    Raises:
        CommandError: there is no name, or no such condition.
    """
    name, colon, condition = text.partition(":")
    if not name:
        raise CommandError(f"--depends-on {text!r} names no job.", remedy="Write NAME or NAME:CONDITION.")
    if not colon:
        return {"name": name}
    known = {each.lower(): each for each in CONDITIONS}
    if condition.lower() not in known:
        raise CommandError(
            f"--depends-on {text!r}: {condition!r} is no condition.", remedy=f"Allowed are {', '.join(CONDITIONS)}."
        )
    return {"name": name, "condition": known[condition.lower()]}
