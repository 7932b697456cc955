"""The check of every minute: one at a time, of what changed, told once; nothing leaves sight before it is mended."""

from collections.abc import AsyncIterator
from itertools import pairwise

import asyncpg
import pytest
from structlog.testing import capture_logs

from journal.journal_traffic import Requests, Traffic, put_provider
from support.vault import a_vault
from voucherswitch.config.limits import INVARIANT_CLAIM_S
from voucherswitch.journal import invariant_watch, invariants
from voucherswitch.journal.invariant_watch import check_recent, last_check, unresolved
from voucherswitch.journal.invariants import Connection
from voucherswitch.journal.journal import Journal
from voucherswitch.journal.migrate import migrate
from voucherswitch.journal.statements import SQL


@pytest.fixture(scope="module")
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    """A pool on a migrated database."""
    await migrate(database_url)
    async with asyncpg.create_pool(database_url, min_size=1, max_size=4) as pool:
        yield pool


@pytest.fixture(scope="module")
async def requests(pool: asyncpg.Pool) -> Requests:
    """One request in every state."""
    async with pool.acquire() as connection:
        await put_provider(connection)
    return await Traffic(Journal(pool, a_vault(), 1, batch_max=64, queue_max=1000)).all()


@pytest.fixture
async def connection(pool: asyncpg.Pool, requests: Requests) -> AsyncIterator[Connection]:
    """A connection in a transaction that is undone, on a journal in which all has been looked at."""
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(
            """UPDATE transaction SET changed_at = now() - interval '1 hour';
               UPDATE voucher SET changed_at = now() - interval '1 hour';
               UPDATE invariant_check SET checked_to = clock_timestamp()"""
        )
        try:
            yield connection
        finally:
            await transaction.rollback()


async def damage(connection: Connection, requests: Requests, name: str) -> None:
    """Take the answer of an approved request, now."""
    await connection.execute(
        "UPDATE transaction SET answer = NULL, changed_at = clock_timestamp() WHERE request_id = $1", requests.ids[name]
    )


async def mend(connection: Connection, requests: Requests, name: str) -> None:
    """Give it back, without a trace in any time."""
    await connection.execute("UPDATE transaction SET answer = 'x' WHERE request_id = $1", requests.ids[name])


async def checked(connection: Connection) -> list[dict[str, object]]:
    """Check now; returns what was told."""
    with capture_logs() as logs:
        assert await check_recent(connection, 0)
    return [
        {"alert": entry["alert"], "invariant": entry["invariant"], "new": entry.get("new")}
        for entry in logs
        if "alert" in entry
    ]


async def test_a_clean_check_is_kept_with_its_time(connection: Connection) -> None:
    assert await checked(connection) == []
    last = await last_check(connection)
    assert last.broken == ()
    assert last.finished_at is not None
    assert last.age_s is not None
    assert 0 <= last.age_s < 60


async def test_a_breach_is_told_once_and_once_more_when_it_is_mended(
    connection: Connection, requests: Requests
) -> None:
    await damage(connection, requests, "approved")
    told = {"alert": "invariant_broken", "invariant": "approval_incomplete", "new": 1}
    assert await checked(connection) == [told]
    assert await checked(connection) == []
    (broken,) = (await last_check(connection)).broken
    assert [row.request_id for row in broken.rows] == [requests.ids["approved"]]
    await mend(connection, requests, "approved")
    mended = {"alert": "invariant_mended", "invariant": "approval_incomplete", "new": None}
    assert await checked(connection) == [mended]
    assert (await last_check(connection)).broken == ()


async def test_a_second_breach_of_the_same_kind_is_told_too(connection: Connection, requests: Requests) -> None:
    await damage(connection, requests, "approved")
    await checked(connection)
    await damage(connection, requests, "sold")
    assert await checked(connection) == [{"alert": "invariant_broken", "invariant": "approval_incomplete", "new": 1}]
    (broken,) = (await last_check(connection)).broken
    assert len(broken.rows) == 2


async def test_a_breach_stays_in_sight_when_its_window_has_passed(connection: Connection, requests: Requests) -> None:
    await damage(connection, requests, "approved")
    await checked(connection)
    await connection.execute("UPDATE transaction SET changed_at = now() - interval '1 hour'")
    assert await checked(connection) == []
    assert [broken.name for broken in (await last_check(connection)).broken] == ["approval_incomplete"]


async def test_more_breaches_than_are_read_keep_the_check_where_it_is(
    connection: Connection, requests: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the rows beyond the bound would be forgotten when the first are mended."""
    monkeypatch.setattr(invariants, "INVARIANT_ROWS_MAX", 1)
    for name in ("approved", "sold"):
        await damage(connection, requests, name)
    before = (await last_check(connection)).checked_to
    await checked(connection)
    last = await last_check(connection)
    assert last.checked_to == before
    assert (len(last.broken[0].rows), last.broken[0].more) == (1, True)


async def test_after_a_long_pause_it_catches_up_in_steps(
    connection: Connection, requests: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    windows = []
    check = invariants.check

    async def noted(connection: Connection, window: invariants.Window) -> list[invariants.Finding]:
        windows.append(window)
        return await check(connection, window)

    monkeypatch.setattr(invariant_watch, "check", noted)
    await connection.execute("UPDATE invariant_check SET checked_to = clock_timestamp() - interval '25 minutes'")
    await damage(connection, requests, "approved")
    assert len(await checked(connection)) == 1
    assert len(windows) == 3
    assert all(later.since < earlier.until for earlier, later in pairwise(windows))
    last = await last_check(connection)
    assert last.finished_at is not None
    assert (last.finished_at - last.checked_to).total_seconds() < 60


async def test_one_worker_checks_at_a_time_and_only_when_it_is_due(connection: Connection) -> None:
    claim = await connection.fetchrow(SQL["claim_invariant_check"], 0, INVARIANT_CLAIM_S)
    assert claim is not None
    assert not await check_recent(connection, 0), "somebody is at it"
    await connection.execute(SQL["release_invariant_check"], claim["started_at"])
    assert not await check_recent(connection, 60), "it began a moment ago"
    assert await check_recent(connection, 0)


async def test_a_claim_of_a_worker_that_died_is_taken_over(connection: Connection) -> None:
    await connection.fetchrow(SQL["claim_invariant_check"], 0, INVARIANT_CLAIM_S)
    await connection.execute("UPDATE invariant_check SET claimed_until = clock_timestamp() - interval '1 second'")
    assert await check_recent(connection, 0)


async def test_a_clock_that_was_set_back_holds_nothing_up(connection: Connection, requests: Requests) -> None:
    """The last check, its claim and its window lie in what is now the future."""
    await connection.execute(
        """UPDATE invariant_check SET started_at = clock_timestamp() + interval '1 day',
           claimed_until = clock_timestamp() + interval '1 day', checked_to = clock_timestamp() + interval '1 day'"""
    )
    await damage(connection, requests, "approved")
    assert len(await checked(connection)) == 1


async def test_a_check_that_fails_gives_its_claim_back(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(*_: object) -> list[invariants.Finding]:
        raise TimeoutError

    with monkeypatch.context() as patched:
        patched.setattr(invariant_watch, "check", fails)
        with pytest.raises(TimeoutError):
            await check_recent(connection, 0)
    assert await check_recent(connection, 0)


async def test_the_unresolved_are_counted_without_those_whose_call_runs(
    connection: Connection, requests: Requests
) -> None:
    """There is one that is unknown, and one that is pending with its call ahead."""
    number, cents = await unresolved(connection)
    await connection.execute("UPDATE transaction SET state = 3 WHERE request_id = $1", requests.ids["unknown"])
    assert await unresolved(connection) == (number - 1, cents - 10_000)
    await connection.execute("UPDATE transaction SET state = 3 WHERE request_id = $1", requests.ids["pending"])
    assert await unresolved(connection) == (number - 1, cents - 10_000)
