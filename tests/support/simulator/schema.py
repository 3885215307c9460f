"""Structural schemas of custom resources: what is unknown is pruned, defaults are filled in, values are checked.

Compiled once from the OpenAPI of a CustomResourceDefinition into one function. CEL rules are not evaluated.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

Problems = list[tuple[str, str]]
Normalize = Callable[[Any, str, Problems], Any]

_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}
_FORMATS: Final = {
    "date-time": re.compile(r"^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$"),
}


def compile_schema(schema: Mapping[str, Any]) -> Normalize:
    """Compile to a function from value, its path and a list for problems to the normalized value."""
    if schema.get("x-kubernetes-int-or-string"):
        return _typed((int, str), "integer or string")
    kind = schema.get("type")
    if kind == "object":
        return _object(schema)
    if kind == "array":
        return _array(schema)
    if isinstance(kind, str) and kind in _TYPES:
        return _scalar(schema, kind)
    return lambda value, path, problems: value


def _typed(types: tuple[type, ...], told: str) -> Normalize:
    def normalize(value: Any, path: str, problems: Problems) -> Any:
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            problems.append((path, f"Invalid value: {path} in body must be of type {told}"))
        return value

    return normalize


def _object(schema: Mapping[str, Any]) -> Normalize:
    properties = {name: compile_schema(sub) for name, sub in schema.get("properties", {}).items()}
    defaults = [(name, sub["default"]) for name, sub in schema.get("properties", {}).items() if "default" in sub]
    nullable = {name for name, sub in schema.get("properties", {}).items() if sub.get("nullable")}
    required = schema.get("required", ())
    extra = schema.get("additionalProperties")
    others = compile_schema(extra) if isinstance(extra, Mapping) else None
    keeps = bool(schema.get("x-kubernetes-preserve-unknown-fields")) or extra is True
    embedded = ("apiVersion", "kind", "metadata") if schema.get("x-kubernetes-embedded-resource") else ()

    def normalize(value: Any, path: str, problems: Problems) -> Any:
        if not isinstance(value, dict):
            problems.append((path, f"Invalid value: {path} in body must be of type object"))
            return value
        made: dict[str, Any] = {}
        for name, item in value.items():
            rule = properties.get(name, others)
            if rule is None:
                if keeps or name in embedded:
                    made[name] = item
            elif item is None and name not in nullable:
                continue  # the API server drops a null where the schema allows none
            else:
                made[name] = rule(item, f"{path}.{name}" if path else name, problems)
        for name, default in defaults:
            if name not in made:
                made[name] = properties[name](default, f"{path}.{name}", problems)
        problems.extend((f"{path}.{name}".lstrip("."), "Required value") for name in required if name not in made)
        return made

    return normalize


def _array(schema: Mapping[str, Any]) -> Normalize:
    rule = compile_schema(schema.get("items", {}))
    most = schema.get("maxItems")
    keys = tuple(schema.get("x-kubernetes-list-map-keys", ()))

    def normalize(value: Any, path: str, problems: Problems) -> Any:
        if not isinstance(value, list):
            problems.append((path, f"Invalid value: {path} in body must be of type array"))
            return value
        if most is not None and len(value) > most:
            problems.append((path, f"Too many: {len(value)}: must have at most {most} items"))
        made = [rule(item, f"{path}[{place}]", problems) for place, item in enumerate(value)]
        if keys:
            seen = [tuple(item.get(key) for key in keys) for item in made if isinstance(item, dict)]
            if len(set(seen)) < len(seen):
                problems.append((path, "Duplicate value"))
        return made

    return normalize


def _scalar(schema: Mapping[str, Any], kind: str) -> Normalize:
    check_type = _typed(_TYPES[kind], kind)
    allowed = schema.get("enum")
    pattern = re.compile(schema["pattern"]) if "pattern" in schema else _FORMATS.get(schema.get("format", ""))
    least, most = schema.get("minimum"), schema.get("maximum")
    shortest, longest = schema.get("minLength"), schema.get("maxLength")

    def normalize(value: Any, path: str, problems: Problems) -> Any:
        before = len(problems)
        check_type(value, path, problems)
        if len(problems) > before:
            return value
        if allowed is not None and value not in allowed:
            problems.append((path, f'Unsupported value: "{value}": supported values: {", ".join(map(str, allowed))}'))
        if pattern is not None and not pattern.search(value):
            problems.append((path, f"Invalid value: \"{value}\": {path} in body should match '{pattern.pattern}'"))
        if (least is not None and value < least) or (most is not None and value > most):
            problems.append((path, f"Invalid value: {value}: {path} in body should be from {least} to {most}"))
        if (shortest is not None and len(value) < shortest) or (longest is not None and len(value) > longest):
            problems.append((path, f"Invalid value: {path} in body should be {shortest or 0} to {longest} chars long"))
        return value

    return normalize
