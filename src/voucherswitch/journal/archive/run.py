"""The archiver: takes closed requests out of the journal, a batch at a time, while everything goes on.

A batch is chosen and copied in one snapshot, made durable as files, and only then taken out of the tables, in one
transaction with the manifest. What changed in between undoes that transaction, not the change. So at every moment each
row is in the tables or in a file that the manifest names, never in both and never in neither; a crash can at most leave
a file that no manifest names (`voucherswitch archive verify` lists those).
"""

import asyncio
import secrets
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, TypeAlias
from uuid import UUID

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from msgspec import Struct

from voucherswitch.config.limits import ARCHIVE_BATCH_ROWS, ARCHIVE_STATEMENT_S, ARCHIVE_TRIES
from voucherswitch.journal.archive import files
from voucherswitch.journal.archive.files import CENTS, ArchiveError, Column, Content
from voucherswitch.journal.statements import SQL

Connection: TypeAlias = asyncpg.Connection | PoolConnectionProxy

_START: Final = (datetime.min.replace(tzinfo=UTC), UUID(int=0), 0)

# The keys of what a batch takes, with the version that was copied. Temporary: they live as long as the connection.
_TABLES: Final = """
CREATE TEMP TABLE IF NOT EXISTS archiving (request_id uuid, generation smallint, version xid);
CREATE TEMP TABLE IF NOT EXISTS archiving_voucher (fingerprint bytea, receiver_id text, version xid);
CREATE TEMP TABLE IF NOT EXISTS archiving_advice (request_id uuid, generation smallint, advice_id uuid, version xid);
TRUNCATE archiving, archiving_voucher, archiving_advice;
"""
_KEYS: Final = {
    "transaction": ("archiving", "request_id, generation", "opened_at, request_id, generation"),
    "advice": ("archiving_advice", "request_id, generation, advice_id", "seq"),
    "voucher": ("archiving_voucher", "fingerprint, receiver_id", "fingerprint, receiver_id"),
}
_COLUMNS: Final = """
SELECT attname AS name, format_type(atttypid, NULL) AS type
  FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""
_VAULT_KEYS: Final = """
SELECT coalesce(array_agg(DISTINCT get_byte(head, 0)), '{}')
  FROM transaction JOIN archiving USING (request_id, generation),
       LATERAL (VALUES (substring(request FROM 2 FOR 1)), (substring(answer FROM 2 FOR 1))) AS sealed (head)
 WHERE length(head) = 1
"""
_LOCK: Final = "hashtext('voucherswitch archive')"

Key: TypeAlias = tuple[datetime, UUID, int]


class Policy(Struct, frozen=True, kw_only=True):
    """What is over its time: settings `closed_days` and `voucher_days`."""

    closed_days: int
    voucher_days: int


class Totals(Struct):
    """What a run has done so far. `looked_at` counts requests, archived or not.

    `again`: batches that met a change and were chosen anew; `left`: those that met one each time, for the next round.
    """

    looked_at: int = 0
    transactions: int = 0
    advices: int = 0
    vouchers: int = 0
    files: int = 0
    again: int = 0
    left: int = 0


class ArchiveBusyError(Exception):
    """Another process is archiving."""


class _ChangedError(Exception):
    """A row of the batch changed between its copy and its removal."""


class _Copied(Struct, frozen=True):
    """One file of a batch, durable, not yet in the manifest. `vault_keys` have sealed something in it."""

    holds: str
    path: Path
    content: Content
    vault_keys: list[int]
    written: files.Written


class Archiver:
    """One run on one connection, which must not be used for anything else meanwhile."""

    def __init__(
        self,
        connection: Connection,
        root: Path,
        policy: Policy,
        *,
        batch_rows: int = ARCHIVE_BATCH_ROWS,
        now: datetime | None = None,
    ) -> None:
        self._connection = connection
        self._root = root
        self._batch_rows = batch_rows
        moment = now or datetime.now(UTC)
        self._day = f"{datetime.now(UTC):%Y/%m/%d}"
        self._closed_before = moment - timedelta(days=policy.closed_days)
        self._voucher_before = moment - timedelta(days=policy.voucher_days)
        self.totals = Totals()

    async def to_look_at(self) -> int:
        """How many requests are old enough to be looked at from where the last run stopped."""
        number: int = await self._connection.fetchval(
            "SELECT count(*) FROM transaction AS t, archive_sweep AS s WHERE t.opened_at < $1 "
            "AND (t.opened_at, t.request_id, t.generation) > (s.opened_at, s.request_id, s.generation)",
            self._closed_before,
        )
        return number

    async def run(
        self,
        *,
        look_at_max: int | None = None,
        stopping: asyncio.Event | None = None,
        progress: Callable[[Totals], None] = lambda _: None,
    ) -> Totals:
        """Go on where the last run stopped, to the newest request that can be closed for good, then begin anew.

        Args:
            look_at_max: stop after looking at about so many requests; the next run goes on there.
            stopping: set: stop after the batch that is under way.

        Raises:
            ArchiveBusyError: another process archives.
            ArchiveError: a file cannot be written; everything is where it was.
        """
        if not await self._connection.fetchval(f"SELECT pg_try_advisory_lock({_LOCK})"):
            raise ArchiveBusyError("another process is archiving")
        try:
            # Longer than a sale's statements may take: a batch is thousands of rows.
            await self._connection.execute(f"SET statement_timeout = '{ARCHIVE_STATEMENT_S:.0f}s'")
            while not (stopping is not None and stopping.is_set()):
                if not await self._next_batch():
                    break
                progress(self.totals)
                if look_at_max is not None and self.totals.looked_at >= look_at_max:
                    await self._connection.execute("UPDATE archive_sweep SET finished_at = clock_timestamp()")
                    break
        finally:
            with suppress(asyncpg.InterfaceError, OSError):  # a lost connection has given it back
                await self._connection.execute(f"SELECT pg_advisory_unlock({_LOCK})")
        return self.totals

    async def _next_batch(self) -> bool:
        """Archive what the next requests by age allow. False: the end was reached, the next run begins anew."""
        position: Key = tuple(
            await self._connection.fetchrow("SELECT opened_at, request_id, generation FROM archive_sweep") or _START
        )
        end = await self._connection.fetchrow(
            SQL["archive_window_end"], *position, self._closed_before, self._batch_rows, timeout=ARCHIVE_STATEMENT_S
        )
        if end is None:
            await self._connection.execute(
                "UPDATE archive_sweep SET opened_at = DEFAULT, request_id = DEFAULT, generation = DEFAULT, "
                "finished_at = clock_timestamp()"
            )
            return False
        until: Key = (end["opened_at"], end["request_id"], end["generation"])
        for _ in range(ARCHIVE_TRIES):
            try:
                await self._batch(position, until)
                break
            except _ChangedError:
                self.totals.again += 1
        else:
            self.totals.left += 1
        await self._connection.execute(
            "UPDATE archive_sweep SET opened_at = $1, request_id = $2, generation = $3", *until
        )
        self.totals.looked_at += end["looked_at"]
        return True

    async def _batch(self, position: Key, until: Key) -> None:
        batch, copied = await self._copy(position, until)
        if not copied:
            return
        try:
            await self._take(batch, copied)
        except _ChangedError:
            for one in copied:
                one.path.unlink(missing_ok=True)  # nothing names them, and the next try writes others
            raise
        for one in copied:
            setattr(self.totals, f"{one.holds}s", getattr(self.totals, f"{one.holds}s") + one.content.rows)
        self.totals.files += len(copied)

    async def _copy(self, position: Key, until: Key) -> tuple[int, list[_Copied]]:
        """Choose the batch and make it durable as files, as of one moment."""
        connection = self._connection
        limits = (*position, *until, self._closed_before, self._voucher_before)
        wanted: list[tuple[str, Path, list[Column], Content, Path]] = []
        await connection.execute(_TABLES)
        batch: int = await connection.fetchval("SELECT nextval('archive_batch')")
        async with connection.transaction(isolation="repeatable_read"):
            await connection.execute(SQL["archive_requests"], *limits, timeout=ARCHIVE_STATEMENT_S)
            await connection.execute(SQL["archive_vouchers"], *limits, timeout=ARCHIVE_STATEMENT_S)
            await connection.execute(SQL["archive_advices"], timeout=ARCHIVE_STATEMENT_S)
            vault_keys: list[int] = await connection.fetchval(_VAULT_KEYS, timeout=ARCHIVE_STATEMENT_S)
            for holds, (chosen, key, order) in _KEYS.items():
                source = f"FROM {holds} JOIN {chosen} USING ({key})"
                row = await connection.fetchrow(
                    f"SELECT count(*), coalesce(sum({CENTS[holds]}), 0)::bigint AS cents {source}"
                )
                assert row is not None
                if not row["count"]:
                    continue
                columns = [Column(**dict(item)) for item in await connection.fetch(_COLUMNS, holds)]
                listed = ", ".join(f"{holds}.{column.name}" for column in columns)
                directory = await asyncio.to_thread(files.make_directory, self._root, self._day)
                path = directory / f"{holds}-{batch:09d}-{secrets.token_hex(4)}.parquet"
                csv = path.with_suffix(".csv")
                await self._copy_out(f"SELECT {listed} {source} ORDER BY {order}", csv)
                wanted.append((holds, path, columns, Content(rows=row["count"], cents=row["cents"]), csv))
        copied = []
        for holds, path, columns, content, csv in wanted:
            written = await asyncio.to_thread(files.write, csv, path, columns, content, holds)
            sealed_by = vault_keys if holds == "transaction" else []
            copied.append(_Copied(holds=holds, path=path, content=content, vault_keys=sealed_by, written=written))
        return batch, copied

    async def _copy_out(self, query: str, csv: Path) -> None:
        try:
            await self._connection.copy_from_query(query, output=csv, format="csv", timeout=ARCHIVE_STATEMENT_S)
        except OSError as error:
            csv.unlink(missing_ok=True)  # noqa: ASYNC240 (one call, on the way out)
            raise ArchiveError(f"{csv} cannot be written: {error.strerror or error}") from error

    async def _take(self, batch: int, copied: list[_Copied]) -> None:
        """Enter the files in the manifest and take their rows out, all or none.

        Raises:
            _ChangedError: a row is not as it was copied any more.
        """
        connection = self._connection
        rows = {one.holds: one.content.rows for one in copied}
        async with connection.transaction():
            await connection.executemany(
                "INSERT INTO archive_file (batch, holds, path, rows, cents, bytes, sha256, vault_keys) "
                "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                [
                    (batch, one.holds, str(one.path.relative_to(self._root)), one.content.rows, one.content.cents,
                     one.written.size, one.written.sha256, one.vault_keys)
                    for one in copied
                ],
            )  # fmt: skip
            for holds, statement, arguments in (
                ("voucher", "take_vouchers", ()),
                ("advice", "take_advices", (batch,)),
                ("transaction", "take_requests", (batch,)),
            ):
                taken = await connection.fetchval(SQL[statement], *arguments, timeout=ARCHIVE_STATEMENT_S)
                if taken != rows.get(holds, 0):
                    raise _ChangedError
