"""Opening connections to providers: judged addresses, checked certificates, named proxies, and nothing sent before."""

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives import serialization

from providers.authority import Authority, Key, a_key
from providers.line_support import CLOSING_TAG, OK, a_transport, answer_ok, line_server, one, settings
from providers.provider_support import Listening, listening
from voucherswitch.providers.contract.connector import ProviderSettingsError
from voucherswitch.providers.contract.settings import TlsSettings
from voucherswitch.providers.contract.transport.line_connection import LineResult
from voucherswitch.providers.contract.transport.lines import LineAddress, LineTransport
from voucherswitch.providers.contract.transport.results import NoConnection
from voucherswitch.providers.contract.transport.tls import pin_of, tls_context
from voucherswitch.providers.contract.transport.xml_masking import XmlMask

NAME = "provider.example"
SYSTEMS: Final[Mapping[str, object]] = MappingProxyType({})  # the TLS settings of who trusts the system's authorities


def server_tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def pin_of_file(path: Path) -> str:
    return pin_of(ssl.PEM_cert_to_DER_cert(path.read_text().split("-----BEGIN PRIVATE KEY-----", maxsplit=1)[0]))


async def asked(host: str, port: int, tls: Mapping[str, object] | None = SYSTEMS, **more: object) -> LineResult:
    """One exchange with a host; a transport of its own. `tls` None: in the clear."""
    typed = settings(tls=dict(tls or {}), **more)
    transport = LineTransport("lines", typed, LineAddress(host, port, tls is not None), CLOSING_TAG, XmlMask())
    try:
        return await one(transport)
    finally:
        await transport.close()
        await asyncio.sleep(0)


def refusal_of(result: LineResult) -> str:
    assert isinstance(result, NoConnection), result
    assert not result.ours
    assert "\n" not in result.cause
    return result.cause


# Certificates


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"days_left": -1}, "certificate has expired"),
        ({"host": "other.example"}, "IP address mismatch, certificate is not valid for '127.0.0.1'"),
    ],
)
async def test_a_certificate_that_is_not_the_providers_now_is_not_sent(
    tmp_path: Path, wrong: dict[str, Any], reason: str
) -> None:
    authority = Authority()
    ca_file = str(authority.write_ca(tmp_path))
    context = server_tls(authority.write(tmp_path, "server", **wrong))
    async with line_server(answer_ok, ssl=context) as server:
        cause = refusal_of(await asked("127.0.0.1", server.port, tls={"ca_file": ca_file}))
        assert cause.startswith("the provider's certificate is not accepted: ")
        assert reason in cause
        assert server.heard == []


async def test_a_certificate_that_vouches_for_itself_is_not_sent_until_it_is_the_one_that_is_trusted(
    tmp_path: Path,
) -> None:
    lonely = Authority()
    path = tmp_path / "lonely.pem"
    path.write_bytes(
        lonely.certificate.public_bytes(serialization.Encoding.PEM)
        + lonely.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    async with line_server(answer_ok, ssl=server_tls(path)) as server:
        assert "self-signed certificate" in refusal_of(await asked("127.0.0.1", server.port))
        trusted = {"ca_file": str(lonely.write_ca(tmp_path))}
        assert await asked("127.0.0.1", server.port, tls=trusted) == OK


async def test_the_providers_own_certificate_can_be_all_that_is_trusted(tmp_path: Path) -> None:
    authority = Authority()
    first, second = authority.write(tmp_path, "first"), authority.write(tmp_path, "second")
    for path, ends in ((first, OK), (second, None)):
        async with line_server(answer_ok, ssl=server_tls(path)) as server:
            result = await asked("127.0.0.1", server.port, tls={"ca_file": str(first)})
            assert result == ends or "not accepted" in refusal_of(result)


async def test_tls_below_1_2_is_not_sent(tmp_path: Path) -> None:
    authority = Authority()
    context = server_tls(authority.write(tmp_path, "server"))
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.options &= ~ssl.OP_NO_TLSv1_1
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    async with line_server(answer_ok, ssl=context) as server:
        tls = {"ca_file": str(authority.write_ca(tmp_path))}
        assert refusal_of(await asked("127.0.0.1", server.port, tls=tls)) == "the other side hung up"
        assert server.heard == []


# Pins


async def test_a_pinned_provider_must_have_one_of_its_keys(tmp_path: Path) -> None:
    """Also when an authority that is trusted vouches for another one."""
    authority = Authority()
    ca_file = str(authority.write_ca(tmp_path))
    key: Key = a_key()
    old = authority.write(tmp_path, "old", key=key)
    renewed, next_one, strange = (
        authority.write(tmp_path, "renewed", key=key),
        authority.write(tmp_path, "next"),
        authority.write(tmp_path, "strange"),
    )
    pins = [pin_of_file(old), pin_of_file(next_one)]
    for path, accepted in ((old, True), (renewed, True), (next_one, True), (strange, False)):
        async with line_server(answer_ok, ssl=server_tls(path)) as server:
            result = await asked("127.0.0.1", server.port, tls={"ca_file": ca_file, "pins": pins})
            assert (result == OK) is accepted
            if not accepted:
                expected = f"the provider's key is none of tls.pins; this one is {pin_of_file(strange)}"
                assert refusal_of(result) == expected
                assert server.heard == []


async def test_a_pin_does_not_make_an_unknown_authority_good(tmp_path: Path) -> None:
    path = Authority().write(tmp_path, "server")
    async with line_server(answer_ok, ssl=server_tls(path)) as server:
        cause = refusal_of(await asked("127.0.0.1", server.port, tls={"pins": [pin_of_file(path)]}))
        assert "not accepted" in cause


@pytest.mark.parametrize("pin", ["sha256/x", "sha1/" + "A" * 43 + "=", "A" * 43 + "=", ""])
def test_a_pin_that_cannot_fit_any_key_is_refused(pin: str) -> None:
    with pytest.raises(ProviderSettingsError, match=r"providers\.lines\.tls\.pins: .*; set it to a list of sha256/"):
        settings(tls={"pins": [pin]})


def test_the_systems_authorities_are_read_once(tmp_path: Path) -> None:
    """It takes a tenth of a second, in which a worker answers nobody: not again for each address and each change."""
    public = tls_context("one", TlsSettings())
    assert tls_context("another", TlsSettings()) is public
    assert public.verify_mode is ssl.CERT_REQUIRED
    assert public.check_hostname
    assert tls_context("a third", TlsSettings(client_cert=str(Authority().write(tmp_path, "ours")))) is not public
    assert tls_context("a simulator", TlsSettings(verify=False)).verify_mode is ssl.CERT_NONE


def test_pins_without_a_checked_certificate_are_refused() -> None:
    with pytest.raises(ProviderSettingsError, match=r"providers\.lines\.tls\.pins needs a certificate that is checked"):
        settings(tls={"pins": ["sha256/" + "A" * 43 + "="], "verify": False})


# Our own certificate


@pytest.mark.parametrize("apart", [False, True])
async def test_our_key_must_be_ours_alone(tmp_path: Path, apart: bool) -> None:
    path = Authority().write(tmp_path, "ours")
    certificate, _, key = path.read_text().partition("-----BEGIN PRIVATE KEY-----")
    files, named = {"client_cert": str(path)}, "client_cert"
    if apart:
        for name, text in (("cert", certificate), ("key", "-----BEGIN PRIVATE KEY-----" + key)):
            (tmp_path / name).write_text(text)
            (tmp_path / name).chmod(0o600)
        files, named = {"client_cert": str(tmp_path / "cert"), "client_key": str(tmp_path / "key")}, "client_key"
    async with a_transport(1, tls=True, tls_settings=files):
        pass
    for mode in (0o640, 0o604, 0o660):
        os.chmod(files[named], mode)
        with pytest.raises(ProviderSettingsError, match=rf"tls\.{named} holds a key and is open to others; "):
            async with a_transport(1, tls=True, tls_settings=files):
                pass


async def test_a_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    authority = Authority()
    files = {"client_cert": str(authority.write(tmp_path, "a")), "client_key": str(authority.write(tmp_path, "b"))}
    with pytest.raises(ProviderSettingsError, match=r"tls\.client_cert does not fit its key in tls\.client_key"):
        async with a_transport(1, tls=True, tls_settings=files):
            pass


# Addresses: judged, and connected to as judged


class Dns:
    """A name service that says what a test wants, and counts how often it was asked."""

    def __init__(self) -> None:
        self.answers: list[Sequence[str]] = []
        self.asked = 0

    async def getaddrinfo(self, _host: str, port: int, **_more: object) -> list[tuple[Any, ...]]:
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        if not answer:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in answer]


@pytest.fixture
async def dns(monkeypatch: pytest.MonkeyPatch) -> Dns:
    found = Dns()
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", found.getaddrinfo)
    return found


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.5", "169.254.169.254", "::ffff:127.0.0.1", "fd00::1"])
async def test_a_name_that_stands_for_an_address_of_ours_is_not_connected_to(dns: Dns, address: str) -> None:
    async with line_server(answer_ok) as server:
        dns.answers = [[address]]
        cause = refusal_of(await asked(NAME, server.port, allowed_networks=[]))
        assert cause.startswith("the provider's address ")
        assert server.connections == []


async def test_one_address_of_ours_among_good_ones_spoils_the_name(dns: Dns) -> None:
    dns.answers = [["196.25.1.1", "10.0.0.5"]]
    cause = refusal_of(await asked(NAME, 443, allowed_networks=[]))
    assert "10.0.0.5 is a private address, in no network of allowed_networks" in cause


async def test_what_was_judged_is_what_is_connected_to(dns: Dns, tmp_path: Path) -> None:
    """A name that changes its mind between the question and the connection (DNS rebinding) gains nothing."""
    authority = Authority()
    tls = {"ca_file": str(authority.write_ca(tmp_path))}
    context = server_tls(authority.write(tmp_path, "server", host=NAME))
    dns.answers = [["127.0.0.1"], ["10.9.9.9"]]
    async with line_server(answer_ok, ssl=context) as server:
        assert await asked(NAME, server.port, tls=tls) == OK
        assert dns.asked == 1


async def test_a_name_is_looked_up_once_by_all_who_need_it(dns: Dns, tmp_path: Path) -> None:
    authority = Authority()
    typed = settings(tls={"ca_file": str(authority.write_ca(tmp_path))})
    dns.answers = [["127.0.0.1"]]
    async with line_server(answer_ok, ssl=server_tls(authority.write(tmp_path, "server", host=NAME))) as server:
        transport = LineTransport("lines", typed, LineAddress(NAME, server.port, True), CLOSING_TAG, XmlMask())
        assert set(await asyncio.gather(*(one(transport) for _ in range(8)))) == {OK}
        await transport.close()
        assert dns.asked == 1


async def test_a_name_nobody_knows_is_not_sent(dns: Dns) -> None:
    dns.answers = [[]]
    assert refusal_of(await asked(NAME, 443)) == "the name cannot be looked up: Name or service not known"


async def test_the_next_address_is_tried_when_one_does_not_answer(dns: Dns, tmp_path: Path) -> None:
    authority = Authority()
    tls = {"ca_file": str(authority.write_ca(tmp_path))}
    dns.answers = [["127.9.9.9", "127.0.0.1"]]  # nobody listens on the first
    async with line_server(answer_ok, ssl=server_tls(authority.write(tmp_path, "server", host=NAME))) as server:
        assert await asked(NAME, server.port, tls=tls) == OK


async def test_a_name_of_this_machine_that_moved_away_is_not_spoken_to_in_the_clear(dns: Dns) -> None:
    dns.answers = [["196.25.1.1"]]
    cause = refusal_of(await asked("localhost", 443, tls=None))
    assert cause == "the provider's address 196.25.1.1 may not be spoken to without checked TLS"


# Proxies


class Proxy(Listening):
    """An HTTP proxy that tunnels to one port of this machine, or answers what it is told."""

    def __init__(self, to: int, says: bytes) -> None:
        super().__init__()
        self.to = to
        self.says = says
        self.heads: list[bytes] = []

    async def talk(self, _number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(self.says)
        if b" 200 " not in self.says:
            return
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.to)

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while piece := await source.read(65_536):
                sink.write(piece)
                await sink.drain()
            sink.close()

        try:
            await asyncio.gather(pump(reader, there_writer), pump(there_reader, writer))
        finally:
            there_writer.transport.abort()


@asynccontextmanager
async def a_proxy(to: int, says: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n") -> AsyncIterator[Proxy]:
    proxy = Proxy(to, says)
    async with listening(proxy, proxy.talk):
        yield proxy


async def test_a_proxy_is_used_when_the_settings_name_it_and_cannot_read_along(tmp_path: Path) -> None:
    authority = Authority()
    tls = {"ca_file": str(authority.write_ca(tmp_path))}
    context = server_tls(authority.write(tmp_path, "server", host=NAME))
    async with line_server(answer_ok, ssl=context) as server, a_proxy(server.port) as proxy:
        by = {"proxy_url": proxy.url, "proxy_credentials": "switch:example"}
        assert await asked(NAME, 9443, tls=tls, **by) == OK
        assert proxy.heads == [
            b"CONNECT provider.example:9443 HTTP/1.1\r\nHost: provider.example:9443\r\n"
            b"Proxy-Authorization: Basic c3dpdGNoOmV4YW1wbGU=\r\n\r\n"
        ]


@pytest.mark.parametrize(
    ("says", "cause"),
    [
        (b"HTTP/1.1 407 No\r\n\r\n", "the proxy refused the tunnel: HTTP 407"),
        (b"HTTP/1.1 200 OK\r\n\r\nmore than a head", "the proxy gave no answer that can be read"),
        (b"nonsense\r\n\r\n", "the proxy gave no answer that can be read"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 10_000, "the proxy gave no answer that can be read"),
    ],
)
async def test_a_proxy_that_does_not_tunnel_is_not_sent_through(says: bytes, cause: str) -> None:
    async with a_proxy(1, says) as proxy:
        assert refusal_of(await asked(NAME, 443, proxy_url=proxy.url)) == cause


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"proxy_url": "https://proxy.example:3128"}, "proxy_url is not an http URL"),
        ({"proxy_url": "http://proxy.example:3128/"}, "proxy_url is not an http URL"),
        ({"proxy_url": "http://[2001:db8::1:3128"}, "proxy_url is not an http URL"),
        ({"proxy_url": "http://u:example@proxy.example:3128"}, "proxy_url holds credentials"),
        ({"proxy_url": "http://10.0.0.1:3128"}, "proxy_url is a private address"),
        (
            {"proxy_url": "http://10.0.0.1:3128", "allowed_networks": ["10.0.0.0/8", "x"]},
            "allowed_networks has an entry",
        ),
        ({"proxy_url": "http://127.0.0.1:3128", "tls": {"verify": False}}, r"tls\.verify is false, and proxy_url"),
        ({"proxy_credentials": "u:example"}, "proxy_credentials is set without a proxy"),
    ],
)
def test_a_proxy_that_cannot_be_meant_is_refused(given: dict[str, object], problem: str) -> None:
    with pytest.raises(ProviderSettingsError, match=rf"providers\.lines\.{problem}") as refusal:
        settings(**given)
    assert "example@" not in str(refusal.value)
