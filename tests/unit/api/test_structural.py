"""The generator on small models: each construct that a kind may use, and those that no CRD can say."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from podwright.api.model import ApiModel, OpenModel, Rule, list_map, rules, validated_by
from podwright.api.structural import NotStructuralError, structural_schema


class Inner(OpenModel):
    """Described by itself."""

    model_config = validated_by(Rule(rule="true", message="of the model"))

    some_name: Annotated[str, Field(max_length=5)] = Field(description="A name.")


class Outer(ApiModel):
    """The root."""

    required: Inner = Field(description="Described by the field.")
    ruled: Annotated[Inner, rules(Rule(rule="true", message="of the field"))] | None = Field(None, description="Two.")
    listed: Annotated[list[Inner], Field(max_length=2), list_map("someName")] | None = Field(None, description="List.")
    mapped: dict[str, Annotated[str, Field(max_length=3)]] | None = Field(None, description="Map.")
    only: Literal["One"] = Field("One", description="Constant.")
    default: Inner = Field(Inner(some_name="x"), description="With default.")


def test_references_are_replaced_and_the_fields_description_wins() -> None:
    schema = structural_schema(Outer)
    assert schema["description"] == "The root."
    assert schema["required"] == ["required"]
    assert schema["properties"]["required"] == {
        "description": "Described by the field.",
        "type": "object",
        "x-kubernetes-preserve-unknown-fields": True,
        "x-kubernetes-validations": [{"rule": "true", "message": "of the model"}],
        "required": ["someName"],
        "properties": {"someName": {"description": "A name.", "type": "string", "maxLength": 5}},
    }


def test_rules_of_model_and_field_add_up() -> None:
    found = structural_schema(Outer)["properties"]["ruled"]["x-kubernetes-validations"]
    assert [rule["message"] for rule in found] == ["of the model", "of the field"]


def test_lists_and_maps_keep_their_bounds_and_drop_descriptions_of_items() -> None:
    properties = structural_schema(Outer)["properties"]
    assert properties["listed"]["maxItems"] == 2
    assert properties["listed"]["x-kubernetes-list-map-keys"] == ["someName"]
    assert "description" not in properties["listed"]["items"]
    assert properties["mapped"]["additionalProperties"] == {"type": "string", "maxLength": 3}


def test_constants_and_defaults() -> None:
    properties = structural_schema(Outer)["properties"]
    assert properties["only"] == {"description": "Constant.", "type": "string", "enum": ["One"], "default": "One"}
    assert properties["default"]["default"] == {"someName": "x"}
    assert "default" not in properties["mapped"]


class Union(ApiModel):
    """No structural form."""

    field: int | str | None = Field(None, description="Either.")


class Untyped(ApiModel):
    """No structural form either."""

    field: Any = Field(None, description="Anything.")


@pytest.mark.parametrize(
    ("model", "message"),
    [(Union, "Union.field: is a union of 2 types"), (Untyped, "Untyped.field: has no single type")],
)
def test_what_has_no_structural_form_is_refused_by_name(model: type[ApiModel], message: str) -> None:
    with pytest.raises(NotStructuralError, match=message):
        structural_schema(model)
