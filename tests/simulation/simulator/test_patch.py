from typing import Any

import pytest

from tests.support.simulator.errors import ApiError
from tests.support.simulator.patch import json_patch, merge_patch, strategic_merge_patch


@pytest.mark.parametrize(
    ("document", "patch", "want"),
    [
        # The examples of RFC 7386, appendix A.
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patch(document: Any, patch: Any, want: Any) -> None:
    assert merge_patch(document, patch) == want


@pytest.mark.parametrize(
    ("document", "patch", "want"),
    [
        ({"finalizers": ["a", "b"]}, {"$deleteFromPrimitiveList/finalizers": ["a", "x"]}, {"finalizers": ["b"]}),
        ({}, {"$deleteFromPrimitiveList/finalizers": ["a"]}, {}),
        ({"finalizers": ["a"]}, {"finalizers": ["b", "a"]}, {"finalizers": ["a", "b"]}),
        ({"x": {"y": 1}}, {"x": {"$patch": "replace", "z": 2}}, {"x": {"z": 2}}),
        (
            {"containers": [{"name": "a", "image": "1", "env": [{"name": "E", "value": "1"}]}, {"name": "b"}]},
            {"containers": [{"name": "a", "image": "2", "env": [{"name": "F"}]}]},
            {
                "containers": [
                    {"name": "a", "image": "2", "env": [{"name": "E", "value": "1"}, {"name": "F"}]},
                    {"name": "b"},
                ]
            },
        ),
        (
            {"containers": [{"name": "a"}, {"name": "b"}]},
            {"containers": [{"name": "a", "$patch": "delete"}]},
            {"containers": [{"name": "b"}]},
        ),
        ({"args": ["a"]}, {"args": ["b"]}, {"args": ["b"]}),
    ],
)
def test_strategic_merge_patch(document: Any, patch: Any, want: Any) -> None:
    assert strategic_merge_patch(document, patch) == want


@pytest.mark.parametrize(
    ("operations", "want"),
    [
        ([{"op": "add", "path": "/b/-", "value": 3}], {"a": {"x/y": 1}, "b": [1, 2, 3]}),
        ([{"op": "add", "path": "/b/0", "value": 0}], {"a": {"x/y": 1}, "b": [0, 1, 2]}),
        ([{"op": "replace", "path": "/a/x~1y", "value": 5}], {"a": {"x/y": 5}, "b": [1, 2]}),
        ([{"op": "remove", "path": "/b/1"}], {"a": {"x/y": 1}, "b": [1]}),
        ([{"op": "test", "path": "/b", "value": [1, 2]}, {"op": "remove", "path": "/a"}], {"b": [1, 2]}),
        ([{"op": "move", "from": "/a/x~1y", "path": "/c"}], {"a": {}, "b": [1, 2], "c": 1}),
        ([{"op": "copy", "from": "/b", "path": "/a/z"}], {"a": {"x/y": 1, "z": [1, 2]}, "b": [1, 2]}),
    ],
)
def test_json_patch(operations: Any, want: Any) -> None:
    document = {"a": {"x/y": 1}, "b": [1, 2]}
    assert json_patch(document, operations) == want
    assert document == {"a": {"x/y": 1}, "b": [1, 2]}, "the input was changed"


@pytest.mark.parametrize(
    ("operations", "code"),
    [
        ({"op": "add"}, 400),
        ([{"op": "test", "path": "/b", "value": 1}], 422),
        ([{"op": "remove", "path": "/nothing"}], 422),
        ([{"op": "add", "path": "/b/9", "value": 1}], 422),
        ([{"op": "invent", "path": "/b"}], 422),
        ([{"path": "/b"}], 422),
    ],
)
def test_json_patch_that_cannot_be_applied(operations: Any, code: int) -> None:
    with pytest.raises(ApiError) as caught:
        json_patch({"b": [1]}, operations)
    assert caught.value.code == code
