"""Which cluster the user means, by kubectl's rules.

The named kubeconfig, else KUBECONFIG, else ~/.kube/config, else the pod that we run in. Used by `connection`.
"""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from podwright.cli.errors import CommandError

_DEFAULT: Final = Path(".kube") / "config"
_POD_NAMESPACE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclass(frozen=True, kw_only=True)
class Access:
    """How to reach a cluster. `configuration` is the official client's; `namespace` the context's."""

    configuration: Any
    namespace: str


def load_access(*, kubeconfig: str | None, context: str | None) -> Access:
    """Find the cluster.

    Raises:
        CommandError: there is none, or its description can't be used.
    """
    if kubeconfig is not None and not Path(kubeconfig).exists():
        raise CommandError(f"There is no kubeconfig {kubeconfig}.", remedy="Name one that exists with --kubeconfig.")
    path = kubeconfig or os.environ.get("KUBECONFIG") or str(_home() / _DEFAULT)
    if any(_has_content(Path(part)) for part in path.split(os.pathsep) if part):
        return _of_kubeconfig(path, context=context)
    if os.environ.get("KUBERNETES_SERVICE_HOST") and context is None and kubeconfig is None:
        return _of_pod()
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


def _of_kubeconfig(path: str, *, context: str | None) -> Access:
    # Imported here: it takes a third of a second, and --help must not wait for it.
    from kubernetes.client.configuration import Configuration
    from kubernetes.config import kube_config

    configuration = Configuration()
    try:
        contexts, current = kube_config.list_kube_config_contexts(config_file=path)  # type: ignore[no-untyped-call]
    except Exception as error:
        # The loader lets the errors of its YAML parser and its own bugs through; all mean the same here.
        raise _unusable(path, error) from error
    names = [str(each.get("name")) for each in contexts]
    if context is not None and context not in names:
        raise CommandError(f"There is no context {context} in {path}.{_alike(context, names)}")
    chosen = current if context is None else next(each for each in contexts if each.get("name") == context)
    try:
        kube_config.load_kube_config(  # type: ignore[no-untyped-call]  # the official loader has no types
            config_file=path, context=context, client_configuration=configuration
        )
    except Exception as error:  # also whatever a credential plugin does wrong
        raise _unusable(path, error) from error
    return Access(configuration=configuration, namespace=(chosen.get("context") or {}).get("namespace") or "default")


def _of_pod() -> Access:
    from kubernetes.client.configuration import Configuration
    from kubernetes.config import load_incluster_config

    configuration = Configuration()
    try:
        load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        namespace = _POD_NAMESPACE.read_text(encoding="utf-8").strip()
    except Exception as error:
        raise CommandError(
            f"Cannot use the service account of this pod: {error}",
            remedy="Is its token mounted? Else name a kubeconfig with --kubeconfig.",
        ) from error
    return Access(configuration=configuration, namespace=namespace or "default")


def _unusable(path: str, error: Exception) -> CommandError:
    return CommandError(
        f"Cannot use the kubeconfig {path}: {error}",
        remedy="`kubectl config view` shows what it says; --kubeconfig and --context name another one.",
    )


def _alike(name: str, names: list[str]) -> str:
    close = difflib.get_close_matches(name, names, n=3) or names[:10]
    return f" There are: {', '.join(close)}." if close else " It has none."
