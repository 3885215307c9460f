"""From pydantic's JSON schema to the structural OpenAPI v3 schema that a CustomResourceDefinition needs.

Used by `kind`. Structural means: every node has one type, nothing is referred to, and the logical keywords (`anyOf`)
only narrow what is already described (Kubernetes: "Specifying a structural schema"). Works for any model whose fields
are of the types in `scalars`, models, lists and maps.
"""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from podwright.api.model import VALIDATIONS

Schema = dict[str, Any]

_PRESERVE: Final = "x-kubernetes-preserve-unknown-fields"
_INT_OR_STRING: Final = "x-kubernetes-int-or-string"
# A key's place in the file; what isn't named follows in alphabetical order, members come last.
_ORDER: Final = ("description", "type", "format", "enum", "default")
_LAST: Final = (VALIDATIONS, "required", "properties", "items", "additionalProperties")


class NotStructuralError(ValueError):
    """A model uses something that a CRD's schema can't say; the message names the place."""


def structural_schema(model: type[BaseModel]) -> Schema:
    """Return the schema of `model` without references.

    Raises:
        NotStructuralError: a field is of a union or another type that has no structural form.
    """
    document = model.model_json_schema(by_alias=True, mode="validation")
    return _node(document, document.get("$defs", {}), model.__name__)


def _node(source: Mapping[str, Any], definitions: Mapping[str, Schema], path: str) -> Schema:
    schema = _resolved(source, definitions, path)
    for noise in ("title", "$defs"):
        schema.pop(noise, None)
    if "const" in schema:
        schema["enum"] = [schema.pop("const")]
    if "default" in schema:
        schema["default"] = _without_nulls(schema["default"])
        if schema["default"] is None:
            del schema["default"]
    if _INT_OR_STRING in schema or schema.get(_PRESERVE):
        return _ordered(schema)
    if "type" not in schema:
        raise NotStructuralError(f"{path}: has no single type: {schema}")
    if "items" in schema:
        schema["items"] = _item(_node(schema["items"], definitions, f"{path}[]"))
    if "properties" in schema:
        schema["properties"] = {
            name: _node(member, definitions, f"{path}.{name}") for name, member in schema["properties"].items()
        }
    _settle_additional(schema, definitions, path)
    return _ordered(schema)


def _resolved(source: Mapping[str, Any], definitions: Mapping[str, Schema], path: str) -> Schema:
    """Follow references and drop the null of optional fields; what stands beside wins over what is referred to."""
    schema = dict(source)
    if "$ref" in schema:
        target = _resolved(definitions[schema.pop("$ref").rpartition("/")[2]], definitions, path)
        schema = _merged(target, schema)
    if "anyOf" in schema and _INT_OR_STRING not in schema:
        options = [option for option in schema.pop("anyOf") if option.get("type") != "null"]
        if len(options) != 1:
            raise NotStructuralError(f"{path}: is a union of {len(options)} types")
        schema = _merged(_resolved(options[0], definitions, path), schema)
    return schema


def _merged(base: Schema, over: Schema) -> Schema:
    rules = [*base.get(VALIDATIONS, []), *over.get(VALIDATIONS, [])]
    return {**base, **over, **({VALIDATIONS: rules} if rules else {})}


def _item(schema: Schema) -> Schema:
    """Leave out what describes each item: the list's own description says it, and files stay small."""
    return {key: value for key, value in schema.items() if key != "description"}


def _settle_additional(schema: Schema, definitions: Mapping[str, Schema], path: str) -> None:
    additional = schema.pop("additionalProperties", None)
    if isinstance(additional, Mapping):
        schema["additionalProperties"] = _item(_node(additional, definitions, f"{path}{{}}"))
    elif additional is True:
        schema[_PRESERVE] = True


def _without_nulls(default: Any) -> Any:
    """Leave out of a model's default what is absent by default."""
    if isinstance(default, Mapping):
        return {key: _without_nulls(value) for key, value in default.items() if value is not None}
    return default


def _ordered(schema: Schema) -> Schema:
    middle = sorted(key for key in schema if key not in _ORDER and key not in _LAST)
    return {key: schema[key] for key in (*_ORDER, *middle, *_LAST) if key in schema}
