"""Certificates for development: an authority, what it issues, and its revocation list, in one folder.

`ca.pem`, `server.pem` and `server.key`, `client-ID.pem` and `client-ID.key`, `revoked.pem`. Not for production: the
authority's key lies beside what it issued.
"""

import os
import socket
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_AUTHORITY_DAYS: Final = 3_650
_DAYS: Final = 397  # the most that browsers accept of a server
_LIST_DAYS: Final = 90
_RENEW_DAYS: Final = 30
# Clocks of a laptop and a virtual machine on it differ by minutes.
_EARLIER: Final = timedelta(hours=1)
_NAME: Final = "voucherswitch development CA"


class DevCertificateError(Exception):
    """What was asked for exists already, or cannot be made. The text is one line: what, and what to do."""


class DevCertificates:
    """The folder, and what can be done with it. Nothing that exists is replaced unless the method says so."""

    def __init__(self, folder: Path) -> None:
        self.folder: Final = folder

    @property
    def authority(self) -> Path:
        """The certificate of the authority: what whoever connects must trust."""
        return self.folder / "ca.pem"

    @property
    def revocations(self) -> Path:
        """The authority's revocation list."""
        return self.folder / "revoked.pem"

    @property
    def server(self) -> tuple[Path, Path]:
        """The server's certificate and key."""
        return self.folder / "server.pem", self.folder / "server.key"

    def client(self, client_id: str) -> tuple[Path, Path]:
        """A client's certificate and key.

        Raises:
            DevCertificateError: the id cannot be part of a file's name.
        """
        if not client_id or not all(letter.isalnum() or letter in "-_." for letter in client_id):
            raise DevCertificateError(f"{client_id!r} cannot be part of a file's name: letters, digits, '-', '_', '.'")
        return self.folder / f"client-{client_id}.pem", self.folder / f"client-{client_id}.key"

    def ensure_authority(self) -> None:
        """Make the authority and its revocation list, if there is none; a list that ends soon is written anew."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.authority.exists():
            before = x509.load_pem_x509_crl(self.revocations.read_bytes())
            ends = before.next_update_utc
            if ends is None or ends < datetime.now(UTC) + timedelta(days=_RENEW_DAYS):
                self._write_revocations({entry.serial_number for entry in before})
            return
        key = ec.generate_private_key(ec.SECP256R1())
        name = _named(_NAME)
        builder = (
            _begun(name, name, key.public_key(), _AUTHORITY_DAYS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(issues=True), critical=True)
        )
        _write(self.folder / "ca.key", _pem_key(key), secret=True)
        _write(self.authority, builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
        self._write_revocations(())

    def ensure_server(self) -> None:
        """Make the server's certificate, if there is none that lasts; a new one has the names of the old one."""
        path, _ = self.server
        names: list[str] = []
        if path.exists():
            before = x509.load_pem_x509_certificate(path.read_bytes())
            if before.not_valid_after_utc > datetime.now(UTC) + timedelta(days=_RENEW_DAYS):
                return
            had = before.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            names = [str(name.value) for name in had]
        self.make_server(names, replace=True)

    def make_server(self, names: Iterable[str] = (), *, replace: bool = False) -> None:
        """Issue the server's certificate, for this machine and for further names or addresses.

        Raises:
            DevCertificateError: there is one, and it is not to be replaced.
        """
        wanted = dict.fromkeys(("localhost", "127.0.0.1", "::1", socket.gethostname(), *names))
        alternatives = x509.SubjectAlternativeName([_alternative(name) for name in wanted])
        self._issue(self.server, "voucherswitch", ExtendedKeyUsageOID.SERVER_AUTH, alternatives, replace=replace)

    def make_client(self, client_id: str, *, replace: bool = False) -> None:
        """Issue a client's certificate.

        Raises:
            DevCertificateError: there is one, and it is not to be replaced; or the id is not usable.
        """
        self._issue(self.client(client_id), client_id, ExtendedKeyUsageOID.CLIENT_AUTH, None, replace=replace)

    def revoke(self, client_id: str) -> None:
        """Put a client's certificate on the revocation list, which is written anew.

        Raises:
            DevCertificateError: there is no such certificate.
        """
        path, _ = self.client(client_id)
        if not path.exists():
            raise DevCertificateError(f"there is no {path}")
        serial = x509.load_pem_x509_certificate(path.read_bytes()).serial_number
        before = x509.load_pem_x509_crl(self.revocations.read_bytes())
        self._write_revocations({*(entry.serial_number for entry in before), serial})

    def _issue(
        self,
        paths: tuple[Path, Path],
        name: str,
        purpose: x509.ObjectIdentifier,
        alternatives: x509.SubjectAlternativeName | None,
        *,
        replace: bool,
    ) -> None:
        for path in paths:
            if path.exists() and not replace:
                raise DevCertificateError(f"{path} exists; --overwrite replaces it")
        authority, authority_key = self._authority()
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            _begun(_named(name), authority.subject, key.public_key(), _DAYS)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(issues=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
            )
        )
        if alternatives is not None:
            builder = builder.add_extension(alternatives, critical=False)
        certificate_path, key_path = paths
        _write(key_path, _pem_key(key), secret=True)
        _write(certificate_path, builder.sign(authority_key, hashes.SHA256()).public_bytes(Encoding.PEM))

    def _write_revocations(self, serials: Iterable[int]) -> None:
        authority, key = self._authority()
        now = datetime.now(UTC)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(authority.subject)
            .last_update(now - _EARLIER)
            .next_update(now + timedelta(days=_LIST_DAYS))
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        )
        for serial in sorted(serials):
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now).build()
            )
        _write(self.revocations, builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))

    def _authority(self) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        key = load_pem_private_key((self.folder / "ca.key").read_bytes(), password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return x509.load_pem_x509_certificate(self.authority.read_bytes()), key


def _begun(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _named(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        pass
    try:
        return x509.DNSName(name)
    except ValueError:
        raise DevCertificateError(f"{name!r} is neither a host name nor an address") from None


def _usage(*, issues: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not issues,
        key_cert_sign=issues,
        crl_sign=issues,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(path: Path, content: bytes, *, secret: bool = False) -> None:
    """Write a file whole or not at all; a secret one for its owner only."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600 if secret else 0o644)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    draft.replace(path)
