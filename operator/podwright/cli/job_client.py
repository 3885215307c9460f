"""The BatchJobs of one namespace (or all), and what belongs to them, over a `Connection`. Objects are plain JSON.

Used by every verb; turns refusals into errors for the user, except where a verb has to act on them.
"""

from __future__ import annotations

import contextlib
import re
from typing import Final

from podwright.cli.connection import JSON, MERGE_PATCH, METADATA_LIST, TABLE, Connection, Object
from podwright.cli.errors import CommandError
from podwright.cli.failures import Unreachable
from podwright.cli.refusals import explain, not_installed, unknown_job
from podwright.core.constants import names
from podwright.kube.errors import StatusError
from podwright.kube.paths import JOBS, PODS, InvalidNameError, resource_path

_KIND_NAMES: Final = frozenset(
    f"{name}{group}" for name in (names.JOB_KIND.lower(), names.JOB_PLURAL, "bj") for group in ("", f".{names.GROUP}")
)
_NAMESPACE: Final = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
_DRY: Final = {"dryRun": "All"}


class JobClient:
    """What a verb works with. `namespace` is where names are looked up, `everywhere` widens lists to all namespaces."""

    def __init__(self, connection: Connection, *, namespace: str, everywhere: bool = False) -> None:
        # Anything else might make another path of it: `..` would be all namespaces.
        if _NAMESPACE.fullmatch(namespace) is None:
            raise CommandError(
                f"{namespace!r} is not a valid namespace name.", remedy="`kubectl get namespaces` lists them."
            )
        self.connection = connection
        self.namespace = namespace
        self.everywhere = everywhere

    def path(self, *, name: str = "", namespace: str | None = None, everywhere: bool = False) -> str:
        """Return the path of the jobs of a namespace, or of one of them."""
        try:
            return resource_path(JOBS, namespace="" if everywhere else namespace or self.namespace, name=name)
        except InvalidNameError as error:
            raise CommandError(f"{error}.") from error

    def find(self, name: str, *, namespace: str | None = None) -> Object | None:
        """Read a job; None if there is none of that name."""
        try:
            return self.connection.get(self.path(name=name, namespace=namespace))
        except StatusError as error:
            if error.code == 404 and not not_installed(error):
                return None
            raise explain(error, doing=f"read the job {name}", namespace=namespace or self.namespace) from error

    def read(self, name: str) -> Object:
        """Read a job that the user names, perhaps with its kind before: `bj/report`, as `-o name` prints it.

        Raises:
            CommandError: there is none of that name, or it can't be read.
        """
        kind, slash, rest = name.partition("/")
        if slash and kind.lower() in _KIND_NAMES:
            name = rest
        # As a part of a path these would mean something else than a job.
        if name in ("", ".", "..") or "/" in name:
            raise CommandError(f"{name!r} is not a valid job name.", remedy="`podwright list` shows the jobs.")
        found = self.find(name)
        if found is None:
            raise unknown_job(name, namespace=self.namespace, others=self._names())
        return found

    def _names(self) -> list[str]:
        with contextlib.suppress(StatusError, CommandError):  # only a help for the reader
            found = self.connection.get(self.path(), {"limit": "1000"}, accept=METADATA_LIST)
            return [str(item["metadata"]["name"]) for item in found.get("items") or ()]
        return []

    def all(self, *, selector: str = "", fields: str = "") -> list[Object]:
        """Read all jobs that the selectors select."""
        answers = self._jobs(selector, fields, accept=JSON)
        # The items of a list don't say what they are.
        kind = {"apiVersion": names.API_VERSION, "kind": names.JOB_KIND}
        return [{**kind, **item} for answer in answers for item in answer.get("items") or ()]

    def tables(self, *, selector: str = "", fields: str = "", whole: bool = False) -> list[Object]:
        """Read them as tables, with the columns that the API server has for them, and their metadata or whole objects."""
        return self._jobs(selector, fields, accept=TABLE, include="Object" if whole else "")

    def none_found(self, *, filtered: bool, what: str = "job") -> str:
        """Say that there are none: none at all, or none that match."""
        return f"No {what}s in {self.where} match." if filtered else f"No {what}s found in {self.where}."

    def _jobs(self, selector: str, fields: str, *, accept: str, include: str = "") -> list[Object]:
        query = {"labelSelector": selector, "fieldSelector": fields, "includeObject": include}
        try:
            return self.connection.read_all(self.path(everywhere=self.everywhere), query, accept=accept)
        except StatusError as error:
            raise explain(
                error, doing=f"list jobs in {self.where}", namespace=self.namespace, everywhere=self.everywhere
            ) from error

    @property
    def where(self) -> str:
        """Say where jobs are looked for."""
        return "all namespaces" if self.everywhere else f"namespace {self.namespace}"

    def create(self, job: Object, *, dry_run: bool = False) -> Object:
        """Create a job in the namespace that it names. Unknown fields are refused.

        Raises:
            StatusError: the API server refused.
            Unreachable: it gave no answer, or one that leaves open whether the job was created.
        """
        query = {"fieldValidation": "Strict"} | (_DRY if dry_run else {})
        namespace = job["metadata"]["namespace"]
        try:
            return self.connection.request("POST", self.path(namespace=namespace), query=query, body=job)
        except StatusError as error:
            # Such as etcd's timeout, or that of a proxy.
            if error.code >= 500 and not dry_run:
                refusal = explain(error, doing="create a job", namespace=namespace)
                raise Unreachable(refusal.problem, remedy=refusal.remedy, sent=True) from error
            raise

    def patch(self, job: Object, changes: Object, *, unchanged: bool = False, dry_run: bool = False) -> Object:
        """Merge changes into exactly this job: a later one of its name is left alone, see `is_another`.

        Args:
            job: the job as it was read.
            changes: a JSON merge patch.
            unchanged: leave it alone if it changed since.
            dry_run: let the API server only judge.

        Raises:
            StatusError: the API server refused.
            Unreachable: it gave no answer.
        """
        meta = job["metadata"]
        identity = {"uid": meta["uid"]} | ({"resourceVersion": meta["resourceVersion"]} if unchanged else {})
        body = {**changes, "metadata": {**changes.get("metadata", {}), **identity}}
        path = self.path(name=meta["name"], namespace=meta["namespace"])
        query = _DRY if dry_run else None
        return self.connection.request("PATCH", path, query=query, body=body, content_type=MERGE_PATCH)

    def delete(self, job: Object, *, unchanged: bool = False, dry_run: bool = False) -> bool:
        """Delete exactly this job, and its pods in the background. Tells whether it was still there.

        Args:
            job: the job as it was read.
            unchanged: leave it alone if it changed since.
            dry_run: let the API server only judge.

        Raises:
            StatusError: the API server refused; with 409 it is another job now, or has changed.
        """
        meta = job["metadata"]
        preconditions = {"uid": meta["uid"]} | ({"resourceVersion": meta["resourceVersion"]} if unchanged else {})
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": preconditions,
            # In the body: the API server reads a deletion's options from its query only if there is no body.
            **({"dryRun": ["All"]} if dry_run else {}),
        }
        path = self.path(name=meta["name"], namespace=meta["namespace"])
        try:
            self.connection.request("DELETE", path, body=options)
        except StatusError as error:
            if error.code == 404:
                return False
            raise
        return True

    def pods(self, job: Object) -> list[Object]:
        """Read the pods of a job."""
        meta = job["metadata"]
        path = resource_path(PODS, namespace=meta["namespace"])
        query = {"labelSelector": f"{names.LABEL_JOB_UID}={meta['uid']}"}
        try:
            answers = self.connection.read_all(path, query)
        except StatusError as error:
            raise explain(error, doing=f"read the pods of {meta['name']}") from error
        return [pod for answer in answers for pod in answer.get("items") or ()]


def is_another(error: StatusError) -> bool:
    """Return whether a change was refused because the job has gone or is another one, or has changed if that mattered."""
    # A patch can't change the uid, which is how it fails on another job.
    return error.code in (404, 409) or any(cause.field == "metadata.uid" for cause in error.causes)
