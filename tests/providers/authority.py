"""An authority that makes certificates for tests, good ones and others, at the moment they are needed."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Key: TypeAlias = ec.EllipticCurvePrivateKey
HERE = "127.0.0.1"


def a_key() -> Key:
    return ec.generate_private_key(ec.SECP256R1())


class Authority:
    """Makes certificates; for 127.0.0.1 unless another host is wanted."""

    def __init__(self) -> None:
        self.key = a_key()
        self.certificate = self._sign("authority", self.key, None)

    def _sign(
        self, name: str, key: Key, issuer: x509.Certificate | None, *, host: str = HERE, days_left: int = 1
    ) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        known_as = x509.IPAddress(ip_address(host)) if host[0].isdigit() else x509.DNSName(host)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if issuer is None else issuer.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=9))
            .not_valid_after(now + timedelta(days=days_left))
            .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([known_as]), critical=False)
        )
        return builder.sign(self.key, hashes.SHA256())

    def write(self, folder: Path, name: str, *, key: Key | None = None, host: str = HERE, days_left: int = 1) -> Path:
        """A certificate with its key behind it, in one file that only its owner may read."""
        key = key or a_key()
        certificate = self._sign(name, key, self.certificate, host=host, days_left=days_left)
        path = folder / f"{name}.pem"
        path.touch(0o600)
        path.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return path

    def write_ca(self, folder: Path, name: str = "ca") -> Path:
        path = folder / f"{name}.pem"
        path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        return path
