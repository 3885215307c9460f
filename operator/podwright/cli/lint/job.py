"""What is wrong with a BatchJob, as far as can be known without a cluster. Pure, but slow to import."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from podwright.api.batchjob import BATCH_JOB
from podwright.cli.lint.pod_template import template_problems
from podwright.cli.lint.rules import left_to_the_server as unevaluated
from podwright.cli.lint.rules import rule_problems, with_defaults
from podwright.cli.lint.schema import problems, unknown_field
from podwright.core.job.oversize import ADMITTED_BYTES
from podwright.kube.codecs.job import BatchJob, job_view

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_MARKS = ("annotations", "labels", "finalizers", "ownerReferences")
_ROOT = ("apiVersion", "kind", "metadata", "spec", "status")


def job_problems(job: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a job, each as `path: what`."""
    found = [*_outside(job), *_metadata(job.get("metadata")), *_size(job)]
    spec = job.get("spec")
    if not isinstance(spec, dict):
        return [*found, "spec: required"]
    schema = _schema()["properties"]["spec"]
    inside = list(problems(spec, schema, "spec"))
    broken = list(rule_problems(with_defaults(spec, schema), schema, "spec", errors=not inside))
    # A rule's message says what is allowed, which a pattern doesn't.
    explained = {*map(_path, broken)}
    inside = [*(each for each in inside if _path(each) not in explained), *broken]
    inside = _with_details(inside, list(template_problems(spec.get("template"))))
    # Only what has the right form can be read as the operator reads it.
    return [*found, *(inside or _as_the_operator(spec))]


def _with_details(found: list[str], of_template: list[str]) -> list[str]:
    """Return the problems of both lists without saying one twice. Of quantities the second knows more: which one, and what was meant."""
    quantities = {_path(each) for each in of_template if "quantity" in each}
    covered = quantities | {path.rpartition(".")[0] for path in quantities}
    rest = [each for each in found if _path(each) not in covered]
    known = {*map(_path, rest)}
    return [*rest, *(each for each in of_template if _path(each) not in known)]


def left_to_the_server() -> list[str]:
    """Return the rules of the CRD that only an API server can evaluate."""
    return list(unevaluated(_schema()["properties"]["spec"], "spec"))


def _path(problem: str) -> str:
    return problem.partition(": ")[0]


@functools.cache
def _schema() -> Mapping[str, Any]:
    schema: Mapping[str, Any] = BATCH_JOB.definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def _outside(job: Mapping[str, Any]) -> Iterator[str]:
    for name in job:
        if name not in _ROOT:
            yield unknown_field("", str(name), _ROOT).removeprefix(".")


def _metadata(meta: Any) -> Iterator[str]:
    if not isinstance(meta, dict):
        yield "metadata.name: required"
        return
    name, prefix = meta.get("name"), meta.get("generateName")
    if not name and not prefix:
        yield "metadata.name: required"
    limit = BATCH_JOB.name_limit
    if name is not None and (not isinstance(name, str) or _NAME.fullmatch(name) is None):
        yield f"metadata.name: {name!r} must consist of lower case letters, digits, '-' and '.', and start and end with one of the former two"
    elif name is not None and len(name) > limit:
        yield f"metadata.name: must have at most {limit} characters, not {len(name)}"


def _size(job: Mapping[str, Any]) -> Iterator[str]:
    """Return whether a job is larger than the admission policy `podwright-jobs` allows, which counts nearly the same."""
    meta = job.get("metadata")
    marks = [meta.get(key) for key in _MARKS] if isinstance(meta, dict) else []
    try:
        text = msgspec.json.encode([job.get("spec"), marks])
    except (TypeError, ValueError, OverflowError):
        return  # other problems are told of it
    size = len(text) + 5 * sum(text.count(letter) for letter in (b"<", b">", b"&"))
    if size > ADMITTED_BYTES:
        yield (
            f"spec: the job takes {size:,} bytes, with labels, annotations, finalizers and owner references; at most {ADMITTED_BYTES:,} are"
            " allowed: pass large inputs by reference, such as by a ConfigMap or a volume"
        )


def _as_the_operator(spec: Mapping[str, Any]) -> Iterator[str]:
    """Return what only shows when the spec is read: durations, index sets, items, packs, expressions."""
    meta = {
        "name": "x",
        "namespace": "x",
        "uid": "x",
        "resourceVersion": "1",
        "creationTimestamp": "2026-01-01T00:00:00Z",
    }
    try:
        view = job_view(msgspec.json.decode(msgspec.json.encode({"metadata": meta, "spec": spec}), type=BatchJob))
    except (ValueError, OverflowError) as error:
        yield f"spec: {error}"
        return
    if view.problem:
        yield f"spec: {view.problem}"
