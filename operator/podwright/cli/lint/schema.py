"""Checks an object against the schema of its CRD, as the API server does, but for the rules in CEL (`rules`). Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]
_PYTHON: Mapping[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
}
_ARTICLES = {"object": "an object", "array": "a list", "integer": "an integer", "boolean": "true or false"}
_LONGEST_SHOWN = 40


def problems(value: Any, schema: Schema, path: str) -> Iterator[str]:
    """Return what is wrong with a value, each as `path: what`."""
    if value is None:
        return  # the API server drops it
    if schema.get("x-kubernetes-int-or-string"):
        if isinstance(value, bool) or not isinstance(value, int | str):
            yield f"{path}: must be an integer or a string, not {shown(value)}"
        return
    kind = schema.get("type")
    if kind is not None and not _is_a(value, kind):
        yield f"{path}: must be {_ARTICLES.get(kind, f'a {kind}')}, not {shown(value)}{_hint(value, schema)}"
        return
    if isinstance(value, dict):
        yield from _object(value, schema, path)
    elif isinstance(value, list):
        yield from _list(value, schema, path)
    else:
        yield from _scalar(value, schema, path)


def _hint(value: Any, schema: Schema) -> str:
    """Return how a number may have been meant for a string that the schema accepts; empty for anything else."""
    if schema.get("type") != "string" or isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    if not any(_scalar(str(value), schema, "")):
        return f"; put it in quotes: {str(value)!r}"
    seconds = f"{value}s"
    return "" if any(_scalar(seconds, schema, "")) else f"; a duration needs a unit: {seconds}"


def shown(value: Any) -> str:
    """Return a value as a message shows it."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def unknown_field(path: str, name: str, known: Iterable[str]) -> str:
    """Say that there is no such field, and which one may have been meant."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"{path}.{name}: unknown field{f'; did you mean {close[0]}?' if close else ''}"


def _is_a(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _PYTHON[kind]) or (kind == "integer" and isinstance(value, float) and value.is_integer())


def _object(value: dict[str, Any], schema: Schema, path: str) -> Iterator[str]:
    known: Mapping[str, Schema] = schema.get("properties") or {}
    others = schema.get("additionalProperties")
    for name in schema.get("required") or ():
        if value.get(name) is None:
            yield f"{path}.{name}: required"
    for name, member in value.items():
        if name in known:
            yield from problems(member, known[name], f"{path}.{name}")
        elif isinstance(others, Mapping):
            yield from problems(member, others, f"{path}.{name}")
        elif known and not schema.get("x-kubernetes-preserve-unknown-fields"):
            yield unknown_field(path, str(name), known)


def _list(value: list[Any], schema: Schema, path: str) -> Iterator[str]:
    least, most = schema.get("minItems", 0), schema.get("maxItems")
    if len(value) < least:
        yield f"{path}: must have at least {least} item{'s' * (least != 1)}"
    if most is not None and len(value) > most:
        yield f"{path}: must have at most {most} items, not {len(value)}"
    keys = schema.get("x-kubernetes-list-map-keys") or ()
    seen: set[tuple[Any, ...]] = set()
    for number, item in enumerate(value):
        yield from problems(item, schema.get("items") or {}, f"{path}[{number}]")
        if keys and isinstance(item, dict):
            identity = tuple(str(item.get(key)) for key in keys)
            if identity in seen:
                yield f"{path}[{number}]: duplicate {' and '.join(keys)} {', '.join(identity)}"
            seen.add(identity)


def _scalar(value: Any, schema: Schema, path: str) -> Iterator[str]:
    allowed = schema.get("enum")
    if allowed is not None and value not in allowed:
        close = difflib.get_close_matches(str(value), [str(each) for each in allowed], n=1, cutoff=0.6)
        meant = f"; did you mean {close[0]}?" if close else ""
        choice = f"{'one of ' if len(allowed) > 1 else ''}{', '.join(map(str, allowed))}"
        yield f"{path}: must be {choice}, not {shown(value)}{meant}"
        return
    if isinstance(value, str):
        least, most = schema.get("minLength", 0), schema.get("maxLength")
        if len(value) < least:
            yield f"{path}: must not be empty" if least == 1 else f"{path}: must have at least {least} characters"
        elif most is not None and len(value) > most:
            yield f"{path}: must have at most {most} characters, not {len(value)}"
        elif "pattern" in schema and re.search(schema["pattern"], value) is None:
            yield f"{path}: {shown(value)} does not match {schema['pattern']}"
    elif isinstance(value, int | float) and not isinstance(value, bool):
        low, high = schema.get("minimum"), schema.get("maximum")
        if low is not None and value < low:
            yield f"{path}: must be at least {low}, not {value}"
        elif high is not None and value > high:
            yield f"{path}: must be at most {high}, not {value}"
