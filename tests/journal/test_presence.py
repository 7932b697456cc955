"""The lease by which a worker's calls are told from a dead one's, on a real PostgreSQL."""

import math
from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest

from support.vault import a_vault
from voucherswitch.journal.journal import Journal
from voucherswitch.journal.migrate import migrate
from voucherswitch.journal.presence import Presence, Worker, this_process
from voucherswitch.journal.records import Closing, Entry, Opening, Record
from voucherswitch.message.parties import Store
from voucherswitch.message.states import Kind, State, mask
from voucherswitch.security.vault import Vault

CALL_MS = 60_000
LEASE_S = 300


class Process:
    """One process of ours as the journal sees it: its lease and its calls."""

    def __init__(self, pool: asyncpg.Pool, vault: Vault) -> None:
        self.pool = pool
        self.worker: Worker = this_process("switch")
        self.journal = Journal(pool, vault, self.worker.worker_id, batch_max=8, queue_max=100)
        self.presence = Presence(pool, self.worker, LEASE_S, vault, self.journal.end_forgotten_calls)

    async def lives(self) -> "Process":
        await self.presence.register()
        return self

    async def dies(self) -> None:
        """Its lease runs out."""
        await self.pool.execute(
            "UPDATE worker SET expires_at = clock_timestamp() WHERE worker_id = $1", self.worker.worker_id
        )

    async def asks(self, call_ms: int = CALL_MS) -> Entry:
        """It opens a provision and begins to ask its provider."""
        opening = Opening(
            request_id=uuid4(),
            kind=Kind.PROVISION,
            originator_id="22222222",
            single=False,
            receiver_id="44444444",
            provider_id="karoo",
            provider_product="K1",
            store=Store("000000000000001", "TERM0001", None),
            amount_cents=10_000,
            currency="710",
            request=b"{}",
            call_ms=call_ms,
        )
        entry = await self.journal.open(opening)
        assert entry is not None
        return entry

    async def read(self, entry: Entry) -> Record:
        record = await self.journal.read(entry.request_id)
        assert record is not None
        return record


def lost(entry: Entry) -> Closing:
    return Closing(entry=entry, from_states=mask((State.PENDING, State.UNKNOWN)), to=State.UNKNOWN, alert="lost")


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    """A pool on a migrated journal."""
    await migrate(database_url)
    async with asyncpg.create_pool(database_url, min_size=1, max_size=4) as pool:
        yield pool


@pytest.fixture
async def processes(
    pool: asyncpg.Pool, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Process, Process]]:
    """Two processes that live."""
    vault = a_vault()
    first, second = await Process(pool, vault).lives(), await Process(pool, vault).lives()
    yield first, second
    await first.presence.release()
    await second.presence.release()


async def _time_passes(pool: asyncpg.Pool, entry: Entry) -> None:
    await pool.execute(
        "UPDATE transaction SET call_until = clock_timestamp() - interval '1 hour' WHERE request_id = $1",
        entry.request_id,
    )


async def test_a_call_is_running_past_its_deadline_while_its_worker_lives(
    pool: asyncpg.Pool, processes: tuple[Process, Process]
) -> None:
    first, second = processes
    entry = await first.asks()
    await _time_passes(pool, entry)

    record = await second.read(entry)

    assert record.call_running
    assert not await second.journal.claim_call(record, CALL_MS)


async def test_a_dead_workers_call_is_free_for_others_after_its_deadline_and_never_before(
    pool: asyncpg.Pool, processes: tuple[Process, Process]
) -> None:
    first, second = processes
    entry = await first.asks()
    await first.dies()
    record = await second.read(entry)
    assert record.call_running, "its last byte may be on the way until the deadline"
    assert not await second.journal.claim_call(record, CALL_MS)

    await _time_passes(pool, entry)

    record = await second.read(entry)
    assert not record.call_running
    assert await second.journal.claim_call(record, CALL_MS)
    assert (await second.read(entry)).worker_id == second.worker.worker_id


async def test_a_worker_that_was_taken_for_dead_does_not_end_the_call_of_the_one_that_asks_now(
    pool: asyncpg.Pool, processes: tuple[Process, Process]
) -> None:
    first, second = processes
    entry = await first.asks()
    await first.dies()
    await _time_passes(pool, entry)
    assert await second.journal.claim_call(await second.read(entry), CALL_MS)

    await first.journal.end_call(entry, None, [])
    assert (await second.read(entry)).call_running

    assert await first.journal.close(lost(entry), []), "its answer counts: nothing had come before it"
    assert (await second.read(entry)).call_running, "and the other one is asking still"


async def test_a_process_asks_about_a_record_once_at_a_time(processes: tuple[Process, Process]) -> None:
    first, _ = processes
    entry = await first.asks()
    await first.journal.end_call(entry, None, [])
    record = await first.read(entry)

    assert await first.journal.claim_call(record, CALL_MS)
    assert not await first.journal.claim_call(record, CALL_MS)

    await first.journal.end_call(entry, None, [])
    assert await first.journal.claim_call(record, CALL_MS)


async def test_a_claim_whose_answer_was_lost_with_the_connection_is_known_for_our_own(
    pool: asyncpg.Pool, processes: tuple[Process, Process]
) -> None:
    """The batch is sent again, finds the row claimed, by us, and returns nothing."""
    first, second = processes
    entry = await first.asks()
    await first.journal.end_call(entry, None, [])
    record = await first.read(entry)
    await pool.execute(
        "UPDATE transaction SET call_until = clock_timestamp() + interval '1 minute' WHERE request_id = $1",
        entry.request_id,
    )

    assert not await second.journal.claim_call(record, CALL_MS)
    assert await first.journal.claim_call(record, CALL_MS)


async def test_a_call_whose_end_could_not_be_written_is_ended_by_its_worker(
    pool: asyncpg.Pool, processes: tuple[Process, Process]
) -> None:
    """Nobody else may while that worker lives: without this its record would be nobody's business for ever."""
    first, second = processes
    entry = await first.asks()
    with pytest.raises(asyncpg.DataError):
        await first.journal.close(Closing(entry=entry, from_states=2, to=State.DECLINED, alert="\0"), [])
    assert (await second.read(entry)).call_running

    await first.journal.end_forgotten_calls()

    record = await second.read(entry)
    assert record.state is State.PENDING
    assert not record.call_running


async def test_a_call_that_runs_is_not_ended_by_anybody(processes: tuple[Process, Process]) -> None:
    first, second = processes
    entry = await first.asks()
    await first.journal.end_forgotten_calls()
    await second.journal.end_forgotten_calls()
    assert (await first.read(entry)).call_running


async def test_a_process_that_ended_in_order_is_gone_at_once(
    pool: asyncpg.Pool, processes: tuple[Process, Process]
) -> None:
    first, _ = processes
    await first.presence.release()
    assert not await pool.fetchval("SELECT worker_lives($1)", first.worker.worker_id)
    await first.presence.register()
    left_s = await pool.fetchval(
        "SELECT extract(epoch FROM expires_at - clock_timestamp()) FROM worker WHERE worker_id = $1",
        first.worker.worker_id,
    )
    assert math.isclose(left_s, LEASE_S, abs_tol=10)
