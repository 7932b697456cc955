"""The audit trail in the database: appended with what it tells about, without gaps, walked each hour."""

import asyncio
import json

import asyncpg
import pytest
import structlog.testing

from voucherswitch.people.audit import Actor, Event, audited, record
from voucherswitch.people.audit.chain import START, Head, read_head, walk
from voucherswitch.people.audit.find import Filter, exported, find, find_one
from voucherswitch.people.audit.watch import BROKEN, walk_hourly

ANN = Actor(kind="cli", id="cli:ann@host")
EVENT = Event(actor=ANN, action="originator.change", object_kind="originator", object_id="22222222", after={"n": 1})


async def append(connection: asyncpg.Connection, times: int = 1, event: Event = EVENT) -> None:
    for _ in range(times):
        async with connection.transaction():
            await record(connection, event)


async def tamper(connection: asyncpg.Connection, statement: str) -> None:
    """What somebody can do who owns the database."""
    await connection.execute("ALTER TABLE audit_event DISABLE TRIGGER USER")
    await connection.execute(statement)
    await connection.execute("ALTER TABLE audit_event ENABLE TRIGGER USER")


async def test_events_follow_each_other_and_the_walk_finds_them_whole(connection: asyncpg.Connection) -> None:
    await append(connection, 3)
    walked = await walk(connection)
    assert (walked.events, walked.faults) == (3, ())
    assert walked.head == await read_head(connection) != START


async def test_a_change_and_its_event_stand_or_fall_together(connection: asyncpg.Connection) -> None:
    async def fails() -> None:
        async with audited(connection, ANN, "saf.pause", "provider", "x"):
            await connection.execute("UPDATE catalogue_version SET version = 77")
            await connection.execute("UPDATE no_such_table SET version = 77")

    with pytest.raises(asyncpg.UndefinedTableError):
        await fails()
    assert await connection.fetchval("SELECT version FROM catalogue_version") != 77
    assert await connection.fetchval("SELECT count(*) FROM audit_event") == 0
    async with audited(connection, ANN, "saf.pause", "provider", "x") as change:
        change.nothing = True
    assert await connection.fetchval("SELECT count(*) FROM audit_event") == 0


async def test_numbers_have_no_gaps_whoever_writes_and_whoever_gives_up(pool: asyncpg.Pool) -> None:
    async def one(number: int) -> None:
        async with pool.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            await record(connection, EVENT)
            await (transaction.rollback() if number % 3 == 0 else transaction.commit())

    await asyncio.gather(*(one(number) for number in range(24)))
    async with pool.acquire() as connection:
        walked = await walk(connection)
    assert (walked.events, walked.head.seq, walked.faults) == (16, 16, ())


async def test_an_event_is_recorded_only_with_its_change_and_under_a_known_name(connection: asyncpg.Connection) -> None:
    with pytest.raises(ValueError, match="in the transaction"):
        await record(connection, EVENT)
    async with connection.transaction():
        with pytest.raises(ValueError, match="not an action"):
            await record(connection, Event(actor=ANN, action="originator.chnage", object_kind="originator"))


async def test_a_walk_that_goes_on_from_a_head_notices_when_that_head_is_gone(connection: asyncpg.Connection) -> None:
    await append(connection, 3)
    head = await read_head(connection)
    await append(connection, 2)
    assert (await walk(connection, after=head)).faults == ()
    await tamper(connection, "DELETE FROM audit_event WHERE seq >= 3")
    assert [fault.seq for fault in (await walk(connection, after=head)).faults] == [3]


async def test_the_hourly_walk_notes_the_head_once_an_hour(connection: asyncpg.Connection) -> None:
    await append(connection, 2)
    with structlog.testing.capture_logs() as logs:
        assert await walk_hourly(connection) is not None
        assert await walk_hourly(connection) is None, "within the hour"
    head = str(await read_head(connection))
    assert [entry["head"] for entry in logs if entry["event"] == "audit head"] == [head]
    assert await connection.fetchval("SELECT seq || ':' || encode(hash, 'hex') FROM audit_anchor") == head


async def test_only_one_worker_walks_at_a_time(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as one:
        await append(one)  # type: ignore[arg-type]  # a proxy of one

    async def walks() -> bool:
        async with pool.acquire() as connection:
            return await walk_hourly(connection) is not None

    assert sum(await asyncio.gather(*(walks() for _ in range(4)))) == 1


async def an_hour_later(connection: asyncpg.Connection) -> None:
    await connection.execute("ALTER TABLE audit_anchor DISABLE TRIGGER USER")
    await connection.execute("UPDATE audit_anchor SET anchored_at = anchored_at - interval '61 minutes'")
    await connection.execute("ALTER TABLE audit_anchor ENABLE TRIGGER USER")


async def test_a_broken_trail_raises_the_alarm_once_and_is_told_in_the_trail(connection: asyncpg.Connection) -> None:
    await append(connection, 5)
    await walk_hourly(connection)
    await tamper(connection, "UPDATE audit_event SET object_id = '33333333' WHERE seq = 2")
    alarms = []
    for _ in range(2):
        await an_hour_later(connection)
        with structlog.testing.capture_logs() as logs:
            await walk_hourly(connection)
        alarms.append([entry["examples"] for entry in logs if entry.get("alert") == BROKEN])
    assert alarms == [[["event 2 was changed: its hash is not that of its content"]], []]
    told = await connection.fetchrow("SELECT actor_id, after FROM audit_event WHERE action = 'audit.chain_broken'")
    assert told is not None
    assert told["actor_id"] == "system:worker"
    assert [fault["seq"] for fault in json.loads(told["after"])["faults"]] == [2]


async def test_an_end_that_was_cut_off_shows_within_the_hour(connection: asyncpg.Connection) -> None:
    await append(connection, 6)
    await walk_hourly(connection)
    await tamper(connection, "DELETE FROM audit_event WHERE seq > 4")
    await an_hour_later(connection)
    walked = await walk_hourly(connection)
    assert walked is not None
    assert [fault.found for fault in walked.faults] == ["events 5 to 6 are missing: the trail once went to 6"]


async def test_an_end_that_was_cut_off_and_grown_again_shows_against_a_head_of_the_log(
    connection: asyncpg.Connection,
) -> None:
    """Also where the heads in the database were taken away with it."""
    await append(connection, 4)
    noted = await read_head(connection)
    await tamper(connection, "DELETE FROM audit_event WHERE seq > 2")
    await append(connection, 3)
    assert (await walk(connection)).faults == ()
    assert [fault.seq for fault in (await walk(connection, [noted])).faults] == [4]
    assert [fault.seq for fault in (await walk(connection, [Head(90, noted.hash)])).faults] == [6]


async def test_whoever_reads_the_trail_is_in_it(connection: asyncpg.Connection) -> None:
    await append(connection, 2)
    bob = Actor(kind="cli", id="cli:bob@host")
    found = await find(connection, bob, Filter(action="originator", object_id="22222222"), 10)
    assert [row["seq"] for row in found] == [2, 1]
    assert await find(connection, bob, Filter(action="origin"), 10) == [], "a group is a whole word"
    one = await find_one(connection, bob, 1)
    assert one is not None
    assert one["seq"] == 1
    assert await find_one(connection, bob, 900) is None
    out = [row["seq"] async for rows in exported(connection, bob, Filter(actor_id="cli:bob@host")) for row in rows]
    assert out == [3, 4, 5, 6]
    read = await connection.fetch("SELECT action FROM audit_event WHERE actor_id = 'cli:bob@host' ORDER BY seq")
    assert [row["action"] for row in read] == ["audit.search"] * 4 + ["audit.export"]
