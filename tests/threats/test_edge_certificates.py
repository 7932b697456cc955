"""A certificate that an edge passes on is believed only if we would have accepted it ourselves (RFC 9440)."""

import base64
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from support.certificates import DAY, Authority, Issued
from voucherswitch.interface.edges import EdgeError, client_certificate
from voucherswitch.security.tls import Tls


def der(issued: Issued) -> bytes:
    """A certificate as an edge passes it on."""
    return issued.certificate.public_bytes(Encoding.DER)


def test_only_a_certificate_of_our_authority_in_its_time_for_clients_and_not_revoked(tmp_path: Path) -> None:
    authority, other = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")
    now = datetime.now(UTC)
    good, revoked = authority.client("till"), authority.client("stolen")
    tls = Tls(
        context=None,  # type: ignore[arg-type]  # nobody shakes hands here
        ends=now + DAY,
        revoked=frozenset({(revoked.certificate.issuer.rfc4514_string(), revoked.certificate.serial_number)}),
        authorities=(authority.own.certificate,),
    )

    assert tls.verified(der(good), now).fingerprint == good.fingerprint
    for bad in (
        revoked,
        other.client("till"),
        authority.client("till", self_made=True),
        authority.client("till", starts=-2 * DAY, ends=-DAY),
        authority.client("till", starts=DAY, ends=2 * DAY),
        authority.client("till", purpose=ExtendedKeyUsageOID.SERVER_AUTH),
    ):
        with pytest.raises(ValueError):  # noqa: PT011 - each has its own text
            tls.verified(der(bad), now)
    with pytest.raises(ValueError):  # noqa: PT011 - as above
        tls.verified(b"no certificate", now)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"::",
        b":",
        b"aGVsbG8=",
        b":aGVsbG8=",
        b":aGVsbG8",
        b":a b:",
        b":aGVsbG8=:;a=b",
        b":" + b"A" * 20_000 + b":",
    ],
)
def test_a_header_that_is_no_byte_sequence_is_refused(value: bytes) -> None:
    with pytest.raises(EdgeError):
        client_certificate(value)


def test_a_byte_sequence_is_read() -> None:
    assert client_certificate(b" :" + base64.b64encode(b"hello") + b": ") == b"hello"
