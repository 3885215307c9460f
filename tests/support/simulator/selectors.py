"""Label and field selectors of lists and watches, parsed once per request into a predicate over objects."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from tests.support.simulator.errors import bad_request

Predicate = Callable[[Mapping[str, Any]], bool]

_SET: Final = re.compile(r"^\s*([^\s!=,]+)\s+(in|notin)\s*\(([^)]*)\)\s*$")
_EQUALITY: Final = re.compile(r"^\s*([^\s!=,]+)\s*(==|=|!=)\s*([^\s=!,]*)\s*$")
_EXISTENCE: Final = re.compile(r"^\s*(!?)\s*([^\s!=,()]+)\s*$")
_REQUIREMENT: Final = re.compile(r"(?:[^,(]|\([^)]*\))+")

# A custom resource has two fields to select by, unless its definition names more; a pod has these.
FIELDS: Final = ("metadata.name", "metadata.namespace")
POD_FIELDS: Final = (*FIELDS, "spec.nodeName", "status.phase", "spec.restartPolicy", "spec.schedulerName")


def label_selector(text: str) -> Predicate | None:
    """Parse a label selector; None selects everything.

    Raises:
        ApiError: 400 if it does not parse.
    """
    tests = [_label_test(requirement) for requirement in _REQUIREMENT.findall(text)]
    if not tests:
        return None

    def selects(item: Mapping[str, Any]) -> bool:
        labels = item["metadata"].get("labels") or {}
        return all(test(labels) for test in tests)

    return selects


def field_selector(text: str, *, fields: tuple[str, ...]) -> Predicate | None:
    """Parse a field selector over the given `fields`; None selects everything.

    Raises:
        ApiError: 400 if it does not parse or names another field.
    """
    tests: list[tuple[tuple[str, ...], str, bool]] = []
    for requirement in filter(None, text.split(",")):
        match = _EQUALITY.match(requirement)
        if match is None:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{requirement}'")
        if match[1] not in fields:
            raise bad_request(f"field label not supported: {match[1]}")
        tests.append((tuple(match[1].split(".")), match[3], match[2] != "!="))
    if not tests:
        return None
    return lambda item: all((_field(item, path) == value) is equal for path, value, equal in tests)


def both(first: Predicate | None, second: Predicate | None) -> Predicate | None:
    """Join two predicates, of which each may be missing."""
    if first is None or second is None:
        return first or second
    return lambda item: first(item) and second(item)


def _label_test(requirement: str) -> Callable[[Mapping[str, str]], bool]:
    if match := _SET.match(requirement):
        key, wanted = match[1], frozenset(value.strip() for value in match[3].split(","))
        if match[2] == "in":
            return lambda labels: labels.get(key) in wanted
        return lambda labels: labels.get(key) not in wanted
    if match := _EQUALITY.match(requirement):
        key, value = match[1], match[3]
        if match[2] == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if match := _EXISTENCE.match(requirement):
        key, absent = match[2], bool(match[1])
        return lambda labels: (key not in labels) is absent
    raise bad_request(f"unable to parse requirement: {requirement!r}")


def _field(item: Mapping[str, Any], path: tuple[str, ...]) -> str:
    value: Any = item
    for part in path:
        value = value.get(part) if isinstance(value, Mapping) else None
    return "" if value is None else str(value)
