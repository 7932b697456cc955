"""Queues of advices in one go: sales that the sandbox really made, with their confirmations owed, and others' queues.

The sandbox's simulator sells each voucher first, so that what is delivered afterwards is taken by a provider that knows
it; the journal then gets rows as large as those of a real sale, sealed under their own ids, so that they open.
"""

import asyncio
import os
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import msgspec

from bench.errors import BenchError
from bench.provision import AMOUNT_CENTS
from bench.sandbox import API_KEY
from voucherswitch.catalogue import store
from voucherswitch.config.settings import Settings
from voucherswitch.journal.rows import lane_of
from voucherswitch.process import open_vault
from voucherswitch.security.sealed import ANSWER, REQUEST, transaction_context
from voucherswitch.security.vault import Vault

CONNECTIONS: Final = 16
TOLD_EVERY: Final = 1_000
FILL_S: Final = 600.0
CHUNK: Final = 50_000

_COPIED: Final = (
    "kind", "originator_id", "receiver_id", "product_id", "provider_id", "provider_product", "merchant_id",
    "terminal_id", "amount_cents", "currency", "approved_cents", "provider_ref", "refs", "answered_status",
)  # fmt: skip
_OWN: Final = (
    "request_id", "state", "fingerprint", "voucher_serial", "request", "answer", "confirmation_id", "opened_at",
    "call_ended_at", "changed_at",
)  # fmt: skip
_ADVICE: Final = (
    "request_id", "generation", "advice_id", "kind", "request_kind", "state", "originator_id", "provider_id", "lane",
    "fingerprint",
)  # fmt: skip

# The others' queues are never delivered: nobody reads their messages, so they have none.
_OTHERS: Final = f"""
WITH made AS MATERIALIZED (
    SELECT gen_random_uuid() AS request_id, gen_random_uuid() AS confirmation_id, $1::text || n AS mark
      FROM generate_series(1, $2::integer) AS n
), sold AS (
    INSERT INTO transaction ({", ".join(_COPIED)}, request_id, state, fingerprint, voucher_serial, confirmation_id,
                             call_ended_at)
    SELECT {", ".join("$1" if name == "provider_id" else f"s.{name}" for name in _COPIED)}, m.request_id, 5,
           decode(md5(m.mark), 'hex'), m.mark, m.confirmation_id, clock_timestamp()
      FROM made AS m CROSS JOIN (SELECT * FROM transaction WHERE request_id = $3) AS s
), bound AS (
    INSERT INTO voucher (fingerprint, receiver_id, state, provision_id)
    SELECT decode(md5(m.mark), 'hex'), s.receiver_id, 1, m.request_id
      FROM made AS m CROSS JOIN (SELECT receiver_id FROM transaction WHERE request_id = $3) AS s
)
INSERT INTO advice ({", ".join(_ADVICE)})
SELECT m.request_id, 0, m.confirmation_id, 1, 1, 1, s.originator_id, $1,
       ('x' || right(m.request_id::text, 1))::bit(4)::integer, decode(md5(m.mark), 'hex')
  FROM made AS m CROSS JOIN (SELECT originator_id FROM transaction WHERE request_id = $3) AS s
"""


async def sell(url: str, number: int, sold: Callable[[int], None]) -> list[UUID]:
    """Buy so many vouchers at the sandbox's simulator, past the switch; `sold` hears how many are done."""
    ids = [_random_id() for _ in range(number)]
    parts = urlsplit(url)
    waiting = iter(ids)
    done = 0

    async def buy() -> None:
        nonlocal done
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        try:
            for request_id in waiting:
                body = msgspec.json.encode({
                    "requestId": str(request_id),
                    "productId": "SBXANY",
                    "amountCents": AMOUNT_CENTS,
                    "currency": "ZAR",
                    "store": "S001",
                    "terminal": "TERM0001",
                })  # fmt: skip
                head = (
                    f"POST {parts.path}/vouchers HTTP/1.1\r\nHost: {parts.netloc}\r\n"
                    f"Authorization: Bearer {API_KEY}\r\n"
                    f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
                )
                writer.write(head.encode() + body)
                answer = (await reader.readuntil(b"\r\n\r\n")).lower()
                await reader.readexactly(int(answer.partition(b"content-length:")[2].split(b"\r\n", 1)[0]))
                if b" 201 " not in answer[:16]:
                    raise BenchError(f"the sandbox provider did not sell: {answer[:40]!r}")
                done += 1
                if done % TOLD_EVERY == 0:
                    sold(done)
        finally:
            writer.close()

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(CONNECTIONS):
                group.create_task(buy())
    except* BenchError as refused:
        first = next(one for one in refused.exceptions if isinstance(one, BenchError))
    else:
        return ids
    raise first  # all connections are refused alike: one line says it


async def queue_confirmations(url: str, data_dir: Path, sample: UUID, ids: Sequence[UUID]) -> datetime:
    """Write sales of `ids` and their confirmations, due at once, in one transaction; return when they became visible.

    Args:
        sample: a sale by the sandbox that the switch made itself; the others get what it has.
    """
    connection = await asyncpg.connect(url, command_timeout=FILL_S)
    try:
        vault = await open_vault(Settings(data_dir=data_dir), connection)
        found = await connection.fetchrow("SELECT * FROM transaction WHERE request_id = $1", sample)
        assert found is not None, "the sale that the others are made after"
        request = vault.open(found["request"], transaction_context(sample, 0, REQUEST))
        answer = vault.open(found["answer"], transaction_context(sample, 0, ANSWER))
        now = datetime.now(UTC)
        copied = tuple(found[name] for name in _COPIED)
        async with connection.transaction():
            for first in range(0, len(ids), CHUNK):
                some = [(request_id, _random_id(), os.urandom(32)) for request_id in ids[first : first + CHUNK]]
                await connection.copy_records_to_table(
                    "transaction",
                    columns=(*_COPIED, *_OWN),
                    records=(
                        (*copied, one, 5, mark, f"SB{one.hex[:12]}", *_sealed(vault, one, request, answer), own,
                         now, now, now)
                        for one, own, mark in some
                    ),
                )  # fmt: skip
                await connection.copy_records_to_table(
                    "voucher",
                    columns=("fingerprint", "receiver_id", "state", "provision_id"),
                    records=((mark, found["receiver_id"], 1, one) for one, _, mark in some),
                )
                await connection.copy_records_to_table(
                    "advice",
                    columns=_ADVICE,
                    records=(
                        (one, 0, own, 1, 1, 1, found["originator_id"], found["provider_id"], lane_of(one), mark)
                        for one, own, mark in some
                    ),
                )
            await connection.execute("ANALYZE transaction; ANALYZE advice")  # as autovacuum would a minute later
        began: datetime = await connection.fetchval("SELECT clock_timestamp()")
    finally:
        await connection.close()
    return began


async def queue_for_others(
    url: str, sample: UUID, providers: Sequence[str], each: int, say: Callable[[str], None]
) -> None:
    """Write sales by other providers with their confirmations owed: so many each."""
    connection = await asyncpg.connect(
        url, command_timeout=FILL_S, server_settings={"synchronous_commit": "off", "work_mem": "256MB"}
    )
    try:
        for provider in providers:
            say(f"queueing {each:,} advices for {provider}")
            await connection.execute(_OTHERS, provider, each, sample)
        await connection.execute("ANALYZE transaction; ANALYZE advice")
    finally:
        await connection.close()


async def add_providers_like(url: str, data_dir: Path, known: str, addresses: Mapping[str, str]) -> None:
    """Add providers with the settings and secrets of a known one, each at its own address."""
    connection = await asyncpg.connect(url)
    try:
        vault = await open_vault(Settings(data_dir=data_dir), connection)
        provider = (await store.load(connection)).providers[known]
        secrets = store.open_secrets(vault, provider)
        for name, address in addresses.items():
            other = msgspec.structs.replace(provider, id=name, settings={**provider.settings, "base_url": address})
            await store.put_provider(connection, vault, other, secrets)
    finally:
        await connection.close()


def _sealed(vault: Vault, request_id: UUID, request: bytes, answer: bytes) -> tuple[bytes, bytes]:
    return (
        vault.seal(request, transaction_context(request_id, 0, REQUEST)),
        vault.seal(answer, transaction_context(request_id, 0, ANSWER)),
    )


def _random_id() -> UUID:
    return UUID(int=random.getrandbits(128), version=4)
