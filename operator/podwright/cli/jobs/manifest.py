"""BatchJobs read from YAML and JSON: files, directories and standard input. Values are read as kubectl reads them."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from podwright.cli.connection import Object
from podwright.cli.errors import CommandError
from podwright.core.constants import names

_WHOLE_NUMBER: Final = re.compile(r"[-+]?(?:0b[01_]+|0[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)\Z")
_SUFFIXES: Final = (".yaml", ".yml", ".json")


@dataclass(frozen=True)
class Document:
    """An object of a file, whatever it is."""

    where: str
    content: Any

    @property
    def is_job(self) -> bool:
        """Whether it claims to be a BatchJob."""
        return (
            isinstance(self.content, dict)
            and self.content.get("kind") == names.JOB_KIND
            and self.content.get("apiVersion") == names.API_VERSION
        )

    @property
    def what(self) -> str:
        """What it claims to be."""
        if not isinstance(self.content, dict):
            return type(self.content).__name__
        return f"{self.content.get('apiVersion') or '(no apiVersion)'} {self.content.get('kind') or '(no kind)'}"


def read_documents(files: Sequence[str], *, unreadable: Callable[[CommandError], None]) -> Iterator[Document]:
    """Read all objects of files and of the manifests in directories; `-` is standard input.

    Each file that can't be read, or is not YAML, is passed to `unreadable`, and yields nothing; the others are read all the same.
    """
    for file in files:
        try:
            paths = [file] if file == "-" or not Path(file).is_dir() else _manifests_in(Path(file))
        except CommandError as error:
            unreadable(error)
            continue
        for path in paths:
            where = "standard input" if path == "-" else path
            try:
                contents = list(_documents(_text(path), where=where))
            except CommandError as error:
                unreadable(error)
                continue
            yield from (Document(where, content) for content in contents)


def _manifests_in(directory: Path) -> list[str]:
    try:
        found = sorted(str(each) for each in directory.iterdir() if each.suffix in _SUFFIXES and each.is_file())
    except OSError as error:
        raise CommandError(f"Cannot read {directory}: {error.strerror}.") from error
    if not found:
        raise CommandError(
            f"There are no manifests in {directory}.", remedy=f"Their names end with {', '.join(_SUFFIXES)}."
        )
    return found


def _text(path: str) -> str:
    try:
        return sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise CommandError(f"Cannot read {path}: {reason}.") from error
    except UnicodeDecodeError as error:
        raise CommandError(f"Cannot read {path}: it is not UTF-8 text.") from error


def jobs_of(files: Sequence[str], *, namespace: str | None, explicit: bool) -> list[Object]:
    """Read the jobs of files.

    Args:
        files: names of files and directories.
        namespace: where jobs go that name no namespace; None leaves that open.
        explicit: the user has named that namespace, so that no other is meant.

    Raises:
        CommandError: some of them can't be read, or hold something else, all of which is named; or there is no job.
    """
    problems: list[CommandError] = []
    jobs: list[Object] = []
    for document in read_documents(files, unreadable=problems.append):
        try:
            jobs.append(_placed(document, namespace, explicit))
        except CommandError as error:
            problems.append(error)
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise CommandError(
            "\n".join((*map(str, problems), f"Nothing was submitted, for these {len(problems)} problems."))
        )
    if not jobs:
        raise CommandError(f"There is no BatchJob in {', '.join(files)}.")
    return jobs


def _documents(text: str, *, where: str) -> Iterator[Any]:
    import yaml

    try:
        found = [each for each in yaml.load_all(text, Loader=_loader()) if each is not None]
    except yaml.YAMLError as error:
        raise CommandError(f"{where} is not valid YAML: {_what_is_wrong(error)}.") from error
    except RecursionError as error:
        raise CommandError(f"{where} is nested too deeply.") from error
    for each in found:
        if isinstance(each, dict) and str(each.get("kind")).endswith("List") and isinstance(each.get("items"), list):
            yield from each["items"]
        else:
            yield each


def _what_is_wrong(error: Exception) -> str:
    """Return the words of one of PyYAML's errors, which names its input `<unicode string>`, in one line with the place first."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    place = "" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}: "
    words = [str(each) for name in ("context", "problem", "reason") if (each := getattr(error, name, None))]
    return place + (", ".join(words) or type(error).__name__)


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


def _placed(document: Document, namespace: str | None, explicit: bool) -> Object:
    item, where = document.content, document.where
    if not document.is_job:
        raise CommandError(
            f"{where} contains something other than a {names.JOB_KIND} of {names.API_VERSION}: {document.what}.",
            remedy="Create other objects with `kubectl apply`.",
        )
    meta = item.get("metadata")
    if not isinstance(meta, dict) or not (meta.get("name") or meta.get("generateName")):
        raise CommandError(f"A job in {where} has no name.", remedy="Give it a metadata.name or metadata.generateName.")
    own = meta.get("namespace") or namespace
    if own is not None and not isinstance(own, str):
        raise CommandError(f"The namespace {own} in {where} is not a string.", remedy=f'Put it in quotes: "{own}"')
    if explicit and own != namespace:
        raise CommandError(
            f"The job {meta.get('name') or meta['generateName']} in {where} is for namespace {own}, not {namespace}.",
            remedy="Leave out --namespace, or the namespace in the manifest.",
        )
    return {**item, "metadata": {**meta, **({"namespace": own} if own else {})}}
