"""Closed requests by the million, as large as real ones: copies of one real sale's sizes under random ids.

Provisions, two thirds of them of vouchers that can still be redeemed, each with its delivered confirmation; over half a
year, oldest first. No messages: those of other days lie in other partitions, which a sale never touches.
"""

from collections.abc import Callable
from typing import Final

import asyncpg

CHUNK: Final = 500_000
FILL_S: Final = 3600.0

# Indexes are made afterwards: into existing ones of random keys it would take hours.
_INDEXES: Final = """
SELECT c.relname AS name, pg_get_indexdef(i.indexrelid) AS definition, k.conname AS key,
       pg_get_constraintdef(k.oid) AS key_definition, t.relname AS table
  FROM pg_index AS i
  JOIN pg_class AS c ON c.oid = i.indexrelid
  JOIN pg_class AS t ON t.oid = i.indrelid
  LEFT JOIN pg_constraint AS k ON k.conindid = i.indexrelid AND k.contype = 'p'
 WHERE t.relname IN ('transaction', 'advice', 'voucher')
"""
_SIZES: Final = """
SELECT octet_length(request) AS request, octet_length(answer) AS answer FROM transaction
 WHERE state IN (2, 5) AND answer IS NOT NULL LIMIT 1
"""
_TRANSACTIONS: Final = """
INSERT INTO transaction (request_id, kind, state, originator_id, receiver_id, product_id, provider_id, provider_product,
                         merchant_id, terminal_id, amount_cents, currency, approved_cents, fingerprint,
                         voucher_serial, provider_ref, refs, request, answer, answered_status, confirmation_id, opening,
                         opened_at, call_ended_at, changed_at)
SELECT gen_random_uuid(), 1, 5, s.originator_id, s.receiver_id, s.product_id, s.provider_id, s.provider_product,
       s.merchant_id, s.terminal_id, s.amount_cents, s.currency, s.approved_cents,
       decode(md5('f' || n), 'hex'), 'SX' || n, 'SBXV' || n, s.refs,
       substring(decode(repeat(md5('r' || n), $4), 'hex') FOR $2),
       substring(decode(repeat(md5('a' || n), $4), 'hex') FOR $3),
       201, md5('c' || n)::uuid, n, m.at, m.at, m.at + interval '1 second'
  FROM generate_series($1::bigint + 1, $1::bigint + $5::bigint) AS n
 CROSS JOIN LATERAL (SELECT now() - interval '180 days' + n * (interval '179 days' / $6::float8) AS at) AS m
 CROSS JOIN (SELECT * FROM transaction WHERE answer IS NOT NULL ORDER BY reference LIMIT 1) AS s
"""
_ADVICES: Final = """
INSERT INTO advice (request_id, generation, advice_id, kind, request_kind, state, originator_id, provider_id, lane,
                    fingerprint, attempts, next_attempt_at, created_at, finished_at)
SELECT request_id, 0, confirmation_id, 1, 1, 2, originator_id, provider_id, reference % 16, fingerprint, 1, changed_at,
       changed_at, changed_at
  FROM transaction
 WHERE confirmation_id IS NOT NULL
"""
_VOUCHERS: Final = """
INSERT INTO voucher (fingerprint, receiver_id, state, provision_id, changed_at)
SELECT fingerprint, receiver_id, CASE WHEN reference % 3 = 0 THEN 3 ELSE 1 END, request_id, changed_at
  FROM transaction
 WHERE confirmation_id IS NOT NULL
"""


async def fill(url: str, rows: int, say: Callable[[str], None]) -> None:
    """Fill a journal that holds one sale and serves nobody meanwhile."""
    connection = await asyncpg.connect(url, command_timeout=FILL_S, server_settings={"synchronous_commit": "off"})
    try:
        sizes = await connection.fetchrow(_SIZES)
        assert sizes is not None
        repeats = max(sizes["request"], sizes["answer"]) // 16 + 1
        indexes = await connection.fetch(_INDEXES)
        async with connection.transaction():
            for index in indexes:
                await connection.execute(
                    f"DROP INDEX {index['name']}"
                    if index["key"] is None
                    else f"ALTER TABLE {index['table']} DROP CONSTRAINT {index['key']}"
                )
            for done in range(0, rows, CHUNK):
                say(f"filling: {done:,} of {rows:,} requests")
                number = min(CHUNK, rows - done)
                await connection.execute(
                    _TRANSACTIONS, done, sizes["request"], sizes["answer"], repeats, number, float(rows)
                )
            say("filling: advices and vouchers")
            await connection.execute(_ADVICES)
            await connection.execute(_VOUCHERS)
            await connection.execute("SET LOCAL maintenance_work_mem = '512MB'")
            for number, index in enumerate(indexes, 1):
                say(f"filling: index {number} of {len(indexes)}")
                await connection.execute(
                    index["definition"]
                    if index["key"] is None
                    else f"ALTER TABLE {index['table']} ADD CONSTRAINT {index['key']} {index['key_definition']}"
                )
        say("filling: vacuum")
        for table in ("transaction", "advice", "voucher"):
            await connection.execute(f"VACUUM (ANALYZE) {table}")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()
