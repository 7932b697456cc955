"""The console beyond this machine: over TLS, to operators with certificates, under its own names."""

import asyncio
import http.client
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from console.console_support import Console, serving
from support.certificates import Authority, ClientTls, Issued
from voucherswitch.config.settings import Settings, SettingsError

NOWHERE = "postgresql://127.0.0.1:1/none"  # a console says so on its pages, and serves them


class Operators:
    """An authority for operators, one for originators, and what both have issued."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder / "operators", "operators")
        self.server = self.authority.server()
        self.own = self.authority.client("ann")
        self.stranger = Authority(folder / "originators", "originators").client("till")


@pytest.fixture
def operators(tmp_path: Path) -> Operators:
    """Issued anew for each test."""
    return Operators(tmp_path)


@pytest.fixture
async def console(operators: Operators) -> AsyncIterator[Console]:
    """A console over TLS that is called console.example."""
    async with serving(
        NOWHERE,
        tls_certificate_file=operators.server.certificate_path,
        tls_key_file=operators.server.key_path,
        console_client_ca_file=operators.authority.path,
        console_hostnames="console.example",
    ) as console:
        yield console


async def _page(console: Console, operators: Operators, own: Issued | None, host: str) -> tuple[int, str | None]:
    """Status of a page, and what it says of transport security."""

    def get() -> tuple[int, str | None]:
        context = ClientTls(operators.authority.path, own).context()
        connection = http.client.HTTPSConnection("127.0.0.1", console.port, timeout=30, context=context)
        try:
            connection.request("GET", "/", headers={"Host": host})
            answer = connection.getresponse()
            answer.read()
            return answer.status, answer.getheader("Strict-Transport-Security")
        finally:
            connection.close()

    return await asyncio.to_thread(get)


async def test_an_operator_with_a_certificate_sees_pages(console: Console, operators: Operators) -> None:
    """503, because there is no database; the page itself is served, and browsers are told to come over TLS only."""
    for host in (f"127.0.0.1:{console.port}", "console.example", "Console.Example:8081"):
        assert await _page(console, operators, operators.own, host) == (503, "max-age=31536000")


async def test_a_name_that_is_not_the_consoles_is_refused(console: Console, operators: Operators) -> None:
    """A page from elsewhere makes the operator's browser ask, under its own name."""
    status, _ = await _page(console, operators, operators.own, "attacker.example")
    assert status == 403


async def test_nobody_else_gets_in(console: Console, operators: Operators) -> None:
    """Without a certificate, with an originator's, and without TLS."""
    for own in (None, operators.stranger):
        with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
            await _page(console, operators, own, "console.example")
    with pytest.raises((ConnectionError, http.client.BadStatusLine)):
        await console.get("/")


def test_beyond_this_machine_it_needs_an_authority_of_operators(operators: Operators) -> None:
    files = {"tls_certificate_file": operators.server.certificate_path, "tls_key_file": operators.server.key_path}
    with pytest.raises(SettingsError, match="console_client_ca_file"):
        Settings(console_host="0.0.0.0", **files)
    Settings(console_host="0.0.0.0", console_client_ca_file=operators.authority.path, **files)
    with pytest.raises(SettingsError, match="every originator could see the console"):
        Settings(
            tls_client_certificates="required",
            tls_client_ca_file=operators.authority.path,
            console_client_ca_file=operators.authority.path,
            **files,
        )
