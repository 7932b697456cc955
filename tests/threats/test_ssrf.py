"""Somebody who may enter a provider's address, or answers for its name, makes the switch speak to what is inside."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from itertools import count
from typing import Any

import pytest

from cli.cli_support import Done, Terminal, environment
from providers.provider_support import Listening, listening
from support.addresses import absent
from support.client import Answer
from support.messages import a_provision
from support.originators import TILL
from support.providers import Brand, at
from support.switch import Switch
from support.till import Till
from support.waiting import eventually

_numbers = count(70_290_001)


class Inside(Listening):
    """Something of ours that trusts whoever reaches it, like a database, a console, or a cloud's metadata."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = b""

    async def talk(self, _number: int, reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        self.heard += await reader.read(1_000)


@asynccontextmanager
async def inside() -> AsyncIterator[Inside]:
    server = Inside()
    async with listening(server, server.talk):
        yield server


@pytest.fixture(scope="module")
def terminal() -> Iterator[Terminal]:
    typing = Terminal()
    yield typing
    typing.close()


async def entered(switch: Switch, terminal: Terminal, name: str, *settings: str) -> Done:
    """What becomes of a provider that is entered in production."""
    env = environment(
        DATABASE_URL=switch.database_url,
        VOUCHERSWITCH_ENVIRONMENT="production",
        VOUCHERSWITCH_VAULT_KEY_FILE=str(switch.folder / "data" / "vault.key"),
    )
    line = ("provider", "set", name, "--connector", "sandbox", "--disabled", "--secret", "api_key=example", *settings)
    return await asyncio.to_thread(terminal.run, *line, folder=switch.folder, env=env)


async def test_an_address_inside_is_not_taken_in_production_until_its_network_is_named(
    switch: Switch, terminal: Terminal
) -> None:
    """The addresses that nobody may enter are a table in tests/providers/test_provider_settings.py."""
    done = await entered(switch, terminal, "inside", "base_url=https://127.0.0.1:8081")
    assert done.code != 0
    assert "base_url is a loopback address, in no network of allowed_networks" in done.line
    assert await switch.value("SELECT count(*) FROM provider WHERE provider_id = 'inside'") == 0
    named = ("base_url=https://10.8.0.7", 'allowed_networks=["10.8.0.0/24"]')
    assert (await entered(switch, terminal, "behindvpn", *named)).code == 0


def name_of_this_machine() -> str:
    """A name that stands for an address inside, and does not look like it; without one the test is skipped."""
    name = socket.gethostname()
    try:
        found = [ip_address(str(entry[4][0])) for entry in socket.getaddrinfo(name, 1, type=socket.SOCK_STREAM)]
    except OSError:
        found = []
    if name == "localhost" or not found or any(address.is_global for address in found):
        absent("this machine's name stands for no address inside; let it: echo 127.0.0.1 $(hostname) >> /etc/hosts")
    return name


async def test_a_name_that_leads_inside_is_not_followed(switch: Switch) -> None:
    """It was a good name when it was entered; who answers for it has changed his mind."""
    async with inside() as server:
        url = f"https://{name_of_this_machine()}:{server.port}"
        answer, provider = await sold(switch, url, allowed_networks=[])
        assert answer.status == 503
        assert (server.connections, server.heard) == ([], b"")
        assert answer.body["providerErrorMessage"] == "the provider was not reached"  # and not what is inside
        [leg] = await switch.rows("SELECT error FROM leg WHERE peer = $1 AND direction = 2", provider)
        assert "address, in no network of allowed_networks" in leg["error"]


async def test_the_same_name_is_followed_where_its_network_is_allowed(switch: Switch) -> None:
    """So that the test above proves what it says."""
    async with inside() as server:
        url = f"https://{name_of_this_machine()}:{server.port}"
        answer, _ = await sold(switch, url, allowed_networks=["127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12"])
        assert answer.status == 503
        assert len(server.connections) == 1
        assert server.heard.startswith(b"\x16")  # it was greeted by TLS


async def test_a_redirect_inside_is_not_followed(switch: Switch) -> None:
    async with inside() as server, redirecting(f"http://127.0.0.1:{server.port}/admin") as provider:
        answer, _ = await sold(switch, provider.url)
        assert answer.status == 504
        assert len(provider.connections) == 1
        assert server.connections == []


@asynccontextmanager
async def redirecting(place: str) -> AsyncIterator[Listening]:
    server = Listening()

    async def talk(_number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 307 Moved\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n".encode())
        await reader.read()

    async with listening(server, talk):
        yield server


async def sold(switch: Switch, url: str, **settings: Any) -> tuple[Answer, str]:
    """The answer to a sale by a provider of its own at an address, and the provider's id."""
    number = str(next(_numbers))
    brand = Brand(number, f"Ssrf{number}", settings=settings)
    await switch.add_brand(brand, url)

    async def answered() -> Answer | None:
        answer = await Till(switch, TILL).post("/vouchers", a_provision(TILL, **at(brand)))
        return None if answer.status == 400 else answer  # the worker does not know the brand yet

    answer = await eventually(answered, f"a sale of {brand.name}")
    assert answer is not None
    return answer, brand.name.lower()
