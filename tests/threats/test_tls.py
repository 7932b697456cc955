"""TLS as an attacker meets it: over real sockets, against the running server."""

import asyncio
import os
import shutil
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

from support.addresses import absent
from support.certificates import Authority, ClientTls, replace
from support.messages import a_provision
from support.originators import TILL
from support.raw import connected
from support.switch import Switch
from support.waiting import eventually
from support.wire import Wire
from voucherswitch.config.limits import TLS_HANDSHAKE_S, TLS_HANDSHAKES_MAX

# What each version of the protocol says of itself in a ClientHello.
OLD: Final = {"SSL 3.0": 0x0300, "TLS 1.0": 0x0301, "TLS 1.1": 0x0302}
HANDSHAKE: Final = 0x16
# Suites that a server of that time would take: with RSA, with a curve, with 3DES and RC4.
OLD_SUITES: Final = (0x002F, 0x0035, 0x000A, 0x0005, 0x0004, 0xC009, 0xC00A, 0xC013, 0xC014, 0x0016, 0x0033)
WEAK: Final = (
    "AES128-SHA", "AES256-SHA", "AES128-GCM-SHA256", "AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-ECDSA-AES256-SHA", "ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES256-SHA384", "DHE-RSA-AES128-GCM-SHA256",
    "ADH-AES128-GCM-SHA256", "AECDH-AES128-SHA", "ECDHE-ECDSA-NULL-SHA", "NULL-SHA256", "PSK-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES128-CCM8",
)  # fmt: skip


def _client(switch: Switch, *, version: ssl.TLSVersion | None = None, ciphers: str = "") -> ssl.SSLContext:
    """As weak as this machine's OpenSSL lets a client be."""
    context = ssl.create_default_context(cafile=switch.authority.path)
    context.minimum_version = version or ssl.TLSVersion.MINIMUM_SUPPORTED
    if version is not None:
        context.maximum_version = version
    if ciphers:
        context.set_ciphers(f"{ciphers}:@SECLEVEL=0")
    return context


@asynccontextmanager
async def _over_tls(
    switch: Switch, context: ssl.SSLContext
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(*switch.tls_address, ssl=context)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


def _hello(version: int) -> bytes:
    """A ClientHello of an old protocol, byte by byte: no library of today makes one."""
    suites = b"".join(struct.pack("!H", suite) for suite in OLD_SUITES)
    body = struct.pack("!H", version) + os.urandom(32) + b"\x00"
    body += struct.pack("!H", len(suites)) + suites + b"\x02\x01\x00"  # DEFLATE, or none
    if version > OLD["SSL 3.0"]:
        curves = b"\x00\x0a\x00\x04\x00\x02\x00\x17"
        points = b"\x00\x0b\x00\x02\x01\x00"
        body += struct.pack("!H", len(curves) + len(points)) + curves + points
    message = b"\x01" + struct.pack("!I", len(body))[1:] + body
    return struct.pack("!BHH", HANDSHAKE, min(version, 0x0301), len(message)) + message


@pytest.mark.parametrize("name", OLD)
async def test_nothing_below_tls_1_2(switch: Switch, name: str) -> None:
    """No ServerHello, whatever is offered with it: an alert, or nothing."""
    async with connected(switch.tls_address) as attacker:
        await attacker.send(_hello(OLD[name]))
        assert await attacker.rest() in (b"", b"\x15\x03\x01\x00\x02\x02\x46", b"\x15\x03\x00\x00\x02\x02\x46")


@pytest.mark.parametrize(
    ("version", "cipher"),
    [
        (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES128-GCM-SHA256"),
        (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES256-GCM-SHA384"),
        (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-CHACHA20-POLY1305"),
        (ssl.TLSVersion.TLSv1_3, ""),
    ],
)
async def test_what_is_spoken(switch: Switch, version: ssl.TLSVersion, cipher: str) -> None:
    """Forward secrecy and authenticated encryption, no compression, HTTP/1.1, and no session to resume."""
    context = _client(switch, version=version, ciphers=cipher)
    context.set_alpn_protocols(["h2", "http/1.1"])
    async with _over_tls(switch, context) as (_, writer):
        spoken: ssl.SSLObject = writer.get_extra_info("ssl_object")
        assert spoken.version() == version.name.replace("_", ".")
        assert spoken.compression() is None
        assert spoken.selected_alpn_protocol() == "http/1.1"
        assert spoken.session is None or not spoken.session.has_ticket


@pytest.mark.parametrize("cipher", WEAK)
async def test_no_weak_suite(switch: Switch, cipher: str) -> None:
    """No forward secrecy, no authentication, no encryption, or CBC."""
    try:
        context = _client(switch, version=ssl.TLSVersion.TLSv1_2, ciphers=cipher)
    except ssl.SSLError:
        pytest.skip("this machine's OpenSSL does not know it")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        async with _over_tls(switch, context):
            pass


async def test_no_renegotiation(switch: Switch) -> None:
    """Keys cannot be changed in the middle, so that nothing is put before what an originator sends."""
    openssl = shutil.which("openssl")
    if openssl is None:
        absent("needs the openssl command: Python's own module cannot ask for it")
    host, port = switch.tls_address
    client = await asyncio.create_subprocess_exec(
        openssl, "s_client", "-connect", f"{host}:{port}", "-tls1_2", "-CAfile", str(switch.authority.path),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(30):
        said, _ = await client.communicate(b"R\n")
    assert b"RENEGOTIATING" in said
    assert b"no renegotiation" in said


async def test_plain_http_on_the_tls_port_hears_nothing(switch: Switch) -> None:
    """Not a byte that would be an answer, and the password is not looked at."""
    async with connected(switch.tls_address) as attacker:
        await attacker.send(switch.request_head("GET", "/suv/v1/products", by=TILL))
        answer = await attacker.rest()
        assert b"HTTP" not in answer
        assert len(answer) <= 7  # a TLS alert at most


async def test_tls_on_the_plain_port_hears_nothing_useful(switch: Switch) -> None:
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection(*switch.address, ssl=_client(switch))


async def test_a_client_of_another_authority_is_not_fooled(switch: Switch, tmp_path: Path) -> None:
    """Ours is the only certificate on the port: who trusts another authority gets no connection."""
    other = Authority(tmp_path / "other")
    with pytest.raises(ssl.SSLCertVerificationError):
        await asyncio.open_connection(*switch.tls_address, ssl=ClientTls(other.path).context())


async def test_a_new_certificate_is_seen_by_new_connections_while_old_ones_go_on(
    switch: Switch, tmp_path: Path
) -> None:
    """And a file that cannot be used changes nothing."""
    certificate, key = tmp_path / "server.pem", tmp_path / "server.key"
    first, second = switch.server, switch.authority.server()
    replace(certificate, first.pem)
    replace(key, first.key_path.read_bytes())
    port = switch.free_port()
    tls = ClientTls(switch.authority.path)
    files = {"TLS_CERTIFICATE_FILE": str(certificate), "TLS_KEY_FILE": str(key)}
    async with switch.lone_worker(TLS_PORT=str(port), **files) as (_, process):
        wire = Wire(switch, TILL, f"https://127.0.0.1:{port}", tls)
        assert (await wire.post("/vouchers", a_provision(TILL))).status == 201

        async def shown() -> bytes | None:
            return await asyncio.to_thread(_certificate_at, port, tls)

        replace(certificate, b"no certificate")
        await eventually(lambda: _true("not read anew" in process.text()), "the refusal in the log", within_s=30)
        assert await shown() == first.pem
        assert (await wire.post("/vouchers", a_provision(TILL))).status == 201

        replace(key, second.key_path.read_bytes())
        replace(certificate, second.pem)

        async def renewed() -> bool:
            return await shown() == second.pem

        await eventually(renewed, "the new certificate", within_s=30)
        assert wire.open, "the old connection was kept all the time"
        assert (await wire.post("/vouchers", a_provision(TILL))).status == 201
        wire.close()


async def _true(value: bool) -> bool:
    return value


def _certificate_at(port: int, tls: ClientTls) -> bytes:
    with (
        socket.create_connection(("127.0.0.1", port), timeout=20) as plain,
        tls.context().wrap_socket(plain, server_hostname="127.0.0.1") as connection,
    ):
        der = connection.getpeercert(binary_form=True)
    assert der is not None
    return ssl.DER_cert_to_PEM_cert(der).encode()


async def test_silent_handshakes_keep_nobody_out(switch: Switch) -> None:
    """The oldest makes room for who comes."""
    port = switch.free_port()
    async with switch.lone_worker(TLS_PORT=str(port), CONNECTIONS_MAX="4"):
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(TLS_HANDSHAKES_MAX)]
        try:
            wire = Wire(switch, TILL, f"https://127.0.0.1:{port}", ClientTls(switch.authority.path))
            assert (await wire.post("/vouchers", a_provision(TILL))).status == 201
            wire.close()
            async with asyncio.timeout(TLS_HANDSHAKE_S / 2):
                assert await silent[0][0].read() == b"", "the oldest was given up"
        finally:
            for _, writer in silent:
                writer.close()
