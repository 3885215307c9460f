"""What a task tells on its end: a JSON object in the termination message, with `retryAfter`, `outputs` and `artifacts`.

Whatever is malformed is left out and said so in `ignored`, for the status message: a report never changes how an attempt
ended. It is written by the job's own program, so every part has bounds, and nothing of it is interpreted but what is named here.
"""

import math
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import re2

from podwright.core.attempt.redaction import REPLACEMENT, names_secret, redacted
from podwright.core.values.duration import parse_duration

OUTPUTS_LIMIT: Final = 4096
"""Most bytes of the outputs as JSON."""
MESSAGE_BYTES: Final = 4096
"""As long as the kubelet lets a termination message be."""
ARTIFACTS_LIMIT: Final = 32
_DEPTH_LIMIT: Final = 16
_LONGEST_DELAY: Final = 24 * 3600
_NAME_LIMIT: Final = 63
_URL_LIMIT: Final = 1024
# Where results are kept. A link of any other scheme (javascript:, file:, data:) is nothing that a reader should be able to click on.
SCHEMES: Final = (
    *(
        "http",
        "https",
        "s3",
        "s3a",
        "gs",
        "az",
        "abfs",
        "abfss",
        "wasb",
        "wasbs",
        "adl",
        "hdfs",
        "webhdfs",
        "oci",
        "oss",
        "cos",
    ),
    *("ftp", "ftps", "sftp", "minio", "b2", "swift", "dbfs", "mlflow", "docker", "ipfs", "dvc"),
)
# Scheme, user and password, host, path; query and fragment are left away: they are where signed URLs carry the signature.
_URL: Final = re2.compile(
    rf"\A((?i:{'|'.join(SCHEMES)})://)(?:[^/?#\s]*@)?([^/?#@\s]*)([^?#\s\x00-\x20\x7f]*)(?:[?#]\S*)?\z"
)
_PARTS: Final = ("retryAfter", "outputs", "artifacts")
_LEAST_INTEGER: Final = -(2**63)  # what the API server keeps exactly
_GREATEST_INTEGER: Final = 2**63 - 1


class Report(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`delay` in whole seconds, None if none was asked for. `outputs` is a JSON object as text, "" if there are none."""

    delay: int | None = None
    outputs: str = ""
    artifacts: tuple[tuple[str, str], ...] = ()
    ignored: tuple[str, ...] = ()


NO_REPORT: Final = Report()


class _UnusableError(ValueError):
    """A part of the report can't be used; the text says why."""


def read_report(message: str) -> Report:
    """Read a termination message. One that is no JSON object is just a message, unless it was surely meant to be one."""
    text = message.lstrip("\ufeff \t\r\n")
    if not text.startswith("{"):
        return NO_REPORT
    try:
        told: dict[str, Any] = msgspec.json.decode(text, type=dict[str, Any])
    except RecursionError:
        return _unreadable(text, "it is nested too deeply")
    except (ValueError, UnicodeError) as error:  # a lone surrogate has no encoding
        return _unreadable(text, f"it is no valid JSON: {error}")
    ignored: list[str] = []
    delay = _part(told, "retryAfter", _delay, ignored)
    outputs = _part(told, "outputs", _outputs, ignored)
    artifacts = _part(told, "artifacts", _artifacts, ignored)
    return Report(delay=delay, outputs=outputs or "", artifacts=artifacts or (), ignored=tuple(ignored))


def _unreadable(text: str, why: str) -> Report:
    meant = any(f'"{part}"' in text for part in _PARTS)
    hint = (
        f"; the kubelet keeps {MESSAGE_BYTES} bytes of it"
        if len(text.encode(errors="replace")) >= MESSAGE_BYTES - 4
        else ""
    )
    return Report(ignored=(f"the termination message was ignored as a report: {why}{hint}",)) if meant else NO_REPORT


def _part(told: dict[str, Any], name: str, read: Any, ignored: list[str]) -> Any:
    value = told.get(name)
    if value is None:
        return None
    try:
        return read(value)
    except _UnusableError as error:
        ignored.append(f"{name} was ignored: {error}")
        return None


def _delay(value: object) -> int:
    seconds = value
    if isinstance(value, str):
        try:
            seconds = parse_duration(value)
        except ValueError:
            seconds = None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
        raise _UnusableError("it must be a number of seconds or a duration such as 30s")
    return math.ceil(min(seconds, _LONGEST_DELAY))


def _outputs(value: object) -> str:
    if not isinstance(value, dict):
        raise _UnusableError("it must be an object")
    try:
        text = msgspec.json.encode(_shown(value, depth=0))
    except (OverflowError, msgspec.MsgspecError):
        raise _UnusableError("it holds a number that is too large") from None
    if len(text) > OUTPUTS_LIMIT:
        raise _UnusableError(f"it has {len(text)} bytes as JSON, and at most {OUTPUTS_LIMIT} are kept")
    return text.decode()


def _shown(value: Any, *, depth: int) -> Any:
    if depth > _DEPTH_LIMIT:
        raise _UnusableError(f"it is nested deeper than {_DEPTH_LIMIT} levels")
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, list):
        return [_shown(item, depth=depth + 1) for item in value]
    if isinstance(value, dict):
        # A null would unset the field in the patch that writes the status.
        return {
            redacted(key): REPLACEMENT
            if names_secret(key, of_text=isinstance(item, str))
            else _shown(item, depth=depth + 1)
            for key, item in value.items()
            if item is not None
        }
    if isinstance(value, int) and not _LEAST_INTEGER <= value <= _GREATEST_INTEGER:
        raise _UnusableError("it holds an integer beyond 64 bits, which no API server keeps: write it as a string")
    return value


def _artifacts(value: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict):
        raise _UnusableError("it must be an object of names and URLs")
    if len(value) > ARTIFACTS_LIMIT:
        raise _UnusableError(f"it names {len(value)}, and at most {ARTIFACTS_LIMIT} are kept")
    return tuple(_each_artifact(value))


def _each_artifact(value: dict[str, Any]) -> Iterator[tuple[str, str]]:
    seen = set()
    for key, url in value.items():
        name = redacted(key)
        if not 1 <= len(name) <= _NAME_LIMIT or name in seen:
            raise _UnusableError(f"each name must have 1 to {_NAME_LIMIT} characters")
        seen.add(name)
        match = _URL.search(url) if isinstance(url, str) and len(url) <= _URL_LIMIT else None
        if match is None:
            raise _UnusableError(_url_help(name))
        shown = redacted("".join(match.groups()))
        if len(shown) > _URL_LIMIT:  # what takes the place of a secret may be longer
            raise _UnusableError(_url_help(name))
        yield name, shown


def _url_help(name: str) -> str:
    return (
        f"{name!r} must be a URL of at most {_URL_LIMIT} characters, such as s3://bucket/key, with one of the schemes"
        f" {', '.join(SCHEMES)}"
    )
