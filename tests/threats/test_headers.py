"""Who speaks is what the connection says; headers say it for nobody but a trusted edge (RFC 7239, RFC 9440)."""

import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass
from ipaddress import ip_network

import pytest
from pyreqwest.exceptions import ConnectError

from support.addresses import own_address
from support.client import BASE, Answer, Client
from support.listener import Listener, Place
from support.messages import new_id
from support.originators import TILL, Originator
from support.raw import is_shut_out
from support.switch import Switch
from support.waiting import eventually

BEHIND = "198.51.100.7"
# An edge on this machine; tests that are no edge come from another of its addresses.
EDGE = "127.0.0.1"


@pytest.fixture(scope="module")
async def tucked_away(switch: Switch) -> Originator:
    """An originator that sends from behind the edge only."""
    till = Originator(f"H-{new_id()[:8]}", {"product_lookup": True, "sources": [ip_network(BEHIND)]})
    await switch.register(till)
    return till


@dataclass(frozen=True)
class Served:
    """What an edge connects to."""

    listener: Listener
    address: Place
    client: Client


@pytest.fixture(scope="module")
async def edge(listener: Listener, tucked_away: Originator) -> AsyncIterator[Served]:
    """A worker that trusts the edge, and the edge's connections to it."""
    settings = {"TRUSTED_EDGES": f"{EDGE},192.0.2.128/25", listener.sources: "203.0.113.0/24"}
    async with listener.started(**settings) as (address, process):
        client = Client(listener.root(address), tls=listener.tls)

        async def serves() -> bool:
            process.must_run()
            try:
                return (await ask(client, tucked_away, forwarded=f"for={BEHIND}")).status == 200
            except ConnectError:
                return False

        try:
            await eventually(serves, "a worker that believes its edge", within_s=30)
            yield Served(listener, address, client)
        finally:
            await client.close()


@pytest.fixture(scope="module")
async def anybody(listener: Listener, edge: Served) -> AsyncIterator[Client]:
    """Who speaks to the worker of all tests, which has heard of the originators by now."""
    client = Client(listener.root(listener.address), tls=listener.tls)
    yield client
    await client.close()


async def ask(client: Client, by: Originator, **headers: str) -> Answer:
    """Ask for the products, with headers as they would be sent."""
    return await client.send(
        "GET", f"{BASE}/products", by=by, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


SPOOFED = {
    "forwarded": f"for={BEHIND}",
    "x_forwarded_for": BEHIND,
    "x_real_ip": BEHIND,
    "x_client_ip": BEHIND,
    "true_client_ip": BEHIND,
    "client_cert": f":{base64.b64encode(b'0' * 100).decode()}:",
    "x_ssl_client_cert": "anything",
    "x_ssl_client_verify": "SUCCESS",
}


@pytest.mark.parametrize("header", SPOOFED)
async def test_headers_from_anybody_else_say_nothing(tucked_away: Originator, anybody: Client, header: str) -> None:
    """The worker of all tests trusts no edge: whoever names a source, or a certificate, is where he is."""
    spoofed = {header: SPOOFED[header]}

    assert (await ask(anybody, tucked_away, **spoofed)).status == 401
    assert (await ask(anybody, TILL, **spoofed)).status == 200


@pytest.mark.parametrize(
    "forwarded",
    [
        f"for={BEHIND}",
        f'for="{BEHIND}"',
        f'For="{BEHIND}:47011";proto=https;by=192.0.2.129',
        f"for=203.0.113.1, for={BEHIND}",
        f"for=unknown, for={BEHIND};proto=https",
        f"for={BEHIND}, for=192.0.2.130",
        f"for={BEHIND} ,\tfor=192.0.2.130 , for=192.0.2.131",
        f'host="a\\"b,c;d";for={BEHIND}',
        f'for="[::ffff:{BEHIND}]"',
    ],
)
async def test_the_last_source_that_is_no_edge_is_who_speaks(
    edge: Served, tucked_away: Originator, forwarded: str
) -> None:
    """What stands before it was written by whoever sent it."""
    assert (await ask(edge.client, tucked_away, forwarded=forwarded)).status == 200


@pytest.mark.parametrize(
    "forwarded",
    [
        "",
        "for=unknown",
        "for=_hidden",
        f"for={BEHIND}, for=unknown",
        f"for={BEHIND},",
        f"for={BEHIND}, by=192.0.2.129",
        f"for={BEHIND};for={BEHIND}",
        f"for={BEHIND} for={BEHIND}",
        f"for = {BEHIND}",
        f'for="{BEHIND}',
        f"for={BEHIND}:x",
        "for=198.51.100.777",
        'for="[198.51.100.7]"',
        "for=::1",
        "for=192.0.2.129",
        f"for={BEHIND}, for=127.0.0.2",
        f"for={BEHIND}, for=198.51.100.8",
        ", ".join([f"for={BEHIND}"] * 17),
        BEHIND,
    ],
)
async def test_an_edge_that_does_not_say_who_speaks_is_not_believed(
    edge: Served, tucked_away: Originator, forwarded: str
) -> None:
    answer = await ask(edge.client, tucked_away, forwarded=forwarded, x_forwarded_for=BEHIND)

    assert (answer.status, answer.error_type) == (401, "AUTHENTICATION_ERROR")
    assert answer.headers["www-authenticate"].startswith("Basic")


async def test_a_listed_source_behind_the_edge_is_still_not_another_originators(
    edge: Served, tucked_away: Originator
) -> None:
    elsewhere = "for=203.0.113.9"

    assert (await ask(edge.client, TILL, forwarded=elsewhere)).status == 200
    assert (await ask(edge.client, tucked_away, forwarded=elsewhere)).status == 401


async def test_two_forwarded_headers_are_one_list(edge: Served, tucked_away: Originator) -> None:
    """An edge may add a header of its own instead of its element; the attacker's comes before it."""
    credentials = base64.b64encode(f"{tucked_away.id}:{tucked_away.password}".encode())
    for first, last, status in ((BEHIND, "203.0.113.9", 401), ("203.0.113.9", BEHIND, 200)):
        async with edge.listener.connected(edge.address) as raw:
            await raw.send(
                b"GET %b/products HTTP/1.1\r\nHost: x\r\nForwarded: for=%b\r\nForwarded: for=%b\r\n"
                b"Authorization: Basic %b\r\n\r\n" % (BASE.encode(), first.encode(), last.encode(), credentials)
            )
            assert (await raw.answer())[0] == status


async def test_pages_without_a_password_are_not_shown_to_strangers_behind_the_edge(edge: Served) -> None:
    stranger = await edge.client.send("GET", "/openapi.json", by=None, headers={"forwarded": "for=192.0.2.1"})
    listed = await edge.client.send("GET", "/openapi.json", by=None, headers={"forwarded": "for=203.0.113.1"})

    assert (stranger.status, listed.status) == (401, 200)


async def test_an_address_that_is_no_edge_and_not_listed_may_not_connect(edge: Served) -> None:
    assert await is_shut_out(edge.address, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", source=own_address())
