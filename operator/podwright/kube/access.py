"""What it takes to reach an API server, and the TLS context that is made of it. Used by all that connect to one."""

import ssl

import msgspec


class CredentialsError(Exception):
    """There are no usable credentials; the message says what was looked for and what to do."""


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """What it takes to reach an API server. Empty fields are not used; without `verify` any certificate is accepted.

    `proxy` is the URL of an HTTP proxy, `authorization` the whole header where it isn't `token`'s, `namespace` the one that is worked in
    unless another is named.
    """

    server: str
    token: str = ""
    authority_file: str = ""
    certificate_file: str = ""
    key_file: str = ""
    verify: bool = True
    server_name: str = ""
    proxy: str = ""
    authorization: str = ""
    namespace: str = ""

    @property
    def files(self) -> tuple[str, ...]:
        """Return the files whose content belongs to the connection."""
        return tuple(filter(None, (self.authority_file, self.certificate_file, self.key_file)))


def ssl_context(access: Access) -> ssl.SSLContext:
    """Make the TLS context for an API server: its own authority if one is given, else the system's.

    Raises:
        CredentialsError: a certificate or key cannot be read.
    """
    try:
        context = ssl.create_default_context(cafile=access.authority_file or None)
    except (OSError, ssl.SSLError) as error:
        raise CredentialsError(f"cannot load the authority {access.authority_file}: {error}") from error
    # Cluster authorities often lack extensions that newer Pythons insist on.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not access.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    load_certificates(context, access)
    return context


def load_certificates(context: ssl.SSLContext, access: Access) -> None:
    """Load authority and client certificate into a new context.

    Raises:
        CredentialsError: a certificate or key cannot be read.
    """
    try:
        if access.authority_file:
            context.load_verify_locations(cafile=access.authority_file)
        if access.certificate_file:
            context.load_cert_chain(access.certificate_file, access.key_file or None)
    except (OSError, ssl.SSLError) as error:
        files = ", ".join(filter(None, (access.authority_file, access.certificate_file, access.key_file)))
        raise CredentialsError(f"cannot load the certificates for {access.server} ({files}): {error}") from error
