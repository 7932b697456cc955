"""Reading the archive: what `explain` finds there, and whether every file is what it was. Changes nothing."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeAlias
from uuid import UUID

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from msgspec import Struct
from msgspec.structs import replace

from voucherswitch.journal.archive import files
from voucherswitch.journal.archive.files import ArchiveError, Content
from voucherswitch.journal.reports import AdviceReport, RecordReport, Story, reference_text, refusal
from voucherswitch.message.states import AdviceKind, AdviceState, Kind, State

Connection: TypeAlias = asyncpg.Connection | PoolConnectionProxy

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TIMES: Final = (
    "opened_at", "changed_at", "call_until", "created_at", "finished_at", "next_attempt_at", "not_before",
)  # fmt: skip


class ArchiveFile(Struct, frozen=True, kw_only=True):
    """One line of the manifest; `path` is below the archive's directory, `size` in bytes."""

    batch: int
    holds: str
    path: str
    rows: int
    cents: int
    size: int
    sha256: bytes
    archived_at: datetime


class Checked(Struct, frozen=True, kw_only=True):
    """A file, and what is wrong with it; None: nothing."""

    path: str
    wrong: str | None


async def manifest(connection: Connection, *, batches: Sequence[int] | None = None) -> list[ArchiveFile]:
    """The files of the archive in the order in which they were made; of some batches only, if any are named."""
    rows = await connection.fetch(
        "SELECT batch, holds, path, rows, cents, bytes AS size, sha256, archived_at FROM archive_file "
        "WHERE $1::bigint[] IS NULL OR batch = ANY ($1) ORDER BY batch, holds",
        None if batches is None else list(batches),
    )
    return [ArchiveFile(**dict(row)) for row in rows]


async def requests_of_voucher(
    connection: Connection, root: Path, serial: str | None, fingerprint: bytes | None
) -> list[UUID]:
    """Archived requests about a voucher, by its serial number or its code's fingerprint. Looks into every file.

    Raises:
        ArchiveError: a file cannot be read.
    """
    paths = _paths(root, await manifest(connection), "transaction")
    condition = "voucher_serial = ? OR fingerprint = ? ORDER BY opened_at"
    rows = await asyncio.to_thread(files.rows_where, paths, condition, [serial, fingerprint])
    return list(dict.fromkeys(row["request_id"] for row in rows))


async def completed(connection: Connection, root: Path, story: Story) -> Story:
    """A story with what the archive has of its archived requests in place of what the journal has left of them.

    Raises:
        ArchiveError: a file cannot be read.
    """
    batches = {record.archived_in for record in story.records if record.archived_in is not None}
    if not batches:
        return story
    found = await manifest(connection, batches=sorted(batches))
    ids = sorted({str(record.request_id) for record in story.records if record.archived_in is not None})
    condition = f"request_id IN ({', '.join('?' * len(ids))})"
    records = await asyncio.to_thread(files.rows_where, _paths(root, found, "transaction"), condition, ids)
    advices = await asyncio.to_thread(files.rows_where, _paths(root, found, "advice"), condition, ids)
    whole = {(row["request_id"], row["generation"]): row for row in records}
    return replace(
        story,
        records=[_filled(record, whole.get((record.request_id, record.generation))) for record in story.records],
        advices=sorted((*story.advices, *map(_advice, advices)), key=lambda advice: advice.created_at),
    )


async def verify(
    connection: Connection, root: Path, progress: Callable[[int, int], None] = lambda _, __: None
) -> list[Checked]:
    """Read every file: is it there, unchanged, and does it hold what the journal says it took out?"""
    counts = {
        ("transaction", row["batch"]): row["count"]
        for row in await connection.fetch(
            "SELECT archived_in AS batch, count(*) FROM transaction WHERE archived_in IS NOT NULL GROUP BY 1"
        )
    } | {
        ("advice", row["batch"]): row["count"]
        for row in await connection.fetch(
            "SELECT batch, count(*) FROM archived_advice WHERE batch IS NOT NULL GROUP BY 1"
        )
    }
    found = await manifest(connection)
    checked = []
    for number, file in enumerate(found, 1):
        wrong = await asyncio.to_thread(_wrong, root, file)
        left = counts.pop((file.holds, file.batch), 0)
        if wrong is None and file.holds != "voucher" and left != file.rows:
            wrong = f"it holds {file.rows} rows, and {left} ids in the journal say that they are in it"
        checked.append(Checked(path=file.path, wrong=wrong))
        progress(number, len(found))
    checked += [
        Checked(path=f"{holds}, batch {batch}", wrong=f"{count} ids are in a file that the manifest does not name")
        for (holds, batch), count in sorted(counts.items())
    ]
    known = {file.path for file in found}
    left_over = await asyncio.to_thread(lambda: [path for path in _files_below(root) if path not in known])
    checked += [
        Checked(path=path, wrong="the manifest does not name it: left by a crash, or from after the restored moment")
        for path in left_over
    ]
    return checked


def _wrong(root: Path, file: ArchiveFile) -> str | None:
    path = root / file.path
    try:
        if files.checksum(path) != file.sha256:
            return "its checksum is another: it was changed or damaged"
        content = files.content_of(path, file.holds)
    except ArchiveError as error:
        return str(error)
    if content != Content(rows=file.rows, cents=file.cents):
        return f"it holds {content.rows} rows of {content.cents} cents, the manifest says {file.rows} of {file.cents}"
    return None


def _files_below(root: Path) -> Iterator[str]:
    for path in sorted(root.glob("*/*/*/*")):
        yield str(path.relative_to(root))


def _paths(root: Path, found: Sequence[ArchiveFile], holds: str) -> list[Path]:
    return [root / file.path for file in found if file.holds == holds]


def _filled(record: RecordReport, row: dict[str, Any] | None) -> RecordReport:
    if row is None:
        return record
    values = {name: row[name] for name in RecordReport.__struct_fields__ if name in row} | _times(row)
    values["reference"] = reference_text(row["reference"])
    values["kind"], values["state"] = Kind(row["kind"]), State(row["state"])
    values["error"] = None if row["error"] is None else refusal(row["error"])
    values["reversal_id"] = record.reversal_id  # the journal's is the newest: a late one is still noted there
    values["archived_in"] = record.archived_in
    return replace(record, **values)


def _advice(row: dict[str, Any]) -> AdviceReport:
    values = {name: row[name] for name in AdviceReport.__struct_fields__ if name in row} | _times(row)
    values["kind"], values["request_kind"] = AdviceKind(row["kind"]), Kind(row["request_kind"])
    values["state"] = AdviceState(row["state"])
    return AdviceReport(**values, held_by_call=False, being_sent=False, paused=False, shut=None)


def _times(row: dict[str, Any]) -> dict[str, datetime | None]:
    return {
        name: None if row[name] is None else _EPOCH + timedelta(microseconds=row[name])
        for name in _TIMES
        if name in row and name in (*RecordReport.__struct_fields__, *AdviceReport.__struct_fields__)
    }
