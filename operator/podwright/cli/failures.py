"""What may go wrong on the way to an API server and back."""

from __future__ import annotations

import ssl

from podwright.cli.errors import CommandError
from podwright.cli.printable import one_line


class Unreachable(CommandError):  # noqa: N818 - a fact about a request that its sender must act on
    """The API server gave no full answer. `sent` tells whether the request may have been carried out all the same."""

    def __init__(self, problem: str, *, sent: bool, remedy: str = "") -> None:
        super().__init__(problem, remedy=remedy)
        self.sent = sent


class BrokenStreamError(Exception):
    """A stream broke off or fell silent; it may be opened again."""


def unreachable(server: str, error: Exception) -> Unreachable:
    """Make our error of one of urllib3's, or of a socket's."""
    import urllib3

    # Other failures of TLS may come after the request: the server judges our certificate last.
    untrusted = isinstance(error, urllib3.exceptions.SSLError) and isinstance(
        error.args[0], ssl.SSLCertVerificationError
    )
    never_sent = untrusted or isinstance(
        error, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError
    )
    return Unreachable(
        f"Cannot reach the API server {server}: {words_of(error)}.",
        remedy="Is the cluster up, and is it the one you mean? --context and --kubeconfig name another one.",
        sent=not never_sent,
    )


def words_of(error: Exception) -> str:
    """Return what matters of an error, on one line."""
    text = one_line(error)
    # urllib3 puts the address of its connection object before what matters.
    return (
        text.partition(": ")[2]
        if text.startswith(("HTTPSConnection", "HTTPConnection", "<"))
        else text or type(error).__name__
    )
