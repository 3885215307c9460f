import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.kube import poison
from podwright.kube.errors import DecodeError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), JSON), st.sampled_from([None, 2]), st.booleans())
def test_members_are_those_of_a_real_parser(value: dict[str, Any], indent: int | None, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode(errors="surrogatepass")
    assert {key: json.loads(raw) for key, raw in poison.members(text, value).items()} == value


@given(st.lists(JSON), st.sampled_from([None, 2]))
def test_elements_are_those_of_a_real_parser(value: list[Any], indent: int | None) -> None:
    assert [json.loads(raw) for raw in poison.elements(json.dumps(value, indent=indent).encode())] == value


@given(st.dictionaries(st.text(), JSON, min_size=1), st.data())
def test_a_text_that_was_cut_off_is_noticed(value: dict[str, Any], data: st.DataObject) -> None:
    text = json.dumps(value).encode()
    cut = text[: data.draw(st.integers(0, len(text) - 1))]
    with pytest.raises(DecodeError):
        poison.members(cut, ["no such member \x00"])


def test_depth_does_not_matter() -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    assert poison.members(b'{"a":' + deep + b',"b":1}', ["b"]) == {"b": b"1"}
    assert poison.elements(b"[" + deep + b",2]") == [deep, b"2"]


def test_wanted_members_are_enough() -> None:
    assert poison.members(b'{"a":"x","b":broken', ["a"]) == {"a": b'"x"'}


@pytest.mark.parametrize("text", [b"", b"   ", b"<html>", b"[1]", b'"text"', b"1"])
def test_what_is_no_object(text: bytes) -> None:
    with pytest.raises(DecodeError):
        poison.members(text, ["a"])


@pytest.mark.parametrize(
    ("raw", "text"), [(None, ""), (b'"a\\u00e4"', "aä"), (b"null", ""), (b"1", ""), (b"{}", ""), (b'"\\ud800"', "")]
)
def test_text(raw: bytes | None, text: str) -> None:
    assert poison.text_of(raw) == text
