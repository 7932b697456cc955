"""A provider, or whoever took its place, attacks with its answer: XML and gzip bombs, answers without end, and others.

Whatever it sends, the sale may have been made. So the originator hears 504, the record is UNKNOWN, nobody else is
asked, nothing of the answer is kept that could not be read; and the worker goes on selling, in the memory that it had.
"""

import asyncio
import gzip
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final

import pytest

from providers.provider_support import Listening, listening
from providers.test_hostile_bodies import laughs
from support.messages import a_provision
from support.originators import TILL
from support.providers import Brand, at
from support.switch import Switch
from support.till import Till
from voucherswitch.catalogue import store
from voucherswitch.catalogue.sandbox import SETTLEMENT
from voucherswitch.catalogue.snapshot import Provider, Route, VoucherProvider
from voucherswitch.message.parties import Institution
from voucherswitch.providers import registry
from voucherswitch.providers.contract.settings import secret_keys

BRIEFLY_S: Final = 10.0  # for one answer, on a busy machine; providers are given 15 s and more
MEMORY_MB: Final = 60  # more than all of these answers need together, and less than any of the bombs
FILE: Final = "/etc/passwd"

_numbers = count(70_291_001)

Pour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Attack:
    """What a provider sends, by the protocol that it speaks."""

    name: str
    connector: str
    pour: Pour
    settings: dict[str, Any] = field(default_factory=dict)
    number: str = field(default_factory=lambda: str(next(_numbers)))

    @property
    def brand(self) -> Brand:
        return Brand(self.number, f"Hostile{self.number}")


def says(body: bytes, content_type: str = "application/json", status: str = "201 Created", more: bytes = b"") -> Pour:
    """One whole answer to every request."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n".encode()

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(head + more + b"\r\n" + body)
            await writer.drain()
            await reader.read(100_000)

    return pour


def pours(start: bytes, piece: bytes) -> Pour:
    """Bytes without end."""

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(start)
        while piece and not writer.transport.is_closing():
            writer.write(piece)
            await writer.drain()
        await reader.read()

    return pour


def after_the_greeting(start: bytes, piece: bytes) -> Pour:
    """AEON: a session as it should be, then bytes without end."""

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\n")
        writer.write(
            b"<response><SessionId>S1</SessionId><EventType>Authentication</EventType>"
            b"<event><EventCode>0</EventCode></event><data/></response>\n"
        )
        await reader.readuntil(b"\n")
        writer.write(start)
        while piece and not writer.transport.is_closing():
            writer.write(piece)
            await writer.drain()
        await reader.read()

    return pour


XXE: Final = f'<!DOCTYPE r [<!ENTITY x SYSTEM "file://{FILE}">]><vendResponse><pin>&x;</pin></vendResponse>'.encode()
SECRETS: Final = b'{"code":["' + b'","'.join(b"%d" % n for n in range(10**9, 10**9 + 4_500)) + b'"]}'
CHUNKED: Final = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ATTACKS: Final = (
    Attack("billion laughs over XML", "stellr", says(laughs(), "text/xml", "200 OK")),
    Attack("an external entity", "stellr", says(XXE, "text/xml", "200 OK")),
    Attack("billion laughs over a line", "bluvoucher", after_the_greeting(laughs() + b"</response>", b"")),
    Attack("a line without end", "bluvoucher", after_the_greeting(b"<response>", b"<a>" * 10_000)),
    Attack("a line of line feeds", "bluvoucher", after_the_greeting(b"<response>", b"\n" * 30_000)),
    Attack("deep XML", "stellr", says(b"<a>" * 9_000 + b"</a>" * 9_000, "text/xml", "200 OK")),
    Attack("deep JSON", "sandbox", says(b"[" * 30_000 + b"]" * 30_000)),
    Attack("a number of 60,000 digits", "sandbox", says(b'{"amount":' + b"9" * 60_000 + b"}")),
    Attack("NUL and invalid UTF-8", "sandbox", says(b'{"voucher":{"code":"\x00\xff\xfe"}}')),
    Attack("a gzip bomb", "sandbox", says(gzip.compress(b" " * 50_000_000), more=b"Content-Encoding: gzip\r\n")),
    Attack("a text that takes long to mask", "sandbox", says(b'{"code":"X","message":"' + b"A-" * 30_000 + b'"}')),
    Attack("thousands of secrets", "sandbox", says(SECRETS)),
    Attack("a body without end", "sandbox", pours(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 60_000)),
    Attack("a head without end", "sandbox", pours(b"HTTP/1.1 200 OK\r\nX: ", b"x" * 60_000)),
    Attack("announcements without end", "sandbox", pours(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 2_000)),
    Attack("padding without end", "sandbox", pours(CHUNKED + b"1;", b"x" * 60_000)),
    Attack("two lengths", "sandbox", says(b"{}", more=b"Content-Length: 9\r\n")),
    Attack("silence", "sandbox", pours(b"", b""), {"read_timeout_ms": 300}),
)  # fmt: skip


@dataclass
class Running:
    """A worker whose providers are all hostile, and the till that sells through it."""

    till: Till
    pid: int
    servers: dict[str, Listening]

    @property
    def memory_mb(self) -> float:
        """The most memory that the worker has had so far."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        [peak] = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
        return int(peak) / 1024


class _At:
    def __init__(self, url: str) -> None:
        self.url = url


@pytest.fixture(scope="module")
async def hostile(switch: Switch) -> AsyncIterator[Running]:
    async with AsyncExitStack() as stack:
        servers: dict[str, Listening] = {}
        for attack in ATTACKS:
            server = servers[attack.number] = Listening()

            async def talk(
                _number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pour: Pour = attack.pour
            ) -> None:
                await pour(reader, writer)

            await stack.enter_async_context(listening(server, talk))
            await add(switch, attack, server.url)
        client, process = await stack.enter_async_context(switch.lone_worker())
        till = Till(switch, TILL, client)
        assert (await till.provision()).status == 201  # everything that a sale needs is in memory
        yield Running(till, process.pid, servers)


async def add(switch: Switch, attack: Attack, url: str) -> None:
    """A brand that the attacking provider serves, and behind it an honest one that must not be asked."""
    profile = registry.kit_profile(attack.connector)
    given = {k: v for k, v in profile.settings(_At(url)).items() if isinstance(v, str | int)}
    sealed = secret_keys(registry.settings_type(attack.connector))
    brand = attack.brand
    async with switch.pool.acquire() as connection:
        settings = {key: value for key, value in given.items() if key not in sealed} | attack.settings
        secrets = {key: str(value) for key, value in given.items() if key in sealed}
        provider = Provider(id=brand.name.lower(), connector=attack.connector, settings=settings)
        await store.put_provider(connection, switch.vault, provider, secrets)
        receiver = Institution(id=brand.id, name=brand.name)
        await store.put_voucher_provider(connection, VoucherProvider(receiver=receiver, settlement=SETTLEMENT))
        for priority, (provider_id, product) in enumerate(((provider.id, profile.product), ("sandbox", "SBXANY")), 1):
            await store.put_route(
                connection,
                Route(
                    id=0, product_id=None, receiver_id=brand.id, provider_id=provider_id, provider_product=product,
                    default_cents=10_000, priority=priority,
                ),
            )  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
async def test_an_attack_by_answer_is_an_unknown_outcome_and_nothing_else(hostile: Running, attack: Attack) -> None:
    switch, before_mb = hostile.till.switch, hostile.memory_mb
    request = a_provision(TILL, **at(attack.brand))
    started = time.monotonic()
    answer = await hostile.till.post("/vouchers", request)
    took_s = time.monotonic() - started

    assert (answer.status, await switch.state(request["id"])) == (504, "UNKNOWN")
    assert took_s < BRIEFLY_S
    assert len(hostile.servers[attack.number].connections) >= 1
    legs = await switch.rows(
        "SELECT peer, response FROM leg WHERE request_id = $1 AND direction = 2 ORDER BY leg_id", request["id"]
    )
    assert {leg["peer"] for leg in legs} == {attack.brand.name.lower()}
    assert "root:" not in (legs[-1]["response"] or "")
    assert len(legs[-1]["response"] or "") < 20_000
    assert (await hostile.till.provision()).status == 201
    assert hostile.memory_mb - before_mb < MEMORY_MB
