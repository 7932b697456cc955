"""Who is at the other end of a connection, as far as the connection itself proves it."""

import hashlib
from datetime import datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, TypeAlias

from cryptography import x509
from msgspec import Struct

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

# Where an ASGI scope holds the request's `Peer`.
PEER: Final = "voucherswitch.peer"


class ClientCertificate(Struct, frozen=True):
    """A certificate that the connection's other end has proved to hold, issued by an authority that we trust."""

    fingerprint: str  # SHA-256 of its DER, hex in lower case
    subject: str  # RFC 4514
    issuer: str
    serial: int
    ends: datetime  # aware


class Peer(Struct, frozen=True):
    """One end of a connection. `certificate` is None where none was asked for or given."""

    source: Address
    certificate: ClientCertificate | None = None


def certificate_of(der: bytes) -> ClientCertificate:
    """Read a certificate whose chain and possession the TLS layer has verified.

    Raises:
        ValueError: it is not a certificate.
    """
    certificate = x509.load_der_x509_certificate(der)
    return ClientCertificate(
        fingerprint=hashlib.sha256(der).hexdigest(),
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        serial=certificate.serial_number,
        ends=certificate.not_valid_after_utc,
    )


def source_of(host: str) -> Address:
    """Read a socket's address: an IPv4 address that came over an IPv6 socket is the IPv4 address.

    Raises:
        ValueError: it is not an address.
    """
    address = ip_address(host)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
