"""A kind: a model together with what the API server and kubectl must know to serve and show it."""

from dataclasses import dataclass
from typing import Any, Literal

from podwright.api.model import ApiModel
from podwright.api.structural import structural_schema
from podwright.core.constants.names import GROUP, VERSION

CATEGORY = "podwright"


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of `kubectl get`; `wide` ones appear with `-o wide` only."""

    name: str
    path: str
    description: str
    type: Literal["string", "integer", "number", "boolean", "date"] = "string"
    wide: bool = False

    def as_column(self) -> dict[str, Any]:
        """Return the entry of `additionalPrinterColumns`."""
        column = {"name": self.name, "type": self.type, "description": self.description, "jsonPath": self.path}
        return {**column, "priority": 1} if self.wide else column


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of the group. `model` has the fields `spec` and `status`; its docstring describes the kind."""

    model: type[ApiModel]
    kind: str
    plural: str
    short_names: tuple[str, ...]
    columns: tuple[Column, ...]
    selectable_fields: tuple[str, ...] = ()
    cluster_scoped: bool = False
    name_limit: int = 253

    @property
    def crd_name(self) -> str:
        """Name of the CustomResourceDefinition."""
        return f"{self.plural}.{GROUP}"

    def definition(self) -> dict[str, Any]:
        """Return the CustomResourceDefinition as a manifest."""
        version: dict[str, Any] = {
            "name": VERSION,
            "served": True,
            "storage": True,
            "additionalPrinterColumns": [column.as_column() for column in self.columns],
            "subresources": {"status": {}},
            "schema": {"openAPIV3Schema": _with_type_meta(structural_schema(self.model), self)},
        }
        if self.selectable_fields:
            version["selectableFields"] = [{"jsonPath": path} for path in self.selectable_fields]
        return {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": self.crd_name},
            "spec": {
                "group": GROUP,
                "scope": "Cluster" if self.cluster_scoped else "Namespaced",
                "names": {
                    "kind": self.kind,
                    "listKind": f"{self.kind}List",
                    "plural": self.plural,
                    "singular": self.kind.lower(),
                    "shortNames": list(self.short_names),
                    "categories": [CATEGORY],
                },
                "versions": [version],
            },
        }


def _with_type_meta(schema: dict[str, Any], kind: Kind) -> dict[str, Any]:
    type_meta = {
        "apiVersion": {"type": "string", "maxLength": 253, "description": f"{GROUP}/{VERSION}."},
        "kind": {"type": "string", "maxLength": 63, "description": f"{kind.kind}."},
        # The API server describes metadata itself; a schema may only restrict the name.
        "metadata": {"type": "object", "properties": {"name": {"type": "string", "maxLength": kind.name_limit}}},
    }
    return {**schema, "properties": {**type_meta, **schema["properties"]}}
