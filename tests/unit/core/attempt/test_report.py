"""What a task tells in its termination message."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.core.attempt.report import ARTIFACTS_LIMIT, NO_REPORT, OUTPUTS_LIMIT, Report, read_report


def read(**told: Any) -> Report:
    """Read a report of these fields."""
    return read_report(json.dumps(told))


@pytest.mark.parametrize(
    "message",
    ["", "done", "[1]", "{", '{"a":', '"{}"', "null", "{}", '{"retryAfter": null}', "{" * 4000, '{"a":' * 800],
)
def test_what_is_no_report(message: str) -> None:
    assert read_report(message) == NO_REPORT


@pytest.mark.parametrize(
    ("value", "want"),
    [("30s", 30), ("1h30m", 5400), ("500ms", 1), (0, 0), (12, 12), (1.2, 2), ("99999h", 86_400), (10**30, 86_400)],
)
def test_delay(value: Any, want: int) -> None:
    assert read(retryAfter=value) == Report(delay=want)


@pytest.mark.parametrize("value", [-1, True, "soon", "", [], {}, "-1s", {"seconds": 1}])
def test_an_unusable_delay_is_ignored_and_told(value: Any) -> None:
    report = read(retryAfter=value)
    assert report.delay is None
    assert report.ignored == ("retryAfter was ignored: it must be a number of seconds or a duration such as 30s",)


def test_outputs_are_kept_as_json_without_secrets_and_nulls() -> None:
    outputs = {
        "rows": 12,
        "ok": True,
        "nested": {"none": None, "list": [1.5, "x\x1b[0m"]},
        "db_password": "hunter2",
        "log": "token=abc",
    }
    assert json.loads(read(outputs=outputs).outputs) == {
        "rows": 12,
        "ok": True,
        "nested": {"list": [1.5, "x"]},
        "db_password": "[redacted]",
        "log": "token=[redacted]",
    }


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ([1], "it must be an object"),
        ("x", "it must be an object"),
        ({"a": "x" * OUTPUTS_LIMIT}, f"bytes as JSON, and at most {OUTPUTS_LIMIT} are kept"),
        ({"a": json.loads("[" * 17 + "]" * 17)}, "nested deeper than 16 levels"),
    ],
)
def test_unusable_outputs_are_ignored_and_told(value: Any, told: str) -> None:
    report = read(outputs=value, retryAfter=1)
    assert (report.outputs, report.delay) == ("", 1)
    assert told in report.ignored[0]


@pytest.mark.parametrize(
    ("url", "want"),
    [
        ("s3://bucket/key", "s3://bucket/key"),
        ("https://me:secret@host:8443/a/b?X-Amz-Signature=x#part", "https://host:8443/a/b"),
        ("https://host?token=x", "https://host"),
        ("file:///data/x", "file:///data/x"),
        ("gs://b/a@b", "gs://b/a@b"),
        ("https://a@b@host/x", "https://host/x"),
    ],
)
def test_artifacts(url: str, want: str) -> None:
    assert read(artifacts={"model": url}).artifacts == (("model", want),)


@pytest.mark.parametrize(
    "artifacts",
    [
        [],
        "s3://x",
        {"a": 1},
        {"a": "no url"},
        {"a": "javascript:alert(1)"},
        {"a": "https://x/ y"},
        {"a": "https://x/" + "y" * 1024},
        {"": "s3://b/k"},
        {"n" * 64: "s3://b/k"},
        {"a": "s3://b/k", "a\x00": "s3://b/k"},
        {f"n{n}": "s3://b/k" for n in range(ARTIFACTS_LIMIT + 1)},
    ],
)
def test_unusable_artifacts_are_ignored_and_told(artifacts: Any) -> None:
    report = read(artifacts=artifacts)
    assert report.artifacts == ()
    assert len(report.ignored) == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
)


@given(st.dictionaries(st.sampled_from(["retryAfter", "outputs", "artifacts", "x"]), JSON))
def test_no_report_breaks_anything(told: dict[str, Any]) -> None:
    report = read_report(json.dumps(told))
    assert report.delay is None or 0 <= report.delay <= 86_400
    assert len(report.outputs.encode()) <= OUTPUTS_LIMIT
    assert not report.outputs or isinstance(json.loads(report.outputs), dict)
