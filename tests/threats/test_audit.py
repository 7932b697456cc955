"""Somebody who reaches the database wants the audit trail to say something else, or nothing."""

from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from journal.conftest import database_url, template
from people.people_support import named
from voucherswitch.journal.grants import RoleError, grant_console
from voucherswitch.people.audit import Actor, Event, record
from voucherswitch.people.audit.chain import walk

__all__ = ("database_url", "template")

EVENT = Event(actor=Actor(kind="user", id="u-1"), action="pin.reveal", object_kind="transaction", object_id="x")
PASSWORD = "a password of the tests"


@pytest.fixture(scope="module")
async def trail_url(database_url: str, template: str) -> AsyncIterator[str]:
    """A database with three events, and the console's own role as `voucherswitch db grant-console` leaves it."""
    server = await asyncpg.connect(database_url)
    await server.execute(f"CREATE DATABASE threats_test TEMPLATE {template}")
    await server.execute(f"CREATE ROLE vs_console LOGIN PASSWORD '{PASSWORD}'")
    url = named(database_url, "threats_test")
    owner = await asyncpg.connect(url, server_settings={"timezone": "UTC"})
    for _ in range(3):
        async with owner.transaction():
            await record(owner, EVENT)
    await grant_console(owner, "vs_console")
    await owner.close()
    yield url
    await server.execute("DROP DATABASE threats_test WITH (FORCE)")
    await server.execute("DROP ROLE vs_console")
    await server.close()


@pytest.fixture
async def owner(trail_url: str) -> AsyncIterator[asyncpg.Connection]:
    """The role that owns the tables. What it does is undone in the end, so each test finds three events."""
    connection = await asyncpg.connect(trail_url, server_settings={"timezone": "UTC"})
    undone = connection.transaction()
    await undone.start()
    yield connection
    await undone.rollback()
    await connection.close()


@pytest.fixture
async def console(trail_url: str) -> AsyncIterator[asyncpg.Connection]:
    """The console's role; what it does is undone too."""
    parts = urlsplit(trail_url)
    host = parts.netloc.rpartition("@")[2]
    connection = await asyncpg.connect(
        urlunsplit(parts._replace(netloc=host)), user="vs_console", password=PASSWORD,
        server_settings={"timezone": "UTC"},
    )  # fmt: skip
    undone = connection.transaction()
    await undone.start()
    yield connection
    await undone.rollback()
    await connection.close()


ERASING = (
    "UPDATE audit_event SET actor_id = 'u-2' WHERE seq = 2",
    "DELETE FROM audit_event WHERE seq = 3",
    "TRUNCATE audit_event",
    "UPDATE audit_anchor SET seq = 1",
    "DELETE FROM audit_anchor",
    "TRUNCATE audit_anchor",
)
OPENING = (
    "ALTER TABLE audit_event DISABLE TRIGGER USER",
    "DROP TABLE audit_event",
    "SET session_replication_role = 'replica'",
)


@pytest.mark.parametrize("statement", [*ERASING, *OPENING])
async def test_the_consoles_role_can_change_no_event_and_take_none_away(
    console: asyncpg.Connection, statement: str
) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with console.transaction():
            await console.execute(statement)
    assert (await walk(console)).events == 3


async def test_the_consoles_role_appends_and_cannot_rewrite_what_was_paid(console: asyncpg.Connection) -> None:
    await record(console, EVENT)
    walked = await walk(console)
    assert (walked.events, walked.faults) == (4, ())
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await console.execute("UPDATE transaction SET state = 3")


@pytest.mark.parametrize("statement", ERASING[:3])
async def test_the_owner_too_is_refused_unless_it_breaks_the_guard_open(
    owner: asyncpg.Connection, statement: str
) -> None:
    with pytest.raises(asyncpg.RaiseError, match="append-only"):
        async with owner.transaction():
            await owner.execute(statement)
    assert (await walk(owner)).faults == ()


@pytest.mark.parametrize(
    ("seq", "prev_hash"), [(5, "hash"), (4, "prev_hash"), (2, "hash")], ids=("a gap", "a fork", "a number again")
)
async def test_an_event_that_does_not_follow_the_newest_is_not_taken(
    owner: asyncpg.Connection, seq: int, prev_hash: str
) -> None:
    with pytest.raises(asyncpg.RaiseError, match="does not follow"):
        await owner.execute(
            "INSERT INTO audit_event (seq, at, actor_kind, actor_id, action, object_kind, outcome, prev_hash, hash)"
            f" SELECT $1, at, actor_kind, actor_id, action, object_kind, outcome, {prev_hash}, hash FROM audit_event"
            " WHERE seq = 3",
            seq,
        )


async def test_a_guard_broken_open_shows_in_the_walk(owner: asyncpg.Connection) -> None:
    """Editing one stored audit event makes the walk name its number (backoffice §5, point 53)."""
    await owner.execute("ALTER TABLE audit_event DISABLE TRIGGER USER")
    await owner.execute("UPDATE audit_event SET actor_id = 'u-2' WHERE seq = 2")
    assert [fault.seq for fault in (await walk(owner)).faults] == [2]


async def test_a_role_that_could_break_the_guard_is_not_taken_for_the_console(owner: asyncpg.Connection) -> None:
    me = await owner.fetchval("SELECT current_user")
    with pytest.raises(RoleError, match="only the console's"):
        await grant_console(owner, me)
    with pytest.raises(RoleError, match="no role"):
        await grant_console(owner, "nobody's")
