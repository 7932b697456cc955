"""A small authority for tests: it can issue what must be refused, too."""

import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY: Final = timedelta(days=1)
LOCAL: Final = ("localhost", "127.0.0.1")


@dataclass(frozen=True)
class Issued:
    """A certificate with its key, in memory and as files."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    certificate_path: Path
    key_path: Path

    @property
    def pem(self) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def identity(self) -> bytes:
        """Certificate and key in one, as HTTP clients take them."""
        return self.pem + _pem_key(self.key)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, hex."""
        return self.certificate.fingerprint(hashes.SHA256()).hex()

    @property
    def subject(self) -> str:
        """Its name, RFC 4514."""
        return self.certificate.subject.rfc4514_string()


class Authority:
    """Issues certificates, valid from yesterday to tomorrow unless told otherwise, into a folder."""

    def __init__(self, folder: Path, name: str = "test authority") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder: Final = folder
        self._numbers = 0
        self.own: Final = self._make(
            name,
            None,
            starts=-DAY,
            ends=DAY,
            extensions=[(x509.BasicConstraints(ca=True, path_length=1), True)],
        )

    @property
    def path(self) -> Path:
        """Its certificate."""
        return self.own.certificate_path

    def server(
        self,
        name: str = "switch",
        *,
        starts: timedelta = -DAY,
        ends: timedelta = DAY,
        alternatives: Iterable[str] = LOCAL,
    ) -> Issued:
        """A server's certificate."""
        names = x509.SubjectAlternativeName([_alternative(each) for each in alternatives])
        purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        return self._make(name, self.own, starts=starts, ends=ends, extensions=[(names, False), (purpose, False)])

    def client(
        self,
        name: str,
        *,
        starts: timedelta = -DAY,
        ends: timedelta = DAY,
        purpose: x509.ObjectIdentifier = ExtendedKeyUsageOID.CLIENT_AUTH,
        self_made: bool = False,
    ) -> Issued:
        """A client's certificate; `self_made` is not ours, only named as if."""
        issuer = None if self_made else self.own
        extensions: list[tuple[x509.ExtensionType, bool]] = [(x509.ExtendedKeyUsage([purpose]), False)]
        return self._make(name, issuer, starts=starts, ends=ends, extensions=extensions)

    def revoke(self, path: Path, *revoked: Issued, ends: timedelta = DAY) -> Path:
        """Write the revocation list to a file, at once as a whole."""
        now = datetime.now(UTC)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.own.certificate.subject)
            .last_update(now - 2 * DAY)
            .next_update(now + ends)
        )
        for issued in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(issued.certificate.serial_number)
            builder = builder.add_revoked_certificate(entry.revocation_date(now - DAY).build())
        replace(path, builder.sign(self.own.key, hashes.SHA256()).public_bytes(Encoding.PEM))
        return path

    def _make(
        self,
        name: str,
        issuer: Issued | None,
        *,
        starts: timedelta,
        ends: timedelta,
        extensions: Iterable[tuple[x509.ExtensionType, bool]],
    ) -> Issued:
        key = ec.generate_private_key(ec.SECP256R1())
        signing_key = key if issuer is None else issuer.key
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if issuer is None else issuer.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + starts)
            .not_valid_after(now + ends)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key()), critical=False)
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        certificate = builder.sign(signing_key, hashes.SHA256())
        self._numbers += 1
        stem = f"{name.replace(' ', '-')}-{self._numbers}"
        certificate_path, key_path = self._folder / f"{stem}.pem", self._folder / f"{stem}.key"
        certificate_path.write_bytes(certificate.public_bytes(Encoding.PEM))
        key_path.touch(mode=0o600)
        key_path.write_bytes(_pem_key(key))
        return Issued(certificate, key, certificate_path, key_path)


@dataclass(frozen=True)
class ClientTls:
    """What a client brings to a TLS connection: whom it trusts, and its own certificate if it has one."""

    authority: Path
    own: Issued | None = None

    def context(self) -> ssl.SSLContext:
        """For a bare connection."""
        context = ssl.create_default_context(cafile=self.authority)
        if self.own is not None:
            context.load_cert_chain(self.own.certificate_path, self.own.key_path)
        return context


def replace(path: Path, content: bytes) -> None:
    """Write a file anew, as who renews certificates does: whole, under another name, then renamed."""
    draft = path.with_name(f".{path.name}")
    draft.touch(mode=0o600)
    draft.write_bytes(content)
    draft.replace(path)


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
