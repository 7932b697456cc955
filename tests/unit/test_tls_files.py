"""Certificates, keys and lists that cannot be used: one line at the start that says which setting and what to do."""

import asyncio
import base64
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from support.certificates import DAY, Authority, replace
from support.waiting import eventually
from voucherswitch.config.settings import Settings, SettingsError
from voucherswitch.security.dev_certificates import DevCertificateError, DevCertificates
from voucherswitch.security.live_tls import LiveTls
from voucherswitch.security.peer import certificate_of
from voucherswitch.security.tls import originators, read_tls


class Files:
    """Everything that TLS with client certificates needs, and can be used."""

    def __init__(self, folder: Path) -> None:
        self.folder: Final = folder
        self.authority = Authority(folder / "ca")
        self.server = self.authority.server()
        self.lists = self.authority.revoke(folder / "revoked.pem")

    def settings(self, **changed: Any) -> Settings:
        """Settings with these files, some of them changed; None takes one out."""
        values: dict[str, Any] = {
            "data_dir": self.folder,
            "tls_certificate_file": self.server.certificate_path,
            "tls_key_file": self.server.key_path,
            "tls_client_certificates": "required",
            "tls_client_ca_file": self.authority.path,
            "tls_client_revocations_file": self.lists,
        }
        return Settings(**{name: value for name, value in (values | changed).items() if value is not None})

    def refusal(self, **changed: Any) -> str:
        """What is said about settings that cannot be used."""

        def read() -> None:
            settings = self.settings(**changed)
            read_tls(settings, originators(settings))

        with pytest.raises(SettingsError) as caught:
            read()
        assert "\n" not in str(caught.value)
        return str(caught.value)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def test_files_that_fit_are_served(files: Files) -> None:
    settings = files.settings()
    assert read_tls(settings, originators(settings)).revoked == frozenset()


@pytest.mark.parametrize(
    ("taken_out", "said"),
    [
        ("tls_client_ca_file", "tls_client_ca_file"),
        ("tls_key_file", "tls_key_file"),
        ("tls_certificate_file", "tls_certificate_file"),
    ],
)
def test_a_file_without_the_other_is_refused(files: Files, taken_out: str, said: str) -> None:
    """`required` without an authority above all: it would let in everybody, or nobody."""
    changed: dict[str, Any] = {taken_out: None}
    if taken_out == "tls_client_ca_file":
        changed["tls_client_revocations_file"] = None
    assert files.refusal(**changed).startswith(f"{said} (default): is not set")


def test_an_authority_that_nobody_is_asked_for_is_refused(files: Files) -> None:
    """Whoever names it means it to be asked for."""
    assert "asks nobody" in files.refusal(tls_client_certificates="off")


def _expired(files: Files) -> dict[str, Path]:
    old = files.authority.server(starts=-2 * DAY, ends=-DAY)
    return {"tls_certificate_file": old.certificate_path, "tls_key_file": old.key_path}


def _early(files: Files) -> dict[str, Path]:
    early = files.authority.server(starts=timedelta(hours=1))
    return {"tls_certificate_file": early.certificate_path, "tls_key_file": early.key_path}


def _anothers_key(files: Files) -> dict[str, Path]:
    return {"tls_key_file": files.authority.server().key_path}


def _open_key(files: Files) -> dict[str, Path]:
    files.server.key_path.chmod(0o640)
    return {}


def _encrypted_key(files: Files) -> dict[str, Path]:
    path = files.folder / "encrypted.key"
    pem = files.server.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    replace(path, pem)
    return {"tls_key_file": path}


def _no_key(files: Files) -> dict[str, Path]:
    path = files.folder / "no.key"
    replace(path, files.server.pem)
    return {"tls_key_file": path}


def _clients_own(files: Files) -> dict[str, Path]:
    return {"tls_client_ca_file": files.authority.client("till").certificate_path}


def _no_list_of_it(files: Files) -> dict[str, Path]:
    return {"tls_client_revocations_file": Authority(files.folder / "x", "x").revoke(files.folder / "x.pem")}


def _forged_list(files: Files) -> dict[str, Path]:
    """Named as the authority's, signed by somebody else."""
    return {"tls_client_revocations_file": Authority(files.folder / "y").revoke(files.folder / "y.pem")}


def _half_a_list_behind(files: Files) -> dict[str, Path]:
    """Somebody is writing it at this moment."""
    replace(files.lists, files.lists.read_bytes() + b"-----BEGIN X509 CRL-----\nMIIB")
    return {}


def _key_of_no_kind(files: Files) -> dict[str, Path]:
    """PKCS #8, of the algorithm 1.2.3.4."""
    der = bytes.fromhex("3014020100300506032a0304040800112233445566aa")
    path = files.folder / "unknown.key"
    replace(path, _pem("PRIVATE KEY", der))
    return {"tls_key_file": path}


def _certificate_of_no_kind(files: Files) -> dict[str, Path]:
    der = files.server.certificate.public_bytes(Encoding.DER)
    path = files.folder / "unknown.pem"
    replace(path, _pem("CERTIFICATE", der.replace(_EC_KEY, _NO_KEY)))
    return {"tls_certificate_file": path}


def _authority_that_says_two_things(files: Files) -> dict[str, Path]:
    """Two extensions of one kind: which counts, nobody can tell."""
    der = files.authority.own.certificate.public_bytes(Encoding.DER)
    path = files.folder / "twice.pem"
    replace(path, _pem("CERTIFICATE", der.replace(_KEY_IDENTIFIER, _CONSTRAINTS)))
    return {"tls_client_ca_file": path}


# Object identifiers as certificates hold them.
_EC_KEY, _NO_KEY = bytes.fromhex("2a8648ce3d0201"), bytes.fromhex("2a8648ce3d0209")
_KEY_IDENTIFIER, _CONSTRAINTS = bytes.fromhex("0603551d0e"), bytes.fromhex("0603551d13")


def _pem(kind: str, der: bytes) -> bytes:
    return f"-----BEGIN {kind}-----\n{base64.encodebytes(der).decode()}-----END {kind}-----\n".encode()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda files: {"tls_certificate_file": files.folder / "none.pem"}, "No such file"),
        (lambda files: {"tls_certificate_file": files.server.key_path}, "holds no certificate"),
        (lambda files: {"tls_client_revocations_file": files.authority.path}, "holds no revocation list"),
        (_expired, "which is not now"),
        (_early, "which is not now"),
        (_anothers_key, "is not the key of the certificate"),
        (_open_key, "run: chmod 600"),
        (_encrypted_key, "is encrypted"),
        (_no_key, "holds no private key"),
        (_clients_own, "is not an authority"),
        (_no_list_of_it, "holds no list of 'CN=test authority' with its signature"),
        (_forged_list, "holds no list of 'CN=test authority' with its signature"),
        (_half_a_list_behind, "is no file of whole revocation lists"),
        (_key_of_no_kind, "holds no private key"),
        (_certificate_of_no_kind, "cannot be served"),
        (_authority_that_says_two_things, "is not an authority"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_line(
    files: Files, wrong: Callable[[Files], dict[str, Path]], said: str
) -> None:
    assert said in files.refusal(**wrong(files))


def test_a_weak_key_is_refused(files: Files) -> None:
    """1024 bits of RSA can be broken by whoever wants to."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    key = rsa.generate_private_key(65_537, 1024)
    builder = x509.CertificateBuilder().public_key(key.public_key()).serial_number(1)
    name = files.server.certificate.subject
    begun = builder.subject_name(name).issuer_name(name)
    certificate = begun.not_valid_before(files.server.certificate.not_valid_before_utc).not_valid_after(
        files.server.certificate.not_valid_after_utc
    )
    pem, key_path = files.folder / "weak.pem", files.folder / "weak.key"
    replace(pem, certificate.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    replace(key_path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    assert "at least 2048 bits" in files.refusal(tls_certificate_file=pem, tls_key_file=key_path)


def test_a_changed_list_refuses_and_a_broken_one_changes_nothing(files: Files) -> None:
    """As read by a process that runs."""
    stolen = files.authority.client("till")
    peer = certificate_of(stolen.certificate.public_bytes(Encoding.DER))
    settings = files.settings()
    live = LiveTls(settings, originators(settings))
    before = live.context()
    assert not live.refuses(peer)
    replace(files.lists, b"no list")
    live.refresh()
    assert live.context() is before
    files.authority.revoke(files.lists, stolen)
    live.refresh()
    assert live.context() is not before
    assert live.refuses(peer)


def test_what_could_not_be_used_is_used_once_it_can_be(files: Files) -> None:
    """Permissions say nothing of when a file was written: they are what a renewal forgets, and what is mended."""
    settings = files.settings()
    live = LiveTls(settings, originators(settings))
    before = live.context()
    files.server.key_path.chmod(0o640)
    live.refresh()
    assert live.context() is before
    files.server.key_path.chmod(0o600)
    live.refresh()
    assert live.context() is not before


async def test_the_watch_goes_on_whatever_happens_in_it(files: Files) -> None:
    """One that had ended would let in every certificate that is revoked from then on."""
    settings = files.settings()
    live = LiveTls(settings, originators(settings))
    looks = 0

    def fails_at_first() -> None:
        nonlocal looks
        looks += 1
        if looks == 1:
            raise RuntimeError("a fault of ours")

    async def again() -> bool:
        return looks > 1

    watch = asyncio.create_task(live.watch(fails_at_first))
    await eventually(again, "another look")
    assert not watch.done()
    watch.cancel()


def test_a_certificate_whose_time_is_over_is_refused_on_an_open_connection(files: Files) -> None:
    settings = files.settings()
    late = files.authority.client("till", starts=-2 * DAY, ends=-DAY)
    live = LiveTls(settings, originators(settings))
    assert live.refuses(certificate_of(late.certificate.public_bytes(Encoding.DER)))


def test_development_certificates_are_what_the_server_takes(tmp_path: Path) -> None:
    """Made once, kept, never replaced unless asked; keys for their owner only; a revoked client is on the list."""
    made = DevCertificates(tmp_path / "certs")
    for _ in range(2):
        made.ensure_authority()
        made.ensure_server()
    certificate, key = made.server
    made.make_client("22222222")
    with pytest.raises(DevCertificateError, match="--overwrite"):
        made.make_client("22222222")
    with pytest.raises(DevCertificateError, match="file's name"):
        made.make_client("../22222222")
    made.revoke("22222222")
    settings = Settings(
        data_dir=tmp_path,
        tls_certificate_file=certificate,
        tls_key_file=key,
        tls_client_certificates="required",
        tls_client_ca_file=made.authority,
        tls_client_revocations_file=made.revocations,
    )
    assert len(read_tls(settings, originators(settings)).revoked) == 1
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in made.folder.glob("*.key"))
