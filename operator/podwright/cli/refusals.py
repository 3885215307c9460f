"""What an API server's refusal means to the user of a command, and what to do about it. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Final

from podwright.cli.errors import CommandError
from podwright.cli.printable import one_line
from podwright.kube.errors import StatusError

_INSTALL: Final = "kubectl apply --server-side --kustomize=manifests (docs/how-to/install.md tells more)"


def explain(error: StatusError, *, doing: str, namespace: str = "") -> CommandError:
    """Turn a refusal into the error that the user sees. `doing` continues `Cannot …`."""
    words = one_line(error.message)
    if error.code == 401:
        return CommandError(
            f"Cannot {doing}: the API server does not accept your credentials.",
            remedy="Log in again, or name another context with --context.",
        )
    if error.code == 403:
        return CommandError(
            f"Cannot {doing}: {words}.",
            remedy="Ask for the role view (to look) or edit (to submit and change) in that namespace: they include jobs."
            if error.reason == "Forbidden" and " cannot " in words
            else "",
        )
    if not_installed(error):
        return CommandError(
            f"Cannot {doing}: this cluster knows no BatchJobs, so Podwright is not installed in it.",
            remedy=f"Install it: {_INSTALL}. Or name another cluster with --context.",
        )
    if error.code == 404 and words.startswith("namespaces "):
        return CommandError(
            f"Cannot {doing}: there is no namespace {namespace}.", remedy="`kubectl get namespaces` lists them."
        )
    if error.code == 422 and error.causes:
        causes = "\n".join(
            f"  {one_line(cause.field) or 'the object'}: {one_line(cause.message)}" for cause in error.causes
        )
        return CommandError(f"Cannot {doing}, since these fields are wrong:\n{causes}")
    if error.code == 429 or error.code >= 500:
        return CommandError(
            f"Cannot {doing}: the API server is in trouble: {words} ({error.code}).", remedy="Try again later."
        )
    return CommandError(f"Cannot {doing}: {words or error.reason or error.code}.")


def not_installed(error: StatusError) -> bool:
    """Return whether the kind is unknown to the server: only then a 404 has no Status."""
    return error.code == 404 and (
        not error.reason or "the server could not find the requested resource" in error.message
    )


def unknown_job(name: str, *, namespace: str, others: Sequence[str]) -> CommandError:
    """Say that there is no such job, and which ones it may have been meant for."""
    if not others:
        return CommandError(
            f"There is no job {name} in namespace {namespace}, nor any other job.",
            remedy="Another namespace is named with --namespace; `podwright list -A` shows all jobs.",
        )
    close = difflib.get_close_matches(name, others, n=3, cutoff=0.5)
    meant = (
        f"Did you mean {' or '.join(close)}?" if close else f"`podwright list -n {namespace}` shows those there are."
    )
    return CommandError(f"There is no job {name} in namespace {namespace}.", remedy=meant)
