"""From a schema to objects that break it: for every field and every keyword that restricts it, one bad value.

Each case says where the API server must place the blame and what it must say is allowed.
"""

from __future__ import annotations

import copy
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Schema = dict[str, Any]
Step = str | int

_SAMPLES = ("a", "1s", "0/1")
_KEY = "key"


@dataclass(frozen=True)
class Violation:
    """`document` is valid but for the value at `path`; the refusal must contain all of `expected`."""

    path: str
    keyword: str
    document: Any
    expected: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.path}-{self.keyword}"


def violations(schema: Schema, *, base: Any, top: str) -> Iterator[Violation]:
    """Break every field below `top`, one at a time, in copies of `base`."""
    for steps, node in _fields(schema, (top,)):
        for keyword, value, where, expected in _breaches(node):
            document = copy.deepcopy(base)
            _put(document, schema, steps, value)
            yield Violation(_written(steps), keyword, document, (_written(steps) + where, *expected))
        for name in node.get("required", ()):
            document = copy.deepcopy(base)
            _put(document, schema, steps, sample(node))
            del _at(document, steps)[name]
            yield Violation(f"{_written(steps)}.{name}", "required", document, (f"{_written(steps)}.{name}: Required",))


def sample(schema: Schema) -> Any:
    """Return the smallest valid value."""
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("x-kubernetes-int-or-string"):
        return "1"
    match schema["type"]:
        case "object":
            return {name: sample(schema["properties"][name]) for name in schema.get("required", ())}
        case "array":
            return [sample(schema["items"])] * schema.get("minItems", 0)
        case "integer":
            return max(1, schema.get("minimum", 1))
        case "boolean":
            return True
    if schema.get("format") == "date-time":
        return "2026-01-01T00:00:00Z"
    return next(text for text in _SAMPLES if re.search(schema.get("pattern", ""), text))


def _fields(schema: Schema, steps: tuple[Step, ...]) -> Iterator[tuple[tuple[Step, ...], Schema]]:
    node = schema
    for step in steps:
        node = _member(node, step)
    yield steps, node
    for name in node.get("properties", {}):
        yield from _fields(schema, (*steps, name))
    if "items" in node:
        yield from _fields(schema, (*steps, 0))
    if "additionalProperties" in node:
        yield from _fields(schema, (*steps, _KEY))


def _breaches(node: Schema) -> Iterator[tuple[str, Any, str, tuple[str, ...]]]:
    """Return keyword, bad value, where below the field the blame belongs, and what the message must say."""
    if node.get("x-kubernetes-int-or-string"):
        yield "type", True, ":", ("must be of type integer,string",)
        return
    if node.get("format") == "date-time":
        yield "format", "yesterday", ":", ("must be of type date-time",)
        return
    yield "type", 1.5 if node["type"] != "number" else "a", ":", (f"must be of type {node['type']}",)
    if "enum" in node:
        yield "enum", "?", ":", ("Unsupported value", *(json.dumps(value) for value in node["enum"]))
        return
    if "minimum" in node:
        yield "minimum", node["minimum"] - 1, ":", (f"should be greater than or equal to {node['minimum']}",)
    if "maximum" in node:
        yield "maximum", node["maximum"] + 1, ":", (f"should be less than or equal to {node['maximum']}",)
    if "maxLength" in node:
        yield (
            "maxLength",
            "a" * (node["maxLength"] + 1),
            ":",
            (f"Too long: may not be more than {node['maxLength']} bytes",),
        )
    if "minLength" in node:
        yield "minLength", "", ":", (f"should be at least {node['minLength']} chars long",)
    if "pattern" in node:
        yield "pattern", "=", ":", (f"should match '{node['pattern']}'",)
    if "maxItems" in node:
        many = [sample(node["items"])] * (node["maxItems"] + 1)
        yield "maxItems", many, ":", (f"must have at most {node['maxItems']} items",)
    if "minItems" in node:
        yield "minItems", [], ":", (f"should have at least {node['minItems']} items",)
    if node.get("x-kubernetes-list-type") == "map":
        yield "duplicates", [sample(node["items"])] * 2, "[1]:", ("Duplicate value",)
    if "maxProperties" in node:
        more = {f"k{number}": sample(node["additionalProperties"]) for number in range(node["maxProperties"] + 1)}
        yield "maxProperties", more, ":", (f"must have at most {node['maxProperties']} items",)


def _member(node: Schema, step: Step) -> Schema:
    if isinstance(step, int):
        return dict(node["items"])
    if step in node.get("properties", {}):
        return dict(node["properties"][step])
    return dict(node["additionalProperties"])


def _put(document: Any, schema: Schema, steps: tuple[Step, ...], value: Any) -> None:
    """Set the value, making what is missing on the way to it valid."""
    here, node = document, schema
    for step in steps[:-1]:
        node = _member(node, step)
        here = _reach(here, step, node)
    if isinstance(steps[-1], int) and not here:
        here.append(value)
    else:
        here[steps[-1]] = value


def _reach(here: Any, step: Step, node: Schema) -> Any:
    if isinstance(step, int):
        if not here:
            here.append(sample(node))
    elif step not in here:
        here[step] = sample(node)
    return here[step]


def _at(document: Any, steps: tuple[Step, ...]) -> Any:
    for step in steps:
        document = document[step]
    return document


def _written(steps: tuple[Step, ...]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).removeprefix(".")
