"""The archive: what is closed for good leaves the tables for files, whole and once; what is needed stays."""

import asyncio
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from journal.journal_rows import a_transaction, add, an_advice
from voucherswitch.journal import invariants, reports
from voucherswitch.journal.archive import files, find
from voucherswitch.journal.archive.files import ArchiveError
from voucherswitch.journal.archive.run import ArchiveBusyError, Archiver, Policy, Totals
from voucherswitch.message.states import State

NOW = datetime.now(UTC)
OLD = NOW - timedelta(days=200)
RECENT = NOW - timedelta(days=100)
ANCIENT = NOW - timedelta(days=1_200)
POLICY = Policy(closed_days=180, voucher_days=1_100)


async def archive(pool: asyncpg.Pool, root: Path, **options: Any) -> Totals:
    """Run the archiver once, from where it stands to the end."""
    async with pool.acquire() as connection:
        return await Archiver(connection, root, POLICY, **options).run()


async def a_sale(
    pool: asyncpg.Pool, at: datetime, *, state: int = 5, voucher: int | None = None, **columns: Any
) -> UUID:
    """A provision with the advice that ended it, and its voucher in a state, if one is named."""
    fingerprint = secrets.token_bytes(16)
    advice = {5: "confirmation_id", 6: "reversal_id"}.get(state)
    request_id = await a_transaction(pool, at, state=state, fingerprint=fingerprint, **columns)
    if advice is not None:
        advice_id = await an_advice(pool, request_id, at, kind=1 if state == 5 else 2)
        await pool.execute(f"UPDATE transaction SET {advice} = $2 WHERE request_id = $1", request_id, advice_id)
    if voucher is not None:
        await add(
            pool, "voucher", fingerprint=fingerprint, receiver_id="11111111", state=voucher, provision_id=request_id,
            changed_at=at,
        )  # fmt: skip
    return request_id


def below(root: Path) -> list[Path]:
    """The files of requests in an archive."""
    return sorted(root.glob("*/*/*/transaction-*"))


async def archived(pool: asyncpg.Pool) -> set[UUID]:
    """The requests that are archived."""
    rows = await pool.fetch("SELECT request_id FROM transaction WHERE archived_in IS NOT NULL")
    return {row["request_id"] for row in rows}


async def test_what_is_closed_for_good_is_in_a_file_and_only_its_id_is_left(
    journal_pool: asyncpg.Pool, tmp_path: Path
) -> None:
    sale = await a_sale(journal_pool, OLD, voucher=3)
    before = await journal_pool.fetchrow("SELECT * FROM transaction WHERE request_id = $1", sale)
    assert before is not None
    totals = await archive(journal_pool, tmp_path)
    assert (totals.transactions, totals.advices, totals.vouchers, totals.files) == (1, 1, 1, 3)

    left = await journal_pool.fetchrow("SELECT * FROM transaction WHERE request_id = $1", sale)
    assert left is not None
    assert {name for name, value in left.items() if value is not None} == {
        "request_id", "generation", "reference", "kind", "state", "has_request", "originator_id", "single", "opening",
        "confirmation_id", "opened_at", "changed_at", "archived_in", "resolve_at", "resolve_attempts",
    }  # fmt: skip
    assert await journal_pool.fetchval("SELECT count(*) FROM advice") == 0
    assert await journal_pool.fetchval("SELECT count(*) FROM voucher") == 0
    assert await journal_pool.fetchval("SELECT advice_id FROM archived_advice") == left["confirmation_id"]

    async with journal_pool.acquire() as connection:
        paths = [tmp_path / file.path for file in await find.manifest(connection) if file.holds == "transaction"]
        [row] = await asyncio.to_thread(files.rows_where, paths, "true", [])
        for name, value in before.items():
            if isinstance(value, datetime):
                assert row[name] == (value - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1), name
            else:
                assert row[name] == value, f"{name}, to the byte: sealed columns stay sealed"
        assert [item.wrong for item in await find.verify(connection, tmp_path)] == [None] * 3


async def test_values_that_are_hard_to_copy_come_back_as_they_were(journal_pool: asyncpg.Pool, tmp_path: Path) -> None:
    """An empty text is not NULL, and a comma, a quote, a new line or an emoji ends nothing."""
    values: dict[str, Any] = {
        "product_id": "",
        "merchant_id": None,
        "terminal_id": 'a,"b"\n\\N\r\tc;é🎟',
        "provider_ref": "NULL",
    }
    sale = await a_sale(journal_pool, OLD, state=3, answer=None, refs='{"a": "\\"x\\""}', **values)
    await archive(journal_pool, tmp_path)
    [row] = files.rows_where(below(tmp_path), "request_id = ?", [str(sale)])
    assert {name: row[name] for name in values} == values
    assert row["refs"] == '{"a": "\\"x\\""}'
    assert row["answer"] is None


async def test_what_is_open_owed_at_risk_or_recent_stays(journal_pool: asyncpg.Pool, tmp_path: Path) -> None:
    kept = {
        "pending": await a_transaction(journal_pool, OLD, state=1),
        "approved": await a_transaction(journal_pool, OLD, state=2),
        "unknown": await a_transaction(journal_pool, OLD, state=4),
        "recent": await a_sale(journal_pool, RECENT, state=6),
        "changed lately": await a_transaction(journal_pool, OLD, state=6, changed_at=RECENT),
        "a call runs": await a_transaction(journal_pool, OLD, state=6, call_until=NOW + timedelta(days=1)),
    }
    for name, columns in (
        ("queued", {"state": 1, "finished_at": None}),
        ("parked", {"state": 4}),
        ("at risk", {"state": 3, "kind": 2}),
        ("delivered lately", {"state": 2, "finished_at": RECENT}),
    ):
        kept[name] = await a_transaction(journal_pool, OLD, state=6)
        await an_advice(journal_pool, kept[name], OLD, **columns)
    gone = {
        await a_sale(journal_pool, OLD, state=6),
        await a_transaction(journal_pool, OLD, state=3),
        await a_transaction(journal_pool, OLD, state=6, has_request=False, request=None, answer=None),
    }
    await archive(journal_pool, tmp_path)
    assert await archived(journal_pool) == gone


@pytest.mark.parametrize(
    ("at", "voucher", "goes"),
    [(OLD, 1, False), (OLD, 2, False), (OLD, 3, True), (OLD, 4, False), (ANCIENT, 1, True), (ANCIENT, 2, False),
     (ANCIENT, 4, False), (RECENT, 3, False)],
)  # fmt: skip
async def test_a_provision_stays_while_its_voucher_may_be_used(
    journal_pool: asyncpg.Pool, tmp_path: Path, at: datetime, voucher: int, goes: bool
) -> None:
    """Redeemable, unconfirmed, used up, given back: only a voucher that is used up or forgotten goes."""
    sale = await a_sale(journal_pool, at, voucher=voucher)
    await archive(journal_pool, tmp_path)
    assert await archived(journal_pool) == ({sale} if goes else set())
    assert await journal_pool.fetchval("SELECT count(*) FROM voucher") == (0 if goes else 1)


async def a_used_voucher(pool: asyncpg.Pool, at: datetime) -> tuple[UUID, UUID, UUID]:
    """A voucher that was redeemed, given back and redeemed again: provision, refund, and the redemption that counts."""
    provision = await a_sale(pool, at, voucher=3)
    fingerprint = await pool.fetchval("SELECT fingerprint FROM transaction WHERE request_id = $1", provision)
    first = await a_transaction(pool, at, kind=2, fingerprint=fingerprint, confirmation_id=uuid4(), answer=b"a")
    refund = await a_transaction(
        pool, at, kind=3, fingerprint=fingerprint, redemption_id=first, redemption_generation=0
    )
    last = await a_transaction(pool, at, kind=2, fingerprint=fingerprint)
    await pool.execute(
        "UPDATE voucher SET redemption_id = $2, redemption_generation = 0 WHERE fingerprint = $1", fingerprint, last
    )
    return provision, refund, last


async def test_redemptions_stay_as_long_as_their_voucher_and_no_rule_of_the_journal_breaks(
    journal_pool: asyncpg.Pool, tmp_path: Path
) -> None:
    """A refund of a living voucher needs every redemption and what was given back of each."""
    await a_used_voucher(journal_pool, OLD)
    live, _, _ = await a_used_voucher(journal_pool, OLD)
    await journal_pool.execute("UPDATE voucher SET changed_at = $2 WHERE provision_id = $1", live, RECENT)
    for _ in range(4):
        await archive(journal_pool, tmp_path)
        async with journal_pool.acquire() as connection:
            broken = {item.name for item in await invariants.check(connection)}
            assert broken <= {"confirmation_lost"}, "which these rows break by themselves"
    assert len(await archived(journal_pool)) == 4
    assert await journal_pool.fetchval("SELECT count(*) FROM transaction WHERE archived_in IS NULL") == 4


async def test_a_record_that_changes_meanwhile_is_not_archived_and_its_change_stands(
    journal_pool: asyncpg.Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A late reversal of a declined request is noted between the copy and the removal."""
    touched = await a_transaction(journal_pool, OLD, state=3)
    others = {await a_transaction(journal_pool, OLD, state=3) for _ in range(5)}
    reversal = uuid4()
    write = files.write

    def touch_and_write(*arguments: Any) -> files.Written:
        asyncio.run_coroutine_threadsafe(
            journal_pool.execute(
                "UPDATE transaction SET reversal_id = $2, changed_at = now() WHERE request_id = $1", touched, reversal
            ),
            loop,
        ).result()
        return write(*arguments)

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(files, "write", touch_and_write)
    totals = await archive(journal_pool, tmp_path)
    assert totals.again == 1
    assert await archived(journal_pool) == others
    assert await journal_pool.fetchval("SELECT reversal_id FROM transaction WHERE request_id = $1", touched) == reversal
    async with journal_pool.acquire() as connection:
        assert [item.wrong for item in await find.verify(connection, tmp_path)] == [None], "and no file is left over"


async def test_a_disk_that_takes_nothing_leaves_everything_where_it_was(
    journal_pool: asyncpg.Pool, tmp_path: Path
) -> None:
    await a_transaction(journal_pool, OLD, state=3)
    (tmp_path / "archive").write_text("a file where the directory should be")
    with pytest.raises(ArchiveError, match="archive"):
        await archive(journal_pool, tmp_path / "archive")
    assert await archived(journal_pool) == set()
    assert (await archive(journal_pool, tmp_path / "other")).transactions == 1


async def test_one_archiver_at_a_time(journal_pool: asyncpg.Pool, tmp_path: Path) -> None:
    async with journal_pool.acquire() as other:
        await other.execute("SELECT pg_advisory_lock(hashtext('voucherswitch archive'))")
        with pytest.raises(ArchiveBusyError):
            await archive(journal_pool, tmp_path)
        await other.execute("SELECT pg_advisory_unlock_all()")
    await archive(journal_pool, tmp_path)


async def test_the_next_run_goes_on_where_the_last_one_stopped(journal_pool: asyncpg.Pool, tmp_path: Path) -> None:
    for number in range(30):
        await a_transaction(journal_pool, OLD + timedelta(seconds=number), state=3)
    async with journal_pool.acquire() as connection:
        first = await Archiver(connection, tmp_path, POLICY, batch_rows=10).run(look_at_max=10)
    assert first.transactions == 10
    assert (await archive(journal_pool, tmp_path, batch_rows=10)).transactions == 20
    late = await a_transaction(journal_pool, OLD, state=3)
    assert (await archive(journal_pool, tmp_path, batch_rows=10)).transactions == 1, "and then begins anew"
    assert late in await archived(journal_pool)


async def test_an_archived_request_is_told_whole(journal_pool: asyncpg.Pool, tmp_path: Path) -> None:
    sale = await a_sale(journal_pool, OLD, voucher=3)
    async with journal_pool.acquire() as connection:
        before = await reports.story(connection, [sale])
    await archive(journal_pool, tmp_path)
    async with journal_pool.acquire() as connection:
        serial = before.records[0].voucher_serial
        assert await find.requests_of_voucher(connection, tmp_path, serial, None) == [sale]
        advice_id = before.advices[0].advice_id
        assert await reports.requests_of_id(connection, advice_id) == [sale]
        after = await find.completed(connection, tmp_path, await reports.story(connection, [sale]))
    record = after.records[0]
    assert record.archived_in is not None
    assert (record.amount_cents, record.provider_id, record.voucher_serial) == (10_000, "sandbox", serial)
    assert record.state is State.CONFIRMED
    assert record.opened_at == before.records[0].opened_at
    assert [advice.advice_id for advice in after.advices] == [advice_id]


async def test_verify_names_what_is_damaged_missing_or_unknown(journal_pool: asyncpg.Pool, tmp_path: Path) -> None:
    for _ in range(3):
        await a_transaction(journal_pool, OLD, state=3)
        await archive(journal_pool, tmp_path)
    damaged, missing, _ = below(tmp_path)
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    missing.unlink()
    (missing.parent / "transaction-000000009-00000000.parquet").write_bytes(b"PAR1")
    async with journal_pool.acquire() as connection:
        checked = await find.verify(connection, tmp_path)
    wrong = [item.wrong for item in checked if item.wrong]
    assert len(wrong) == 3
    expected = ("checksum", "cannot be read", "does not name")
    assert [word for word, text in zip(expected, wrong, strict=True) if word not in text] == []
