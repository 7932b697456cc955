"""Whoever is not listed gets nothing; who an originator is depends on where it speaks from (N2, decision 0025)."""

import asyncio
import base64
import socket
import struct
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from ipaddress import ip_network

import pytest

from support.addresses import own_address
from support.client import BASE
from support.listener import Listener, Place
from support.messages import new_id
from support.originators import Originator
from support.raw import connected, hello, is_shut_out
from support.switch import Switch
from support.waiting import eventually

HERE = "127.0.0.1"


def products(by: Originator, password: str | None = None) -> bytes:
    """A request that needs credentials and writes nothing."""
    credentials = base64.b64encode(f"{by.id}:{password or by.password}".encode()).decode()
    return f"GET {BASE}/products HTTP/1.1\r\nHost: switch\r\nAuthorization: Basic {credentials}\r\n\r\n".encode()


def an_originator(*sources: str) -> Originator:
    """A new originator that sends from some networks only."""
    listed = [ip_network(source) for source in sources] or None
    return Originator(f"S-{new_id()[:8]}", {"product_lookup": True, "sources": listed})


async def test_n2_a_source_that_is_not_listed_is_reset_before_anything_is_read(listener: Listener) -> None:
    """Also when it says nothing: there is nothing to wait for."""
    stranger = own_address()
    for data in (products(an_originator()), b"", hello(), b"GARBAGE\r\n\r\n"):
        assert await is_shut_out(listener.address, data, source=stranger), data


async def test_n2_a_source_that_the_listener_lists_is_served(switch: Switch, listener: Listener) -> None:
    till = an_originator()
    await switch.add_originator(till)
    async with (
        listener.worker(**{listener.sources: f"198.51.100.0/24,{own_address()}"}) as (address, _),
        listener.connected(address, source=own_address()) as raw,
    ):
        await raw.send(products(till))
        assert (await raw.answer())[0] == 200


async def test_n2_an_originators_own_source_may_connect_over_tls_as_long_as_it_is_its_own(
    switch: Switch, listeners: tuple[Listener, Listener]
) -> None:
    """Not without TLS: there its password would have crossed a network in clear."""
    plain, over_tls = listeners
    till = an_originator(own_address())
    await switch.register(till)

    async def served() -> int:
        try:
            async with over_tls.connected(source=own_address()) as raw:
                await raw.send(products(till))
                return (await raw.answer())[0]
        except (OSError, EOFError):  # not yet let in
            return 0

    assert await eventually(served, "its source in the worker") == 200
    assert await is_shut_out(plain.address, products(till), source=own_address())
    async with over_tls.connected(source=own_address()) as raw:
        await raw.send(products(till))
        assert (await raw.answer())[0] == 200
        await switch.set_originator(till.id, sources=[ip_network("198.51.100.7")])
        assert await raw.rest() == b""
    assert await is_shut_out(over_tls.address, hello(), source=own_address())


async def test_n2_an_originator_is_known_at_its_own_sources_only_and_cannot_find_out_why(switch: Switch) -> None:
    elsewhere, here = an_originator("198.51.100.0/24"), an_originator("198.51.100.0/24", HERE)
    await switch.register(elsewhere)
    await switch.add_originator(here)

    right = await switch.client.get("/products", by=elsewhere)
    wrong = await switch.client.get("/products", by=Originator(elsewhere.id, password="wrong password"))
    unknown = await switch.client.get("/products", by=Originator(new_id()))

    assert (await switch.client.get("/products", by=here)).status == 200
    assert [answer.status for answer in (right, wrong, unknown)] == [401, 401, 401]
    assert right.raw == wrong.raw == unknown.raw
    told = [line for line in switch.workers[0].text().splitlines() if elsewhere.id in line]
    assert sum("right password, but not from this source" in line for line in told) == 1, "operators can"


async def test_n2_a_change_of_an_originators_sources_counts_for_connections_that_are_open(
    switch: Switch, listener: Listener
) -> None:
    till = an_originator(HERE)
    await switch.add_originator(till)
    async with listener.connected() as raw:
        await raw.send(products(till))
        assert (await raw.answer())[0] == 200

        await switch.set_originator(till.id, sources=[ip_network("198.51.100.7")])

        async def refused() -> bool:
            await raw.send(products(till))
            return (await raw.answer())[0] == 401

        await eventually(refused, "the open connection is not believed any more")


def version_1(source: str) -> bytes:
    """What a balancer says in the first version."""
    return f"PROXY TCP4 {source} 192.0.2.1 40000 443\r\n".encode()


def version_2(source: str, extensions: bytes = b"", command: int = 0x21) -> bytes:
    """What a balancer says in the second version."""
    body = socket.inet_aton(source) + socket.inet_aton("192.0.2.1") + struct.pack("!HH", 40_000, 443) + extensions
    return b"\r\n\r\n\0\r\nQUIT\n" + struct.pack("!BBH", command, 0x11, len(body)) + body


@dataclass(frozen=True)
class Balanced:
    """A worker behind a balancer, and an originator behind that."""

    listener: Listener
    address: Place
    till: Originator


@pytest.fixture(scope="module")
async def balanced(switch: Switch, listener: Listener) -> AsyncIterator[Balanced]:
    """The balancer is on loopback, and the originator may come from 198.51.100.0/24."""
    till = an_originator("198.51.100.0/24")
    await switch.register(till)
    async with listener.started(TRUSTED_EDGES="127.0.0.0/8", PROXY_PROTOCOL="true") as (address, process):

        async def serves() -> bool:
            process.must_run()
            try:
                async with listener.connected(address, opening=version_1("198.51.100.7")) as raw:
                    await raw.send(products(till))
                    return b"200 OK" in await raw.until(b"\r\n")
            except (OSError, EOFError):
                return False

        await eventually(serves, "a worker that believes its balancer", within_s=30)
        yield Balanced(listener, address, till)


Header = Callable[[str], bytes]


@pytest.mark.parametrize("header", [version_1, version_2, lambda source: version_2(source, b"\x04\x00\x02ok")])
async def test_n2_behind_a_balancer_the_source_that_it_names_is_the_source(balanced: Balanced, header: Header) -> None:
    async with balanced.listener.connected(balanced.address, opening=header("198.51.100.9")) as raw:
        await raw.send(products(balanced.till))
        assert (await raw.answer())[0] == 200
    for stranger in ("203.0.113.9", "127.0.0.2"):  # its loopback is not ours
        assert await is_shut_out(balanced.address, header(stranger) + products(balanced.till)), stranger


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00" * 4,
        b"PROXY UNKNOWN\r\n",
        b"PROXY TCP4 198.51.100.7 192.0.2.1 1\r\n",
        b"PROXY TCP4 198.51.100.7 192.0.2.1 1 70000\r\n",
        b"PROXY TCP4 198.51.100.7, 192.0.2.1 1 2\r\n",
        b"PROXY TCP6 198.51.100.7 192.0.2.1 1 2\r\n",
        b"PROXY TCP4 198.51.100.7 192.0.2.1 1 2\n" + b"x" * 100,
        b"PROXY TCP4 " + b"1" * 200,
        b"PROXY TCP4 198.51.100.7 192.0.2.1 1 2 3\r\n",
        version_2("198.51.100.7", command=0x11),
        version_2("198.51.100.7", command=0x22),
        b"\r\n\r\n\0\r\nQUIT\n" + struct.pack("!BBH", 0x21, 0x31, 216) + b"/" * 216,
        b"\r\n\r\n\0\r\nQUIT\n" + struct.pack("!BBH", 0x21, 0x11, 4) + b"\1\2\3\4",
        b"\r\n\r\n\0\r\nQUIT\n" + struct.pack("!BBH", 0x21, 0x11, 65_535),
    ],
)
async def test_n2_a_connection_of_the_balancer_that_does_not_say_who_speaks_is_reset(
    balanced: Balanced, data: bytes
) -> None:
    assert await is_shut_out(balanced.address, data)


async def test_n2_half_a_header_is_not_waited_for(balanced: Balanced) -> None:
    async with asyncio.timeout(15):
        assert await is_shut_out(balanced.address, b"PROXY TCP4 198")


async def test_the_proxy_protocol_from_anybody_else_is_no_http_and_no_handshake(
    switch: Switch, listener: Listener
) -> None:
    """The worker trusts no edge: who names a source is not believed, and not served."""
    for header in (version_1("198.51.100.7"), version_2("198.51.100.7")):
        async with listener.connected() as raw:
            await raw.send(header + products(an_originator()))
            assert (await raw.answer())[0] == 400
        async with connected(switch.tls_address) as raw:
            await raw.send(header + hello())
            assert len(await raw.rest()) <= 7  # a TLS alert at most
