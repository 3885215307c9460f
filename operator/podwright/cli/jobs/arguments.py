"""What the flags of `podwright submit` mean, one by one. Pure: environment and time are arguments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from podwright.cli.errors import MisuseError
from podwright.cli.jobs.flags import Volume
from podwright.cli.jobs.quantity import quantity_problem

_SOURCES: Final = {"configmap": "configMap", "cm": "configMap", "secret": "secret"}
CONDITIONS: Final = ("Succeeded", "Failed", "Finished", "Started")


def pairs(values: Iterable[str], *, option: str) -> dict[str, str]:
    """Read `KEY=VALUE` texts.

    Raises:
        MisuseError: one of them is none.
    """
    found: dict[str, str] = {}
    for value in values:
        key, sign, rest = value.partition("=")
        if not key or not sign:
            raise MisuseError(f"{option} {value!r} must be written KEY=VALUE.")
        found[key] = rest
    return found


def quantity(value: str, *, option: str) -> str:
    """Return an amount of a resource.

    Raises:
        MisuseError: it is none.
    """
    if problem := quantity_problem(value):
        raise MisuseError(f"{option}: {problem}" if problem.endswith("?") else f"{option}: {problem}.")
    return value


def resources(values: Iterable[str], *, option: str) -> dict[str, str]:
    """Read `RESOURCE=QUANTITY` texts, several of which may share one with commas between.

    Raises:
        MisuseError: one of them is none.
    """
    found = pairs([each for value in values for each in value.split(",")], option=option)
    return {name: quantity(amount, option=f"{option} {name}={amount}") for name, amount in found.items()}


def env_from(values: Iterable[str]) -> list[dict[str, Any]]:
    """Read `--env-from configmap/NAME` or `secret/NAME`.

    Raises:
        MisuseError: one of them is neither.
    """
    found = []
    for value in values:
        kind, _, name = value.partition("/")
        if kind.lower() not in _SOURCES or not name:
            raise MisuseError(f"--env-from {value!r} must be written configmap/NAME or secret/NAME.")
        found.append({f"{_SOURCES[kind.lower()]}Ref": {"name": name}})
    return found


def volume(text: str) -> Volume:
    """Read `--volume SOURCE:PATH[:ro]`.

    Raises:
        MisuseError: it is written otherwise.
    """
    source, _, rest = text.partition(":")
    path, _, mode = rest.partition(":")
    kind, _, name = source.partition("/")
    known: dict[str, dict[str, Any]] = {
        "pvc": {"persistentVolumeClaim": {"claimName": name}},
        "configmap": {"configMap": {"name": name}},
        "secret": {"secret": {"secretName": name}},
        "emptydir": {"emptyDir": {}},
    }
    if (
        kind.lower() not in known
        or not path.startswith("/")
        or mode not in ("", "ro", "rw")
        or bool(name) == (kind.lower() == "emptydir")
    ):
        raise MisuseError(
            f"--volume {text!r} must be written SOURCE:PATH, or SOURCE:PATH:ro to mount it read-only.",
            remedy="SOURCE is pvc/NAME, configmap/NAME, secret/NAME or emptydir. Example: --volume pvc/data:/data",
        )
    return Volume(source=known[kind.lower()], path=path, read_only=mode == "ro")


def count_or_share(text: str, *, option: str) -> int | str | None:
    """Read a number of tasks, or a share such as `5%`; None if there is none.

    Raises:
        MisuseError: it is neither.
    """
    if not text:
        return None
    if text.isascii() and text.isdigit():
        return int(text)
    share = text.removesuffix("%")
    if share != text and share.isascii() and share.isdigit() and int(share) <= 100:
        return text
    raise MisuseError(f"{option} {text!r} must be a number of tasks, or a share of them such as 5%.")


def variables(values: Iterable[str], *, environment: Mapping[str, str]) -> list[dict[str, str]]:
    """Read `--env` values as entries of a container's `env`; `KEY` alone takes the value from our own environment.

    Raises:
        MisuseError: one has no name, or no value anywhere.
    """
    found: dict[str, str] = {}
    for value in values:
        key, sign, rest = value.partition("=")
        if not key:
            raise MisuseError(f"--env {value!r} must be written KEY=VALUE, or KEY to pass on a variable of this shell.")
        if not sign and key not in environment:
            raise MisuseError(f"--env {key}: this shell has no variable {key}.", remedy=f"Write --env {key}=VALUE.")
        found[key] = rest if sign else environment[key]
    return [{"name": key, "value": value} for key, value in found.items()]


def items(text: str) -> list[str]:
    r"""Read `--items a,b`. A comma that belongs to an item is written `\,`.

    Raises:
        MisuseError: there is none, or an empty one.
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
        raise MisuseError(
            f"--items {text!r} has an empty item.", remedy="Write them with commas between: --items a,b,c"
        )
    return found


def dependency(text: str) -> dict[str, Any]:
    """Read `--depends-on NAME[:CONDITION]`; how the condition is capitalized doesn't matter.

    Raises:
        MisuseError: there is no name, or no such condition.
    """
    name, colon, condition = text.partition(":")
    if not name:
        raise MisuseError(f"--depends-on {text!r} names no job.", remedy="Write NAME or NAME:CONDITION.")
    if not colon:
        return {"name": name}
    known = {each.lower(): each for each in CONDITIONS}
    if condition.lower() not in known:
        raise MisuseError(
            f"--depends-on {text!r}: {condition!r} is not a condition.", remedy=f"Allowed are {', '.join(CONDITIONS)}."
        )
    return {"name": name, "condition": known[condition.lower()]}
