"""Which cluster the user means, by kubectl's rules.

The named kubeconfig, else KUBECONFIG, else ~/.kube/config, else the pod that we run in. Used by `connection`; reading is
`podwright.kube`'s.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from podwright.cli.errors import CommandError

if TYPE_CHECKING:
    from podwright.kube.credentials import KubeconfigCredentials, ServiceAccountCredentials

_DEFAULT: Final = Path(".kube") / "config"


def find_credentials(
    *, kubeconfig: str | None, context: str | None
) -> KubeconfigCredentials | ServiceAccountCredentials:
    """Find the cluster.

    Raises:
        CommandError: there is none, or its description can't be used.
    """
    # Imported here: --help must not wait for it.
    from podwright.kube.access import CredentialsError
    from podwright.kube.credentials import KubeconfigCredentials, in_pod

    if kubeconfig is not None and not Path(kubeconfig).exists():
        raise CommandError(f"There is no kubeconfig {kubeconfig}.", remedy="Name one that exists with --kubeconfig.")
    path = kubeconfig or os.environ.get("KUBECONFIG") or str(_home() / _DEFAULT)
    if any(_has_content(Path(part)) for part in path.split(os.pathsep) if part):
        try:
            return KubeconfigCredentials(path=path, context=context, persist=True)
        except CredentialsError as error:
            raise CommandError(
                f"{_sentence(error)}.",
                remedy="`kubectl config view` shows what it says; --kubeconfig and --context name another one.",
            ) from error
    if os.environ.get("KUBERNETES_SERVICE_HOST") and context is None and kubeconfig is None:
        try:
            return in_pod(os.environ)
        except CredentialsError as error:
            raise CommandError(
                f"{_sentence(error)}.", remedy="Is the token mounted? Otherwise name a kubeconfig with --kubeconfig."
            ) from error
    raise CommandError(
        f"No cluster is configured: there is nothing in {path}, and this is no pod.",
        remedy="Name a kubeconfig with --kubeconfig or the variable KUBECONFIG; `podwright dev up` starts a cluster.",
    )


def _has_content(path: Path) -> bool:
    try:
        return path.is_file() and path.stat().st_size > 0
    except OSError:
        return False


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:  # neither HOME nor an account
        return Path("/")


def _sentence(error: Exception) -> str:
    text = str(error)
    return text[:1].upper() + text[1:]
