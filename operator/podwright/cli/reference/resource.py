"""A kind's fields, as tables: one for each object, with the rules that the API server checks."""

from collections.abc import Iterator, Mapping
from typing import Any

from podwright.api.kind import Kind
from podwright.cli.reference.sections import table

Schema = Mapping[str, Any]


def columns(kind: Kind) -> str:
    """How kubectl names and shows the kind."""
    names = ", ".join(f"`{name}`" for name in (kind.plural, kind.kind.lower(), *kind.short_names))
    selectable = ", ".join(f"`{path.removeprefix('.')}`" for path in kind.selectable_fields) or "none"
    rows = [(column.name.upper(), "wide" if column.wide else "", column.description) for column in kind.columns]
    return (
        f"Names for kubectl: {names}. Fields for `--field-selector`, besides `metadata.name` and `metadata.namespace`: "
        f"{selectable}.\n\n" + table(("Column", "Shown with `-o`", "Meaning"), rows)
    )


def fields(kind: Kind) -> str:
    """All fields of spec and status."""
    definition = kind.definition()
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    parts = [part for name in ("spec", "status") for part in _object(schema["properties"][name], path=name)]
    return "\n\n".join(parts)


def _object(schema: Schema, *, path: str) -> Iterator[str]:
    yield f"### {path}"
    if description := schema.get("description"):
        yield description
    required = schema.get("required", ())
    properties: Mapping[str, Schema] = schema["properties"]
    yield table(
        ("Field", "Type", "Meaning"),
        [
            (f"`{name}`", _type(member) + (", required" if name in required else ""), member.get("description", ""))
            for name, member in properties.items()
        ],
    )
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        yield "Fields that are not described here are passed on untouched."
    rules = [*_rules(schema, name="")]
    for name, member in properties.items():
        # Those of an object stand where it has its own table.
        rules += [] if _inner(member)[0].get("properties") else _rules(member, name=name)
    if rules:
        yield "The API server refuses what breaks one of these rules:"
        yield "\n".join(dict.fromkeys(rules))
    for name, member in properties.items():
        inner, suffix = _inner(member)
        if inner.get("properties"):
            yield from _object({**inner, **_described(member)}, path=f"{path}.{name}{suffix}")


def _inner(schema: Schema) -> tuple[Schema, str]:
    """What a list's items or a map's values look like, and how that is written in a path; else the schema itself."""
    if "items" in schema:
        return schema["items"], "[]"
    if "additionalProperties" in schema:
        return schema["additionalProperties"], "{}"
    return schema, ""


def _described(schema: Schema) -> Schema:
    return {"description": schema["description"]} if "description" in schema else {}


def _rules(schema: Schema, *, name: str) -> Iterator[str]:
    for rule in schema.get("x-kubernetes-validations", ()):
        field = name + rule.get("fieldPath", "")
        yield f"- `{field.removeprefix('.')}`: {rule['message']}" if field else f"- {rule['message']}"


def _type(schema: Schema) -> str:
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("x-kubernetes-int-or-string"):
        return "integer or string"
    if schema.get("type") == "array":
        keys = schema.get("x-kubernetes-list-map-keys")
        told_apart = f" told apart by {', '.join(f'`{key}`' for key in keys)}" if keys else ""
        most = f", at most {schema['maxItems']}" if "maxItems" in schema else ""
        return f"list of {_type(schema['items'])}s{told_apart}{most}"
    if "additionalProperties" in schema:
        return f"map of {_type(schema['additionalProperties'])}s"
    if schema.get("format") == "date-time":
        return "time"
    return str(schema.get("type", "any")) + _bounds(schema)


def _bounds(schema: Schema) -> str:
    # The bounds of the format itself say nothing to a person.
    least, most = schema.get("minimum"), schema.get("maximum")
    bounds = [f"from {least}"] if least is not None and least > -(2**31) else []
    if most is not None and most < 2**31 - 1:
        bounds.append(f"to {most}")
    return f" {' '.join(bounds)}" if bounds else ""
