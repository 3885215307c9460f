"""Evaluates a CRD's rules in CEL (`x-kubernetes-validations`) on an object, as the API server does when it is created. Pure.

Sources: "Validation rules" and "Common Expression Language in Kubernetes" of the Kubernetes documentation. Rules about changes
(`oldSelf`) don't apply to new objects. The library is imported when the first rule is evaluated, since little else needs it.
"""

from __future__ import annotations

import copy
import functools
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from podwright.core.values.quantity import parse_quantity

if TYPE_CHECKING:
    from cel_expr_python import cel

Schema = Mapping[str, Any]
_NAME: Final = re.compile(r"(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_DNS_SUBDOMAIN: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_OLD: Final = re.compile(r"\boldSelf\b")


def with_defaults(value: Any, schema: Schema) -> Any:
    """Return a value as it is stored: defaults filled in, nulls left out. The given value stays as it is."""
    if isinstance(value, dict):
        known: Mapping[str, Schema] = schema.get("properties") or {}
        others = schema.get("additionalProperties")
        filled = {name: member for name, member in value.items() if member is not None}
        for name, each in known.items():
            if name not in filled and "default" in each:
                filled[name] = copy.deepcopy(each["default"])
        return {
            name: with_defaults(member, known.get(name) or (others if isinstance(others, Mapping) else {}))
            for name, member in filled.items()
        }
    if isinstance(value, list):
        return [with_defaults(item, schema.get("items") or {}) for item in value]
    return value


def rule_problems(value: Any, schema: Schema, path: str, *, errors: bool = True) -> Iterator[str]:
    """Return the rules that a value with its defaults breaks, each as `path: message`.

    A rule whose evaluation fails is broken, too, unless `errors` is false: where a value has the wrong type, that says nothing new.
    """
    for rule in schema.get("x-kubernetes-validations") or ():
        if not _OLD.search(rule["rule"]) and (problem := _problem(rule, value, errors=errors)):
            yield f"{path}{rule.get('fieldPath', '')}: {problem}"
    if isinstance(value, dict):
        known: Mapping[str, Schema] = schema.get("properties") or {}
        others = schema.get("additionalProperties")
        for name, member in value.items():
            inner = known.get(name) or (others if isinstance(others, Mapping) else None)
            if inner is not None:
                yield from rule_problems(member, inner, f"{path}.{name}", errors=errors)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from rule_problems(item, schema.get("items") or {}, f"{path}[{number}]", errors=errors)


def left_to_the_server(schema: Schema, path: str) -> Iterator[str]:
    """Return the rules for new objects that can't be evaluated here, each as `path: rule`: the API server may know more functions."""
    for rule in schema.get("x-kubernetes-validations") or ():
        if not _OLD.search(rule["rule"]) and _compiled(rule["rule"]) is None:
            yield f"{path}: {rule['rule']}"
    for name, inner in (schema.get("properties") or {}).items():
        yield from left_to_the_server(inner, f"{path}.{name}")
    for key, written in (("items", "[]"), ("additionalProperties", ".*")):
        if isinstance(schema.get(key), Mapping):
            yield from left_to_the_server(schema[key], path + written)


def _problem(rule: Mapping[str, str], value: Any, *, errors: bool) -> str:
    """Return the message of a rule that the value breaks; "" if it keeps it."""
    found = _evaluated(rule["rule"], value)
    if found is None or found.value() is True or (found.type().name() == "ERROR" and not errors):
        return ""
    made = _evaluated(rule["messageExpression"], value) if "messageExpression" in rule else None
    if made is not None and made.type().name() == "STRING":
        return str(made.value())
    return rule.get("message") or f"failed rule: {rule['rule']}"


def _evaluated(expression: str, value: Any) -> cel.Value | None:
    compiled = _compiled(expression)
    return None if compiled is None else compiled.eval(data={"self": value})


@functools.cache
def _compiled(expression: str) -> cel.Expression | None:
    try:
        return _environment().compile(expression)
    except RuntimeError:  # a function that only an API server has
        return None


@functools.cache
def _environment() -> cel.Env:
    from cel_expr_python import cel
    from cel_expr_python.ext import ext_strings

    kinds = cel.Type
    text, texts = kinds.STRING, kinds.List(kinds.STRING)
    functions = {
        "isQuantity": cel.Overload("is_quantity", kinds.BOOL, [text], False, _is_quantity),
        # A quantity is only ever compared, so that its text will do.
        "quantity": cel.Overload("quantity", text, [text], False, lambda written: written),
        "compareTo": cel.Overload("quantity_compare_to", kinds.INT, [text, text], True, _compare),
        "find": cel.Overload("find", text, [text, text], True, _first),
        "findAll": cel.Overload("find_all", texts, [text, text], True, _matches),
        "sum": cel.Overload("sum", kinds.INT, [kinds.List(kinds.INT)], True, sum),
        "format.qualifiedName": cel.Overload("qualified_name", text, [], False, lambda: "qualifiedName"),
        "validate": cel.Overload("validate_format", texts, [text, text], True, lambda _, name: _qualified(name)),
        "hasValue": cel.Overload("has_value", kinds.BOOL, [texts], True, bool),
    }
    declared = [cel.FunctionDecl(name, [overload]) for name, overload in functions.items()]
    return cel.NewEnv(variables={"self": kinds.DYN}, extensions=[ext_strings.ExtStrings()], functions=declared)


def _is_quantity(text: str) -> bool:
    try:
        parse_quantity(text)
    except ValueError:
        return False
    return text == text.strip()


def _compare(one: str, other: str) -> int:
    left, right = parse_quantity(one), parse_quantity(other)
    return (left > right) - (left < right)


def _matches(text: str, pattern: str) -> list[str]:
    return [match.group() for match in re.finditer(pattern, text)]  # the patterns are the CRD's own, and simple


def _first(text: str, pattern: str) -> str:
    return next(iter(_matches(text, pattern)), "")


def _qualified(name: str) -> list[str]:
    """Return what is wrong with the key of a label or annotation."""
    prefix, slash, rest = name.rpartition("/")
    fits = len(rest) <= 63 and _NAME.fullmatch(rest) is not None
    if slash:
        fits = fits and len(prefix) <= 253 and _DNS_SUBDOMAIN.fullmatch(prefix) is not None
    return [] if fits else ["is no qualified name"]
