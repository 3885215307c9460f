"""Whether the API server would accept a job's pod, asked by a dry run: the schema of a job keeps most of its template unread."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote

from podwright.cli.connection import Object
from podwright.cli.errors import CommandError
from podwright.cli.job_client import JobClient
from podwright.cli.lint.pod_template import template_problems
from podwright.cli.printable import one_line
from podwright.cli.refusals import explain
from podwright.core.constants import names
from podwright.kube.errors import StatusError

_UNKNOWN: Final = re.compile(r'unknown field "([^"]+)"')
_INVALID: Final = re.compile(r'Pod "[^"]*" is invalid: ')


def server_problems(client: JobClient, job: Object) -> Iterator[str]:
    """Let the API server judge a job and its pod. Return what is wrong, each as `path: what`."""
    placed = {**job, "metadata": {**job["metadata"], "namespace": job["metadata"].get("namespace") or client.namespace}}
    try:
        client.create(placed, dry_run=True)
    except StatusError as error:
        if error.reason != "AlreadyExists":
            yield explain(error, doing="create the job", namespace=placed["metadata"]["namespace"]).problem
            return
    yield from pod_problems(client, placed)


def require_acceptable_pod(client: JobClient, job: Object) -> None:
    """Refuse a job whose pod the API server would refuse.

    Raises:
        CommandError: it would; the message names the fields.
    """
    found = list(pod_problems(client, job))
    if found:
        name = job["metadata"].get("name") or job["metadata"]["generateName"]
        raise CommandError(
            "\n".join([f"Cannot create the job {name}: its pod would be refused:", *(f"  {each}" for each in found)])
        )


def pod_problems(client: JobClient, job: Object) -> list[str]:
    """Return why the API server would refuse the job's pod; nothing if it wouldn't, or if we may not ask.

    What time may heal, such as a used up quota, is no problem: the job waits for it.
    """
    template = (job.get("spec") or {}).get("template")
    if not isinstance(template, dict) or not isinstance(template.get("spec"), dict):
        return []  # the schema of the job says so
    path = f"/api/v1/namespaces/{quote(job['metadata']['namespace'], safe='')}/pods"
    try:
        client.connection.request(
            "POST", path, query={"dryRun": "All", "fieldValidation": "Strict"}, body=_pod(template)
        )
    except StatusError as error:
        return _reasons(error, template)
    return []


def _pod(template: dict[str, Any]) -> Object:
    """Build a pod like the job's, but without what only the operator may write."""
    given = template.get("metadata") or {}
    meta = {
        kind: {key: value for key, value in (given.get(kind) or {}).items() if not key.startswith(f"{names.GROUP}/")}
        for kind in ("labels", "annotations")
    }
    spec = {"automountServiceAccountToken": False, **template["spec"], "restartPolicy": "Never"}
    # Left out like the operator's name for it, so that no pod of that name can be in the way.
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "podwright-dry-run-", **meta}, "spec": spec}


def _reasons(error: StatusError, template: dict[str, Any]) -> list[str]:
    if error.code == 422 and error.causes:
        return [f"spec.template.{one_line(each.field)}: {one_line(each.message)}" for each in error.causes]
    if error.code in (400, 422):
        words = _INVALID.sub("", one_line(error.message))
        unknown = _UNKNOWN.findall(words)
        if not unknown:
            return [words]
        suggested = {each.partition(": ")[0]: each for each in template_problems(template)}
        paths = [f"spec.template.{each}" for each in dict.fromkeys(unknown)]
        return [suggested.get(path, f"{path}: unknown field") for path in paths]
    if error.code == 403 and "violates PodSecurity" in error.message:
        return [f"spec.template: {one_line(error.message).partition('is forbidden: ')[2] or one_line(error.message)}"]
    return []
