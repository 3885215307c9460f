"""The vocabulary in which the API's models are written: base classes, and what OpenAPI has no word for.

Used by every model of this package and by `structural`. Knows nothing of a particular kind.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler
from pydantic.alias_generators import to_camel
from pydantic.config import JsonDict
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

VALIDATIONS: Final = "x-kubernetes-validations"


class ApiModel(BaseModel):
    """An object whose fields are all known. The API server drops others, or refuses them if the client asks for that."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, serialize_by_alias=True, extra="forbid", frozen=True
    )


class OpenModel(ApiModel):
    """An object of which only the common fields are described; all others are kept and passed on untouched."""

    model_config = ConfigDict(extra="allow")


# Compared by identity, since types with annotations must be hashable and the keywords are not.
@dataclass(frozen=True, kw_only=True, eq=False)
class Extra:
    """Annotation that adds keywords to a type's JSON schema, such as `x-kubernetes-list-type`."""

    keywords: Mapping[str, Any]

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Add the keywords; called by pydantic."""
        schema = handler(core)
        rules = [*schema.get(VALIDATIONS, []), *self.keywords.get(VALIDATIONS, [])]
        return {**schema, **self.keywords, **({VALIDATIONS: rules} if rules else {})}


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One CEL rule, checked by the API server (Kubernetes: "CustomResourceDefinition validation rules").

    `rule` sees the annotated value as `self` and, if it mentions `oldSelf`, is checked on updates only. `message` says
    what is wrong and what is allowed; `message_expression` is a CEL expression that gives a better one. `field_path`
    is the field to blame if it isn't the annotated one.
    """

    rule: str
    message: str
    message_expression: str = ""
    field_path: str = ""

    def as_schema(self) -> JsonDict:
        """Return the rule as an entry of `x-kubernetes-validations`."""
        entry: JsonDict = {"rule": self.rule, "message": self.message}
        if self.message_expression:
            entry["messageExpression"] = self.message_expression
        if self.field_path:
            entry["fieldPath"] = self.field_path
        return entry


def rules(*each: Rule) -> Extra:
    """Attach CEL rules to a field or type."""
    return Extra(keywords={VALIDATIONS: [rule.as_schema() for rule in each]})


def validated_by(*each: Rule) -> ConfigDict:
    """Return the `model_config` that attaches CEL rules to a whole model."""
    return ConfigDict(json_schema_extra={VALIDATIONS: [rule.as_schema() for rule in each]})


def immutable(*, remedy: str) -> Extra:
    """Forbid to change a field that is set. `remedy` tells what to do instead."""
    return rules(Rule(rule="self == oldSelf", message=f"is immutable: {remedy}"))


def list_map(*keys: str) -> Extra:
    """Make a list of objects a map: entries are told apart by `keys`, so that several writers can own one each."""
    return Extra(keywords={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)})


ATOMIC: Final = Extra(keywords={"x-kubernetes-list-type": "atomic"})
SET: Final = Extra(keywords={"x-kubernetes-list-type": "set"})
ATOMIC_MAP: Final = Extra(keywords={"x-kubernetes-map-type": "atomic"})
