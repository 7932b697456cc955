"""How a provider proves who it is, and how we do: one TLS context per address, the same for every transport.

The certificate is always checked, against the host that was asked for, by TLS 1.2 or later. A pin is checked besides,
never instead.
"""

import base64
import hashlib
import os
import ssl
import stat
from collections.abc import Sequence
from functools import cache
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from voucherswitch.providers.contract.settings import TlsSettings, refuse

_OTHERS: Final = 0o077  # what a group and all others may do with a file


def tls_context(provider_id: str, tls: TlsSettings) -> ssl.SSLContext:
    """The context of a provider's connections, made from the files that its settings name.

    Providers without files of their own share one, which is not to be changed.

    Raises:
        ProviderSettingsError: a file cannot be read or used, or our key is open to others.
    """
    if tls.verify and (tls.ca_file, tls.client_cert, tls.client_key) == (None, None, None):
        return _public_context()
    context = _new_context()
    if tls.ca_file is not None:
        problem, hint = "holds no certificate", "a PEM file of the provider's authority"
        try:
            context.load_verify_locations(cafile=tls.ca_file)
        except OSError as error:
            refuse(provider_id, "tls.ca_file", _file_problem(error, problem), hint)
        # An intermediate authority, or the provider's own certificate, is as good an anchor as a root.
        context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    elif tls.verify:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    if not tls.verify:  # the settings allow it on loopback only
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.client_cert is not None:
        _show_ours(context, provider_id, tls.client_cert, tls.client_key)
    elif tls.client_key is not None:
        refuse(provider_id, "tls.client_cert", "is missing beside tls.client_key", "the PEM file of our certificate")
    return context


def _new_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks certificate and host
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


@cache  # reading the system's authorities takes a tenth of a second, in which this process answers nobody
def _public_context() -> ssl.SSLContext:
    context = _new_context()
    context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    return context


def _show_ours(context: ssl.SSLContext, provider_id: str, certificate: str, key: str | None) -> None:
    with_key, path = ("tls.client_cert", certificate) if key is None else ("tls.client_key", key)
    try:
        mode = stat.S_IMODE(os.stat(path).st_mode)
    except OSError as error:
        refuse(provider_id, with_key, _file_problem(error, ""), "a PEM file that this process may read")
    if mode & _OTHERS:
        refuse(provider_id, with_key, "holds a key and is open to others", "a file of mode 600: chmod 600 and its path")
    problem, hint = "is not a certificate with its key", "a PEM file with both, the key not encrypted"
    if key is not None:
        problem, hint = "does not fit its key in tls.client_key", "the PEM file of our certificate, its key unencrypted"
    try:
        # Without a password of its own an encrypted key would be asked for on the terminal.
        context.load_cert_chain(certificate, key, password="")
    except OSError as error:
        refuse(provider_id, "tls.client_cert", _file_problem(error, problem), hint)


def _file_problem(error: OSError, unusable: str) -> str:
    return unusable if isinstance(error, ssl.SSLError) else f"cannot be read ({error.strerror})"


def pin_of(certificate: bytes) -> str:
    """The pin of a certificate (DER): the SHA-256 of its public key (SubjectPublicKeyInfo), as RFC 7469 writes it.

    It stays when a certificate is renewed for the same key.
    """
    key = x509.load_der_x509_certificate(certificate).public_key()
    digest = hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
    return f"sha256/{base64.b64encode(digest).decode()}"


def pin_refusal(ours: ssl.SSLObject, pins: Sequence[str]) -> str | None:
    """Why nothing may be sent over a connection that greeted well; None: the provider's key is one of the pins."""
    certificate = ours.getpeercert(binary_form=True)
    if certificate is None:
        return "the provider showed no certificate, and tls.pins wants one"
    try:
        seen = pin_of(certificate)
    except ValueError:
        return "the key of the provider's certificate cannot be read, and tls.pins wants one"
    return None if seen in pins else f"the provider's key is none of tls.pins; this one is {seen}"
