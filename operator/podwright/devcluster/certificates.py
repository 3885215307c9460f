"""Certificates and keys of a throw-away cluster: small authorities that sign serving and client certificates.

Made when a cluster starts and removed with it. There are two authorities, since etcd trusts whoever its own signs:
one for the Kubernetes API, one for etcd. `real_node` asks the first for its kubelets' certificates.
"""

from __future__ import annotations

import datetime
import ipaddress
from typing import TYPE_CHECKING

from podwright.devcluster.errors import StartError
from podwright.devcluster.files import KeyPair, write_atomically

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
except ImportError as error:
    raise StartError(
        "Certificates for the embedded cluster need the Python package `cryptography`, which isn't installed.",
        remedy="Install Podwright with its `dev` extra: pip install 'podwright[dev]'.",
    ) from error

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["CertificateAuthority", "KeyPair", "write_service_account_key"]

_LIFETIME = datetime.timedelta(days=365)
_CLOCK_SKEW = datetime.timedelta(minutes=5)


class CertificateAuthority:
    """An authority whose files lie in one directory: `ca.crt`, `ca.key`, and a pair for each thing it signed."""

    def __init__(self, directory: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self.directory = directory
        self._certificate = certificate
        self._key = key

    @property
    def certificate_file(self) -> Path:
        """What a peer must trust."""
        return self.directory / "ca.crt"

    @classmethod
    def create(cls, directory: Path, *, name: str) -> CertificateAuthority:
        """Return a new authority in `directory`, which is made."""
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _subject(name, ())
        certificate = (
            _builder(subject, subject, key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        authority = cls(directory, certificate, key)
        authority._write("ca", certificate, key)
        return authority

    @classmethod
    def load(cls, directory: Path) -> CertificateAuthority:
        """Return the authority that `create` left in `directory`."""
        key = serialization.load_pem_private_key((directory / "ca.key").read_bytes(), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise StartError(f"{directory / 'ca.key'} isn't the key that was written there.")
        return cls(directory, x509.load_pem_x509_certificate((directory / "ca.crt").read_bytes()), key)

    def issue_client(self, file_name: str, *, user: str, groups: Iterable[str] = ()) -> KeyPair:
        """Return a certificate by which Kubernetes knows its holder as `user`, member of `groups`."""
        return self._issue(
            file_name, subject=_subject(user, groups), usages=[ExtendedKeyUsageOID.CLIENT_AUTH], names=(), addresses=()
        )

    def issue_serving(
        self,
        file_name: str,
        *,
        names: Iterable[str],
        addresses: Iterable[str],
        user: str = "",
        groups: Iterable[str] = (),
    ) -> KeyPair:
        """Return a certificate for a server that is reached by `names` (DNS) and `addresses` (IP); valid for clients as well."""
        return self._issue(
            file_name,
            subject=_subject(user or file_name, groups),
            usages=[ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH],
            names=names,
            addresses=addresses,
        )

    def _issue(
        self,
        file_name: str,
        *,
        subject: x509.Name,
        usages: list[x509.ObjectIdentifier],
        names: Iterable[str],
        addresses: Iterable[str],
    ) -> KeyPair:
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
        alternatives += [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
        builder = (
            _builder(subject, self._certificate.subject, key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if alternatives:
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        return self._write(file_name, builder.sign(self._key, hashes.SHA256()), key)

    def _write(self, file_name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> KeyPair:
        pair = KeyPair(self.directory / f"{file_name}.crt", self.directory / f"{file_name}.key")
        write_atomically(pair.key, _private_pem(key), mode=0o600)
        write_atomically(pair.certificate, certificate.public_bytes(serialization.Encoding.PEM))
        return pair


def write_service_account_key(directory: Path) -> KeyPair:
    """Return the key that signs service account tokens, and its public half (in `certificate`), which checks them."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pair = KeyPair(directory / "service-account.pub", directory / "service-account.key")
    write_atomically(pair.key, _private_pem(key), mode=0o600)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    write_atomically(pair.certificate, public)
    return pair


def _private_pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _subject(user: str, groups: Iterable[str]) -> x509.Name:
    # Kubernetes reads the user from the common name and the groups from the organizations.
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    return x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, user)])


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + _LIFETIME)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=not signs_certificates,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
