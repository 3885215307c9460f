"""BatchJobs to submit: built from flags, or read from files. Pure, but for the reading of a file."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from podwright.cli.connection import Object
from podwright.cli.errors import CommandError
from podwright.core.constants import names

_CONTAINER: Final = "main"
_WHOLE_NUMBER: Final = re.compile(r"[-+]?(?:0b[01_]+|0[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)\Z")
DEFAULT_PREFIX: Final = "job-"


@dataclass(frozen=True, kw_only=True)
class Flags:
    """A job as the flags describe it; parts that aren't given are empty, and left to the API's defaults."""

    name: str
    image: str
    command: Sequence[str] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    env: Sequence[Mapping[str, str]] = ()
    requests: Mapping[str, str] = field(default_factory=dict)
    retry: int | None = None
    attempt_timeout: str | None = None
    total_timeout: str | None = None
    size: int | None = None
    items: Sequence[str] = ()
    parallelism: int | None = None
    pack: int | None = None
    priority: int | None = None
    idempotency_key: str | None = None
    depends_on: Sequence[Mapping[str, Any]] = ()
    start_at: str | None = None
    suspend: bool = False


def from_flags(flags: Flags, *, namespace: str) -> Object:
    """Build the job.

    Raises:
        CommandError: flags contradict each other.
    """
    if flags.size is not None and flags.items:
        raise CommandError("Give either --array or --items, not both.")
    array = {"size": flags.size, "items": list(flags.items), "parallelism": flags.parallelism, "pack": flags.pack}
    if not flags.size and not flags.items and (flags.parallelism is not None or flags.pack is not None):
        raise CommandError(
            "--parallelism and --pack are for arrays.", remedy="Say how many tasks with --array or --items."
        )
    container = {
        "name": _CONTAINER,
        "image": flags.image,
        "command": list(flags.command),
        "env": [dict(each) for each in flags.env],
        "resources": _given({"requests": dict(flags.requests)}),
    }
    spec = {
        "array": _given(array) if flags.size is not None or flags.items else None,
        "retry": _given({"limit": flags.retry}),
        "timeouts": _given({"attempt": flags.attempt_timeout, "total": flags.total_timeout}),
        "priority": flags.priority,
        "suspend": flags.suspend or None,
        "idempotencyKey": flags.idempotency_key,
        "dependsOn": [dict(each) for each in flags.depends_on],
        "startAt": flags.start_at,
        "template": {"spec": {"containers": [_given(container)]}},
    }
    name = {"name": flags.name} if flags.name else {"generateName": DEFAULT_PREFIX}
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.JOB_KIND,
        "metadata": _given({**name, "namespace": namespace, "labels": dict(flags.labels)}),
        "spec": _given(spec),
    }


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is empty; 0 and false are something."""
    return {key: value for key, value in fields.items() if value is not None and value not in ({}, [])}


def from_file(file: str, *, namespace: str, explicit: bool) -> list[Object]:
    """Read the jobs of a YAML or JSON file; `-` is standard input.

    Args:
        file: its name.
        namespace: where jobs go that name no namespace.
        explicit: the user has named that namespace, so that no other is meant.

    Raises:
        CommandError: it can't be read, holds no job, or something else.
    """
    where = "standard input" if file == "-" else file
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"Cannot read {where}: {error}") from error
    jobs = [_placed(each, namespace, explicit, where) for each in _documents(text, where=where)]
    if not jobs:
        raise CommandError(f"There is no BatchJob in {where}.")
    return jobs


def _documents(text: str, *, where: str) -> Iterator[Any]:
    import yaml

    try:
        found = [each for each in yaml.load_all(text, Loader=_loader()) if each is not None]
    except yaml.YAMLError as error:
        raise CommandError(f"{where} is not valid YAML: {error}") from error
    for each in found:
        if isinstance(each, dict) and each.get("kind") == "List" and isinstance(each.get("items"), list):
            yield from each["items"]
        else:
            yield each


def _loader() -> Any:
    """Return a reader that takes times and `12:30` for text, as kubectl does and the fields of a job want them."""
    import yaml

    class Loader(yaml.SafeLoader):
        pass

    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in known if tag.rpartition(":")[2] not in ("timestamp", "int")]
        for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    Loader.add_implicit_resolver("tag:yaml.org,2002:int", _WHOLE_NUMBER, list("-+0123456789"))
    return Loader


def _placed(item: Any, namespace: str, explicit: bool, where: str) -> Object:
    if not isinstance(item, dict) or item.get("kind") != names.JOB_KIND or item.get("apiVersion") != names.API_VERSION:
        what = f"{item.get('apiVersion')} {item.get('kind')}" if isinstance(item, dict) else type(item).__name__
        raise CommandError(
            f"{where} holds something that is no {names.JOB_KIND} of {names.API_VERSION}: {what}.",
            remedy="Other objects are created with `kubectl apply`.",
        )
    meta = item.get("metadata")
    if not isinstance(meta, dict) or not (meta.get("name") or meta.get("generateName")):
        raise CommandError(f"A job in {where} has no name.", remedy="Give it a metadata.name or metadata.generateName.")
    own = meta.get("namespace") or namespace
    if not isinstance(own, str):
        raise CommandError(f"The namespace {own} in {where} is no text.", remedy=f'Put it in quotes: "{own}"')
    if explicit and own != namespace:
        raise CommandError(
            f"The job {meta.get('name') or meta['generateName']} in {where} names the namespace {own}, not {namespace}.",
            remedy="Leave --namespace away, or the namespace in the manifest.",
        )
    return {**item, "metadata": {**meta, "namespace": own}}
