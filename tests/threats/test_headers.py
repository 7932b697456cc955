"""Who speaks is what the connection says; headers say it for nobody but a trusted edge (RFC 7239, RFC 9440)."""

import base64
from collections.abc import AsyncIterator
from ipaddress import ip_network

import pytest

from support.addresses import own_address
from support.client import BASE, Answer, Client
from support.messages import new_id
from support.originators import TILL, Originator
from support.raw import connected, is_shut_out
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


@pytest.fixture(scope="module")
async def edge(switch: Switch, tucked_away: Originator) -> AsyncIterator[Client]:
    """A worker that trusts the edge, and the edge's connections to it."""
    async with switch.started_worker(TRUSTED_EDGES=f"{EDGE},192.0.2.128/25", INTERFACE_SOURCES="203.0.113.0/24") as (
        (host, port),
        process,
    ):
        client = Client(f"http://{host}:{port}")

        async def serves() -> bool:
            process.must_run()
            try:
                return (await ask(client, tucked_away, forwarded=f"for={BEHIND}")).status == 200
            except Exception as error:
                if "onnect" not in type(error).__name__:
                    raise
                return False

        try:
            await eventually(serves, "a worker that believes its edge", within_s=30)
            yield client
        finally:
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
async def test_headers_from_anybody_else_say_nothing(
    switch: Switch, tucked_away: Originator, edge: Client, header: str
) -> None:
    """The worker of all tests trusts no edge: whoever names a source, or a certificate, is where he is."""
    spoofed = {header: SPOOFED[header]}

    assert (await ask(switch.client, tucked_away, **spoofed)).status == 401
    assert (await ask(switch.client, TILL, **spoofed)).status == 200


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
    edge: Client, tucked_away: Originator, forwarded: str
) -> None:
    """What stands before it was written by whoever sent it."""
    assert (await ask(edge, tucked_away, forwarded=forwarded)).status == 200


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
    edge: Client, tucked_away: Originator, forwarded: str
) -> None:
    answer = await ask(edge, tucked_away, forwarded=forwarded, x_forwarded_for=BEHIND)

    assert (answer.status, answer.error_type) == (401, "AUTHENTICATION_ERROR")
    assert answer.headers["www-authenticate"].startswith("Basic")


async def test_a_listed_source_behind_the_edge_is_still_not_another_originators(
    edge: Client, tucked_away: Originator
) -> None:
    elsewhere = "for=203.0.113.9"

    assert (await ask(edge, TILL, forwarded=elsewhere)).status == 200
    assert (await ask(edge, tucked_away, forwarded=elsewhere)).status == 401


async def test_two_forwarded_headers_are_one_list(edge: Client, tucked_away: Originator) -> None:
    """An edge may add a header of its own instead of its element; the attacker's comes before it."""
    host, port = edge.root.removeprefix("http://").split(":")
    credentials = base64.b64encode(f"{tucked_away.id}:{tucked_away.password}".encode())
    for first, last, status in ((BEHIND, "203.0.113.9", 401), ("203.0.113.9", BEHIND, 200)):
        async with connected((host, int(port))) as raw:
            await raw.send(
                b"GET %b/products HTTP/1.1\r\nHost: x\r\nForwarded: for=%b\r\nForwarded: for=%b\r\n"
                b"Authorization: Basic %b\r\n\r\n" % (BASE.encode(), first.encode(), last.encode(), credentials)
            )
            assert (await raw.answer())[0] == status


async def test_pages_without_a_password_are_not_shown_to_strangers_behind_the_edge(edge: Client) -> None:
    stranger = await edge.send("GET", "/openapi.json", by=None, headers={"forwarded": "for=192.0.2.1"})
    listed = await edge.send("GET", "/openapi.json", by=None, headers={"forwarded": "for=203.0.113.1"})

    assert (stranger.status, listed.status) == (401, 200)


async def test_an_address_that_is_no_edge_may_not_connect_to_the_plain_port(edge: Client) -> None:
    host, port = edge.root.removeprefix("http://").split(":")
    assert await is_shut_out((host, int(port)), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", source=own_address())
