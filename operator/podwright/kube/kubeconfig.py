"""Reads kubeconfigs as kubectl does, by the official client's loader: contexts, credential plugins, provider logins, `proxy-url`.

The one reader, for the operator (`credentials`) and the command line. It never guesses a file.
"""

import difflib
from collections.abc import Mapping
from typing import Any, cast

from podwright.kube.access import Access, CredentialsError
from podwright.kube.proxy import ProxyError, checked_proxy, proxy_for


def contexts_of(path: str | None) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the contexts of a kubeconfig (None: the user's default one), and the current one.

    Raises:
        CredentialsError: it can't be read.
    """
    # Imported here: it takes most of a second, and inside a cluster nobody needs it.
    from kubernetes.config import kube_config

    try:
        found, current = kube_config.list_kube_config_contexts(config_file=path)  # type: ignore[no-untyped-call]
    except Exception as error:
        # The loader lets the errors of its YAML parser and its own bugs through; all mean the same here.
        raise CredentialsError(f"cannot use the kubeconfig {path}: {error}") from error
    return found, current


def read_kubeconfig(path: str, *, context: str | None, environment: Mapping[str, str], persist: bool = False) -> Access:
    """Return what a context says, the current one if none is named. A credential plugin is run if it names one.

    `persist` lets tokens that a provider renewed be written into the kubeconfig.

    Raises:
        CredentialsError: there is no such context, or it can't be used.
    """
    found, current = contexts_of(path)
    names = [str(each.get("name")) for each in found]
    if context is not None and context not in names:
        raise CredentialsError(f"there is no context {context} in {path}{_alike(context, names)}")
    chosen = current if context is None else next(each for each in found if each.get("name") == context)
    configuration = _loaded(path, context=context, persist=persist)
    server = str(configuration.host).rstrip("/")
    named = cast("str | None", configuration.proxy)
    try:
        proxy = checked_proxy(named, source="proxy-url") if named else proxy_for(server, environment)
    except ProxyError as error:
        raise CredentialsError(f"cannot use the kubeconfig {path}: {error}") from error
    return Access(
        server=server,
        token=(configuration.api_key.get("BearerToken") or "").removeprefix("Bearer "),
        authority_file=configuration.ssl_ca_cert or "",
        certificate_file=configuration.cert_file or "",
        key_file=configuration.key_file or "",
        verify=bool(configuration.verify_ssl),
        server_name=configuration.tls_server_name or "",
        proxy=proxy,
        authorization=configuration.get_basic_auth_token() if configuration.username else "",
        namespace=str((chosen.get("context") or {}).get("namespace") or ""),
    )


def _loaded(path: str, *, context: str | None, persist: bool) -> Any:
    from kubernetes.client.configuration import Configuration
    from kubernetes.config import kube_config

    configuration = Configuration()
    # What is there now is from the environment; whatever the loader puts there is the kubeconfig's `proxy-url`.
    configuration.proxy = None
    try:
        kube_config.load_kube_config(  # type: ignore[no-untyped-call]  # the official loader has no types
            config_file=path, context=context, client_configuration=configuration, persist_config=persist
        )
    except Exception as error:  # also whatever a credential plugin does wrong
        raise CredentialsError(f"cannot use the kubeconfig {path}: {error}") from error
    return configuration


def _alike(name: str, names: list[str]) -> str:
    close = difflib.get_close_matches(name, names, n=3) or names[:10]
    return f"; there are {', '.join(close)}" if close else ", which has none"
