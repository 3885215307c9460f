"""What an API server's refusal means to the user of a command, and what to do about it. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Final

from podwright.cli.errors import CommandError
from podwright.cli.printable import one_line
from podwright.kube.errors import Cause, StatusError

_INSTALL: Final = "kubectl apply --server-side --kustomize=manifests (see docs/how-to/install.md)"

_PATTERN: Final = "should match '"
"""How the API server begins to quote the regular expression of a schema."""


def explain(error: StatusError, *, doing: str, namespace: str = "", everywhere: bool = False) -> CommandError:
    """Turn a refusal into the error that the user sees. `doing` continues `Cannot …`; `everywhere` is all namespaces."""
    words = one_line(error.message)
    if error.code == 401:
        return CommandError(
            f"Cannot {doing}: the API server does not accept your credentials.",
            remedy="Log in again, or choose another context with --context.",
        )
    if error.code == 403:
        return CommandError(
            f"Cannot {doing}: {words}.",
            remedy=_missing_right(everywhere=everywhere) if error.reason == "Forbidden" and " cannot " in words else "",
        )
    if not_installed(error):
        return CommandError(
            f"Cannot {doing}: Podwright is not installed in this cluster: it has no BatchJobs.",
            remedy=f"Install it: {_INSTALL}. Or choose another cluster with --context.",
        )
    if error.code == 404 and words.startswith("namespaces "):
        return CommandError(
            f"Cannot {doing}: there is no namespace {namespace}.", remedy="`kubectl get namespaces` lists them."
        )
    if error.code == 422 and error.causes:
        causes = "\n".join(
            f"  {one_line(cause.field) or 'the object'}: {one_line(cause.message)}"
            for cause in error.causes
            if not (_PATTERN in cause.message and _said_otherwise(cause, error.causes))
        )
        return CommandError(f"Cannot {doing}: these fields are invalid:\n{causes}")
    if error.code == 429 or error.code >= 500:
        return CommandError(
            f"Cannot {doing}: the API server is in trouble: {words} ({error.code}).", remedy="Try again later."
        )
    return CommandError(f"Cannot {doing}: {words or error.reason or error.code}.")


def _said_otherwise(cause: Cause, causes: Sequence[Cause]) -> bool:
    """Return whether another cause says about the same field more than that a pattern isn't matched."""
    return any(each.field == cause.field and _PATTERN not in each.message for each in causes)


def _missing_right(*, everywhere: bool) -> str:
    if everywhere:
        return "Name a namespace with --namespace, or ask for a ClusterRoleBinding to the role view: one namespace's role is not enough."
    return "Ask for the role view (to look) or edit (to submit and change) in that namespace: they include jobs."


def not_installed(error: StatusError) -> bool:
    """Return whether the kind is unknown to the server: only then a 404 has no Status."""
    return error.code == 404 and (
        not error.reason or "the server could not find the requested resource" in error.message
    )


def unknown_job(name: str, *, namespace: str, others: Sequence[str]) -> CommandError:
    """Say that there is no such job, and which ones it may have been meant for."""
    if not others:
        return CommandError(
            f"There is no job {name} in namespace {namespace}, which has no jobs at all.",
            remedy="Choose another namespace with --namespace; `podwright list -A` shows all jobs.",
        )
    close = difflib.get_close_matches(name, others, n=3, cutoff=0.5)
    meant = f"Did you mean {' or '.join(close)}?" if close else f"`podwright list -n {namespace}` shows the jobs."
    return CommandError(f"There is no job {name} in namespace {namespace}.", remedy=meant)
