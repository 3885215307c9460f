"""What holds for every field of every kind: described, bounded, structural; and small enough to be carried."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from podwright.api import generate
from podwright.api.batchjob import BATCH_JOB
from podwright.api.kind import Kind
from podwright.core.constants.names import GROUP

ITEM = ("[]", "{}")
_STRUCTURAL_KEYS = {
    "description", "type", "format", "enum", "default", "properties", "items", "additionalProperties", "required",
    "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "pattern",
    "x-kubernetes-validations", "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-map-type",
    "x-kubernetes-preserve-unknown-fields", "x-kubernetes-int-or-string", "anyOf",
}  # fmt: skip
LIST_KEYS = {
    "spec.template.spec.containers": ["name"],
    "spec.template.spec.containers[].env": ["name"],
    "spec.template.spec.containers[].volumeMounts": ["mountPath"],
    "spec.template.spec.initContainers": ["name"],
    "spec.template.spec.initContainers[].env": ["name"],
    "spec.template.spec.initContainers[].volumeMounts": ["mountPath"],
    "spec.template.spec.hostAliases": ["ip"],
    "spec.template.spec.imagePullSecrets": ["name"],
    "spec.template.spec.topologySpreadConstraints": ["topologyKey", "whenUnsatisfiable"],
    "spec.template.spec.volumes": ["name"],
    "spec.dependsOn": ["name"],
    "status.artifacts": ["name"],
    "status.conditions": ["type"],
}


def version_of(kind: Kind) -> dict[str, Any]:
    (version,) = kind.definition()["spec"]["versions"]
    return dict(version)


def nodes(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every node of a schema with its path, `[]` for the items of a list and `{}` for the values of a map."""
    yield path, schema
    for name, member in schema.get("properties", {}).items():
        yield from nodes(member, f"{path}.{name}".lstrip("."))
    if "items" in schema:
        yield from nodes(schema["items"], f"{path}[]")
    if "additionalProperties" in schema:
        yield from nodes(schema["additionalProperties"], f"{path}{{}}")


def fields(kind: Kind) -> Iterator[tuple[str, dict[str, Any]]]:
    """All nodes but the root and `metadata`, which the API server describes itself."""
    for path, schema in nodes(version_of(kind)["schema"]["openAPIV3Schema"]):
        if path and not path.startswith("metadata"):
            yield path, schema


@pytest.fixture(params=generate.KINDS, ids=lambda kind: kind.plural)
def kind(request: pytest.FixtureRequest) -> Kind:
    return request.param  # type: ignore[no-any-return]  # pytest's parameters are untyped


def test_every_field_is_described_in_sentences(kind: Kind) -> None:
    undescribed = [
        path
        for path, schema in fields(kind)
        if not path.endswith(ITEM) and not str(schema.get("description", "")).endswith((".", ".)"))
    ]
    assert undescribed == []


def test_every_list_map_string_and_number_is_bounded(kind: Kind) -> None:
    def bounded(schema: dict[str, Any]) -> bool:
        if schema.get("x-kubernetes-int-or-string"):
            return "maxLength" in schema
        match schema["type"]:
            case "string":
                return "maxLength" in schema or "enum" in schema or schema.get("format") == "date-time"
            case "array":
                return "maxItems" in schema
            case "integer":
                return schema["format"] == "int64" or {"minimum", "maximum"} <= schema.keys()
            case "object":
                return "maxProperties" in schema or "additionalProperties" not in schema
            case other:
                return bool(other == "boolean")

    assert [path for path, schema in fields(kind) if not bounded(schema)] == []


def test_structural(kind: Kind) -> None:
    def structural(schema: dict[str, Any]) -> bool:
        typed = isinstance(schema.get("type"), str) or schema.get("x-kubernetes-int-or-string")
        # The only union that a structural schema may have.
        union = schema.get("anyOf", [{"type": "integer"}, {"type": "string"}])
        return bool(typed) and schema.keys() <= _STRUCTURAL_KEYS and union == [{"type": "integer"}, {"type": "string"}]

    assert [path for path, schema in fields(kind) if not structural(schema)] == []


def test_keys_of_map_lists_are_always_there(kind: Kind) -> None:
    for path, schema in fields(kind):
        for key in schema.get("x-kubernetes-list-map-keys", ()):
            item = schema["items"]
            assert key in item["required"] or "default" in item["properties"][key], path


def test_every_list_of_objects_says_how_it_merges(kind: Kind) -> None:
    lists = {path: schema for path, schema in fields(kind) if schema.get("type") == "array"}
    assert [path for path, schema in lists.items() if "x-kubernetes-list-type" not in schema] == []
    keys = {path: schema.get("x-kubernetes-list-map-keys") for path, schema in lists.items()}
    assert {path: found for path, found in keys.items() if found} == LIST_KEYS


def test_nothing_of_a_pod_is_dropped() -> None:
    (batch_job,) = (kind for kind in generate.KINDS if kind.plural == "batchjobs")
    closed = [
        path
        for path, schema in fields(batch_job)
        if path.startswith("spec.template.spec")
        and schema.get("type") == "object"
        and "additionalProperties" not in schema
        and not schema.get("x-kubernetes-preserve-unknown-fields")
    ]
    assert closed == []


def test_every_rule_has_a_message_for_people(kind: Kind) -> None:
    rules = [rule for _, schema in fields(kind) for rule in schema.get("x-kubernetes-validations", ())]
    assert len(rules) > 10
    assert [rule for rule in rules if not rule["message"]] == []


def test_status_is_never_taken_for_current_before_the_operator_saw_the_object(kind: Kind) -> None:
    schema = version_of(kind)["schema"]["openAPIV3Schema"]
    assert schema["properties"]["status"]["default"]["observedGeneration"] == -1


def test_u12_a_job_that_no_operator_has_seen_is_pending() -> None:
    """The API server shows it, so nobody needs to write it."""
    schema = version_of(BATCH_JOB)["schema"]["openAPIV3Schema"]
    assert schema["properties"]["status"]["default"] == {
        "observedGeneration": -1,
        "phase": "Pending",
        "attemptCount": 0,
    }


def test_u8_atomic_values_have_no_defaults(kind: Kind) -> None:
    """The API server would compare what a user applies with what it filled in, and report a conflict."""
    filled = [
        path
        for path, schema in fields(kind)
        if not path.startswith("status")
        and (schema.get("x-kubernetes-map-type") == "atomic" or schema.get("x-kubernetes-list-type") == "atomic")
        for below, inner in nodes(schema, path)
        if below != path and "default" in inner
    ]
    assert filled == []


def test_what_kubectl_shows(kind: Kind) -> None:
    names = kind.definition()["spec"]["names"]
    version = version_of(kind)
    assert names["categories"] == ["podwright"]
    assert all(2 <= len(name) <= 4 for name in names["shortNames"])
    columns = version["additionalPrinterColumns"]
    assert all(column["description"] for column in columns)
    assert len([column for column in columns if not column.get("priority")]) <= 7
    assert [column["name"] for column in columns if not column.get("priority")][-1] == "Age"
    assert {"jsonPath": ".status.phase"} in version["selectableFields"]
    assert version["subresources"] == {"status": {}}


def test_files_are_small_enough_to_apply_and_to_ship(kind: Kind) -> None:
    content = generate.render(kind)
    assert len(content.encode()) < 100_000
    # `kubectl apply` puts the whole object into an annotation, which may hold 256 KiB.
    assert len(json.dumps(yaml.safe_load(content))) < 100_000
    assert yaml.safe_load(content) == kind.definition()


def test_generated_files_are_current(capsys: pytest.CaptureFixture[str]) -> None:
    assert generate.main(["--check"]) == 0, capsys.readouterr().err


def test_check_names_a_stale_file_and_writes_nothing(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate.main(["--into", str(tmp_path)]) == 0
    capsys.readouterr()
    stale = tmp_path / "crds" / f"{GROUP}_batchjobs.yaml"
    stale.write_text("changed\n", encoding="utf-8")
    assert generate.main(["--check", "--into", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith(f"crds/{GROUP}_batchjobs.yaml isn't what")
    assert stale.read_text(encoding="utf-8") == "changed\n"
