"""TLS as we serve it: 1.2 and 1.3 with forward secrecy and authenticated ciphers, nothing else.

Made from files, and again when they change. A file that cannot be used is refused with one line that says what to set:
at the start that is the end, later what was read before goes on.
"""

import os
import ssl
import stat
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store, VerificationError
from msgspec import Struct

from voucherswitch.config.limits import TLS_FILE_BYTES_MAX
from voucherswitch.config.settings import Settings, SettingsError
from voucherswitch.security.peer import ClientCertificate, certificate_of

# TLS 1.2; those of 1.3 are all of this kind. SECLEVEL 2 refuses RSA and DH below 2048 bits, EC below 224, and SHA-1,
# in client certificates too.
CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20:@SECLEVEL=2"

_PEM_END: Final = b"-----END X509 CRL-----"


class Tls(Struct, frozen=True):
    """What one reading of the files gave."""

    context: ssl.SSLContext
    ends: datetime  # of our certificate
    revoked: frozenset[tuple[str, int]] = frozenset()  # issuer and serial number
    revocations_end: datetime | None = None  # when the first of the lists is out of date
    authorities: tuple[x509.Certificate, ...] = ()  # whose client certificates are accepted

    def refuses(self, certificate: ClientCertificate, now: datetime) -> bool:
        """Whether a certificate that was let in is not any more: revoked, or its time is over."""
        return certificate.ends <= now or (certificate.issuer, certificate.serial) in self.revoked

    def lists_are_old(self, now: datetime) -> bool:
        """Whether a revocation list is out of date: then no certificate is accepted."""
        return self.revocations_end is not None and self.revocations_end <= now

    def verified(self, der: bytes, now: datetime) -> ClientCertificate:
        """Read a client certificate that an edge has seen, if this context would accept it too.

        Possession of its key was proved to the edge. Authorities that are not in our file are not used.

        Raises:
            ValueError: it is none, another authority issued it, it is for something else, over, revoked, or our
                revocation lists are out of date.
        """
        certificate = x509.load_der_x509_certificate(der)
        if self.lists_are_old(now):
            raise ValueError("our revocation list is out of date")
        try:
            anything = ExtensionPolicy.permit_all()
            authority = anything.require_present(x509.BasicConstraints, Criticality.AGNOSTIC, None)
            verifier = (
                PolicyBuilder()
                .store(Store(list(self.authorities)))
                .time(now)
                .extension_policies(ca_policy=authority, ee_policy=anything)
                .build_client_verifier()
            )
            chain = verifier.verify(certificate, []).chain
        except VerificationError as error:
            raise ValueError(f"not issued by an authority of ours, or its time is over: {error}") from None
        _refuse_other_purpose(certificate)
        for each in chain:
            if (each.issuer.rfc4514_string(), each.serial_number) in self.revoked:
                raise ValueError("revoked")
        return certificate_of(der)


def _refuse_other_purpose(certificate: x509.Certificate) -> None:
    try:
        purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return  # for any purpose, as in a handshake
    if ExtendedKeyUsageOID.CLIENT_AUTH not in purposes:
        raise ValueError("not for clients")


class Clients(Struct, frozen=True):
    """How clients prove themselves by certificates: the settings that name the files, and whether they must."""

    authorities: str
    revocations: str
    required: bool


def originators(settings: Settings) -> Clients | None:
    """What is asked of originators; None: no certificate."""
    if settings.tls_client_certificates == "off":
        return None
    required = settings.tls_client_certificates == "required"
    return Clients("tls_client_ca_file", "tls_client_revocations_file", required)


# What is asked of operators.
OPERATORS: Final = Clients("console_client_ca_file", "console_client_revocations_file", required=True)


def read_tls(settings: Settings, clients: Clients | None) -> Tls:
    """Read the files that the settings name, and make a context of them.

    Args:
        settings: with `tls_certificate_file` set.
        clients: what is asked of clients; None: no certificate.

    Raises:
        SettingsError: one of the files cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    # No tickets: a resumed session has not shown its certificate again, and a ticket's key, which lives as long as the
    # process, undoes forward secrecy. Originators keep their connections, so there is little to resume.
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    ends = _load_own(settings, context)
    if clients is None:
        return Tls(context, ends)
    authorities = _load_authorities(settings, clients, context)
    context.verify_mode = ssl.CERT_REQUIRED if clients.required else ssl.CERT_OPTIONAL
    lists = _load_revocations(settings, clients, context, authorities)
    return Tls(
        context,
        ends,
        frozenset((each.issuer.rfc4514_string(), entry.serial_number) for each in lists for entry in each),
        min((each.next_update_utc or datetime.max.replace(tzinfo=UTC) for each in lists), default=None),
        tuple(authorities),
    )


def files_of(settings: Settings, clients: Clients | None) -> tuple[Path, ...]:
    """The files that `read_tls` reads."""
    names = ["tls_certificate_file", "tls_key_file"]
    if clients is not None:
        names += [clients.authorities, clients.revocations]
    return tuple(path for path in (getattr(settings, name) for name in names) if path is not None)


def _load_own(settings: Settings, context: ssl.SSLContext) -> datetime:
    """Load our certificate and its key; return when it ends."""
    certificate_path, key_path = settings.tls_certificate_file, settings.tls_key_file
    assert certificate_path is not None
    assert key_path is not None  # rules.py sees to both
    certificate = _certificates(settings, "tls_certificate_file", certificate_path)[0]
    now = datetime.now(UTC)
    if not certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc:
        raise settings.refusal(
            "tls_certificate_file",
            f"the certificate in {str(certificate_path)!r} is valid from {certificate.not_valid_before_utc:%Y-%m-%d} "
            f"to {certificate.not_valid_after_utc:%Y-%m-%d}, which is not now",
            "set a certificate that is valid, and see that the clock is right",
        )
    pem = _content(settings, "tls_key_file", key_path, private=True)
    try:
        key = load_pem_private_key(pem, password=None)
    except TypeError:  # as cryptography says that it would need a password
        raise settings.refusal(
            "tls_key_file", f"the key in {str(key_path)!r} is encrypted", "set a file with the key as it is, mode 600"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise settings.refusal("tls_key_file", f"{str(key_path)!r} holds no private key", "set a PEM file") from None
    try:
        fits = key.public_key() == certificate.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _unservable(settings, certificate_path, error) from None
    if not fits:
        raise settings.refusal(
            "tls_key_file",
            f"{str(key_path)!r} is not the key of the certificate in {str(certificate_path)!r}",
            "set the two files that belong together, the server's own certificate first in its file",
        )
    try:
        context.load_cert_chain(certificate_path, key_path, password=lambda: b"")
    except (ssl.SSLError, OSError) as error:
        raise _unservable(settings, certificate_path, error) from None
    return certificate.not_valid_after_utc


def _unservable(settings: Settings, path: Path, error: Exception) -> SettingsError:
    return settings.refusal(
        "tls_certificate_file",
        f"{str(path)!r} cannot be served ({error.args[-1] if isinstance(error, OSError) else error})",
        "set a certificate with an EC key, or an RSA key of at least 2048 bits",
    )


def _load_authorities(settings: Settings, clients: Clients, context: ssl.SSLContext) -> Sequence[x509.Certificate]:
    name = clients.authorities
    path: Path | None = getattr(settings, name)
    assert path is not None  # rules.py sees to it
    authorities = _certificates(settings, name, path)
    subjects = {authority.subject for authority in authorities}
    for authority in authorities:
        if not _is_authority(authority):
            raise settings.refusal(
                name,
                f"{authority.subject.rfc4514_string()!r} in {str(path)!r} is not an authority",
                "set a file of the authorities that issue client certificates; register a client's own certificate "
                "with: voucherswitch originator certificate add",
            )
        if authority.issuer not in subjects:
            raise settings.refusal(
                name,
                f"{str(path)!r} lacks {authority.issuer.rfc4514_string()!r}, the issuer of an authority in it",
                "put every authority up to the root into the file",
            )
    try:
        context.load_verify_locations(cadata="".join(_pem(authority) for authority in authorities))
    except ssl.SSLError as error:
        raise settings.refusal(name, f"{str(path)!r} cannot be used ({error.args[-1]})", "set a PEM file") from None
    return authorities


def _load_revocations(
    settings: Settings, clients: Clients, context: ssl.SSLContext, authorities: Sequence[x509.Certificate]
) -> Sequence[x509.CertificateRevocationList]:
    name = clients.revocations
    path: Path | None = getattr(settings, name)
    if path is None:
        return ()
    pem = _content(settings, name, path)
    try:
        lists = [x509.load_pem_x509_crl(part + _PEM_END) for part in pem.split(_PEM_END)[:-1]]
    except ValueError:
        lists = []
    if not lists:
        raise settings.refusal(name, f"{str(path)!r} holds no revocation list", "set a PEM file of CRLs")
    for authority in authorities:
        its_own = [each for each in lists if each.issuer == authority.subject]
        if not any(_signed_by(authority, each) for each in its_own):
            raise settings.refusal(
                name,
                f"{str(path)!r} holds no list of {authority.subject.rfc4514_string()!r} with its signature",
                f"put a current list of every authority in {clients.authorities} into it",
            )
    try:
        context.load_verify_locations(cafile=path)
    except OSError:  # of OpenSSL too; it reads the file once more, and what follows the last list
        raise settings.refusal(
            name,
            f"{str(path)!r} is no file of whole revocation lists",
            "write it whole, under another name, and rename it",
        ) from None
    # Of every authority on the way to the root, not only of the one that issued the client's certificate.
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
    return lists


def _certificates(settings: Settings, name: str, path: Path) -> Sequence[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(_content(settings, name, path))
    except ValueError:
        raise settings.refusal(name, f"{str(path)!r} holds no certificate", "set a PEM file") from None


def _content(settings: Settings, name: str, path: Path, *, private: bool = False) -> bytes:
    """Read a file; a `private` one must be nobody else's."""
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            content = file.read(TLS_FILE_BYTES_MAX + 1)
    except OSError as error:
        raise settings.refusal(
            name, f"{str(path)!r} cannot be read: {error.strerror}", "name a readable PEM file"
        ) from None
    if len(content) > TLS_FILE_BYTES_MAX:
        raise settings.refusal(name, f"{str(path)!r} is over {TLS_FILE_BYTES_MAX} bytes", "name a PEM file")
    if private and mode & 0o077:
        raise settings.refusal(name, f"{str(path)!r} is open to others", f"run: chmod 600 {path}")
    return content


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return False


def _signed_by(authority: x509.Certificate, revocations: x509.CertificateRevocationList) -> bool:
    try:
        return revocations.is_signature_valid(authority.public_key())  # type: ignore[arg-type]  # TypeError says the rest
    except (InvalidSignature, UnsupportedAlgorithm, TypeError, ValueError):
        return False


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode("ascii")
