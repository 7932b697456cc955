"""The invariants, proved from both sides: ordinary traffic breaks none, and each is reported when it is broken by hand.

That the traffic of the other tests breaks none either is proved after each of their modules (tests/conftest.py).
"""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final
from uuid import UUID

import asyncpg
import pytest

from journal.invariant_breaks import BREAKS, Break
from journal.journal_traffic import NEXT_PROVIDER, Requests, Traffic, put_provider
from support.vault import a_vault
from voucherswitch.config import limits
from voucherswitch.journal import invariants
from voucherswitch.journal.invariants import INVARIANTS, NAMED, Connection, Window, check, check_one
from voucherswitch.journal.journal import Journal
from voucherswitch.journal.migrate import migrate
from voucherswitch.message.states import AdviceKind, State

VAULT: Final = a_vault()

CASES: Final = pytest.mark.parametrize(
    "broken", BREAKS, ids=[f"{one.invariant}-{number}" for number, one in enumerate(BREAKS)]
)


@pytest.fixture(scope="module")
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    """A pool on a migrated database."""
    await migrate(database_url)
    async with asyncpg.create_pool(database_url, min_size=1, max_size=4) as pool:
        yield pool


@pytest.fixture(scope="module")
async def traffic(pool: asyncpg.Pool) -> Traffic:
    """Writes requests."""
    async with pool.acquire() as connection:
        await put_provider(connection)
    return Traffic(Journal(pool, VAULT, 1, batch_max=64, queue_max=1000))


@pytest.fixture(scope="module")
async def requests(traffic: Traffic) -> Requests:
    """One request in every state."""
    return await traffic.all()


@pytest.fixture
async def connection(pool: asyncpg.Pool) -> AsyncIterator[Connection]:
    """A connection in a transaction that is undone: what a test breaks is whole again for the next."""
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        try:
            yield connection
        finally:
            await transaction.rollback()


def sql_of(template: str, requests: Requests) -> str:
    """A break for these requests."""
    codes = {f"{name}_code": rf"\x{VAULT.fingerprint(code).hex()}" for name, code in requests.codes.items()}
    return template.format(**requests.ids, **codes)


async def test_requests_in_every_state_break_nothing(requests: Requests, connection: Connection) -> None:
    states = await connection.fetch("SELECT DISTINCT state FROM transaction")
    assert {row["state"] for row in states} == set(State), "the traffic is not what it says"
    assert [str(finding) for finding in await check(connection)] == []


@CASES
async def test_what_is_broken_by_hand_is_reported(broken: Break, requests: Requests, connection: Connection) -> None:
    """By the name of its invariant, with the request, and with what it says."""
    await connection.execute(sql_of(broken.sql, requests))
    findings = {finding.name: finding for finding in await check(connection)}
    assert broken.invariant in findings, sorted(findings)
    finding = findings[broken.invariant]
    assert finding.examples == ([] if broken.request is None else [requests.ids[broken.request]])
    assert all(row.found for row in finding.rows)


def test_each_invariant_is_broken_by_some_test() -> None:
    assert {one.invariant for one in BREAKS} == set(NAMED)


@pytest.mark.parametrize("invariant", INVARIANTS, ids=lambda invariant: invariant.name)
def test_each_invariant_says_what_holds_what_a_row_means_and_what_to_do(invariant: invariants.Invariant) -> None:
    for text in (invariant.purpose, invariant.row_means, invariant.remedy):
        assert text[0].isupper(), text
        assert text.endswith("."), text


@CASES
async def test_a_row_is_looked_at_again_until_it_is_mended(
    broken: Break, requests: Requests, connection: Connection
) -> None:
    """The window has moved on, and the key that was found keeps the row in sight."""
    await connection.execute(sql_of(broken.sql, requests))
    invariant = NAMED[broken.invariant]
    found = await check_one(connection, invariant)
    assert found is not None
    later = await connection.fetchval("SELECT clock_timestamp() + interval '1 hour'")
    if invariant.takes_keys:
        assert await check_one(connection, invariant, Window(since=later)) is None
    if invariant.only_full:
        return
    kept = await check_one(
        connection, invariant, Window(since=later, again={invariant.name: [r.key for r in found.rows]})
    )
    assert kept is not None
    assert {row.key for row in kept.rows} == {row.key for row in found.rows}


async def test_a_window_holds_what_changed_in_it_and_nothing_else(requests: Requests, connection: Connection) -> None:
    moment = await connection.fetchval("SELECT clock_timestamp()")
    await connection.execute(
        "UPDATE transaction SET error = NULL, changed_at = clock_timestamp() WHERE request_id = $1",
        requests.ids["declined"],
    )
    hour = timedelta(hours=1)
    assert [finding.name for finding in await check(connection, Window(since=moment))] == ["reason_missing"]
    assert [finding.name for finding in await check(connection, Window(since=moment - hour))] == ["reason_missing"]
    assert await check(connection, Window(since=moment - hour, until=moment)) == []
    assert await check(connection, Window(since=moment + hour)) == []


async def test_an_open_request_of_a_provider_that_is_shut_or_paused_waits_for_that(
    requests: Requests, connection: Connection
) -> None:
    await connection.execute("UPDATE transaction SET resolve_at = now() - interval '2 hours' WHERE state IN (1, 4)")
    assert [finding.name for finding in await check(connection)] == ["open_unattended"]
    await connection.execute("UPDATE provider SET saf_paused = true")
    assert await check(connection) == []
    await connection.execute("UPDATE provider SET saf_paused = false")
    await connection.execute(
        """INSERT INTO maintenance (provider_id, starts_at, ends_at, reason)
           SELECT provider_id, now() - interval '3 hours', now() + interval '1 hour', 'agreed' FROM provider"""
    )
    assert await check(connection) == []


async def test_rows_beyond_the_bound_are_told_as_more(
    requests: Requests, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invariants, "INVARIANT_ROWS_MAX", 3)
    await connection.execute("UPDATE transaction SET answer = NULL")
    findings = {finding.name: finding for finding in await check(connection)}
    assert (findings["approval_incomplete"].count, findings["approval_incomplete"].more) == (3, True)
    assert "(3+)" in str(findings["approval_incomplete"])
    assert limits.INVARIANT_ROWS_MAX > 3


async def test_a_reversal_judged_before_the_next_route_was_named_is_judged_again(
    traffic: Traffic, pool: asyncpg.Pool
) -> None:
    """It would go to the provider that heard nothing, while the next one issues the voucher."""
    entry, _ = await traffic.provision()
    assert await traffic.reroute(entry, NEXT_PROVIDER)
    assert not await traffic.advise(entry, AdviceKind.REVERSAL, State.PENDING, State.REVERSED)
    advised: UUID | None = await pool.fetchval("SELECT advice_id FROM advice WHERE request_id = $1", entry.request_id)
    assert advised is None
    assert await traffic.advise(entry, AdviceKind.REVERSAL, State.PENDING, State.REVERSED, provider_id=NEXT_PROVIDER)
