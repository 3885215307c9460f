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
    [
        "",
        "done",
        "[1]",
        "{",
        '{"a":',
        '"{}"',
        "null",
        "{}",
        '{"retryAfter": null}',
        "{" * 4000,
        '{"a":' * 800,
        '{"level": "info"',
    ],
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
        ("S3://bucket/key", "S3://bucket/key"),
        ("abfss://c@a.dfs.example/x", "abfss://a.dfs.example/x"),
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
        pytest.param({"a": "javascript:alert(1)"}, id="L10 script"),
        pytest.param({"a": "javascript://x/%0aalert(1)"}, id="L10 script as a URL"),
        pytest.param({"a": "file:///etc/passwd"}, id="L10 file"),
        pytest.param({"a": "data://text/html,x"}, id="L10 data"),
        pytest.param({"a": "https://x/token=a/" + "token=a/" * 126}, id="D11 redaction makes it too long"),
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


@pytest.mark.parametrize(
    ("message", "told"),
    [
        pytest.param('{"outputs": {"a": 1e999}}', "Number out of range", id="K7 a number beyond all bounds"),
        pytest.param('{"outputs": {"a": "\\ud800"}}', "no valid JSON", id="K7 half a surrogate pair"),
        pytest.param('{"outputs": ' + '{"a":' * 1900 + "1" + "}" * 1901, "nested too deeply", id="K7 1,900 levels"),
        pytest.param(
            ('{"outputs": {"a": "' + "x" * 5000)[:4096], "the kubelet keeps 4096 bytes", id="K7 cut by the kubelet"
        ),
        pytest.param('{"outputs": {"a": 9223372036854775808}}', "beyond 64 bits", id="K7 an integer beyond 64 bits"),
        pytest.param('{"outputs": {"a": -9223372036854775809}}', "beyond 64 bits", id="K7 a negative one"),
    ],
)
def test_outputs_never_vanish_without_a_word(message: str, told: str) -> None:
    report = read_report(message)
    assert report.outputs == ""
    assert told in report.ignored[0]


def test_k7_a_byte_order_mark_is_no_part_of_a_report() -> None:
    assert read_report('\ufeff{"outputs": {"a": 9223372036854775807}}').outputs == '{"a":9223372036854775807}'


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
    assert all(1 <= len(name) <= 63 and 1 <= len(url) <= 1024 for name, url in report.artifacts), "D11"
    assert not set(report.outputs) & {"\u200b", "\u202e"}


URLS = st.builds(
    lambda scheme, path: f"{scheme}://{path}",
    st.sampled_from(["s3", "https"]),
    st.lists(st.sampled_from(["token=a", "password=b", "/", "x" * 200, "k", "\u200b", "@", "sk-" + "a" * 30])).map(
        "".join
    ),
)


@given(st.dictionaries(st.sampled_from(["a", "token=x", "n" * 60, "password=" + "x" * 50]), URLS, min_size=1))
def test_d11_what_redaction_makes_longer_still_fits_the_schema(artifacts: dict[str, str]) -> None:
    report = read(artifacts=artifacts)
    assert bool(report.artifacts) is not bool(report.ignored)
    assert all(1 <= len(name) <= 63 and 1 <= len(url) <= 1024 for name, url in report.artifacts)
