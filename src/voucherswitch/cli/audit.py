"""`voucherswitch audit`: who did what, and whether the record of it is as it was written."""

import csv
import json
import sys
from collections.abc import Iterable
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TextIO

import typer

from voucherswitch.cli.actor import cli_actor
from voucherswitch.cli.context import with_database
from voucherswitch.cli.errors import FAILED, NOT_FOUND, CommandError, usage_error
from voucherswitch.cli.output import JsonFlag, print_json, print_table
from voucherswitch.cli.progress import progress
from voucherswitch.cli.times import moment

if TYPE_CHECKING:
    import asyncpg

    from voucherswitch.people.audit.chain import Head, Walked

app = typer.Typer(help="The audit trail: who did what.", no_args_is_help=True, rich_markup_mode=None)

Since = Annotated[
    str | None, typer.Option(metavar="TIME", help="Only since: 30m, 24h, 7d, or a time like 2026-11-23T08:00Z.")
]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="Only before: written the same.")]
Action = Annotated[
    str | None, typer.Option(metavar="ACTION", help="Only this action, or a group of them: user, originator.change.")
]
ActorId = Annotated[str | None, typer.Option("--actor", metavar="ID", help="Only by this one: u-1, cli:ann@host.")]
ObjectId = Annotated[str | None, typer.Option("--object", metavar="ID", help="Only about this one.")]
Outcome = Annotated[Literal["ok", "refused", "failed"] | None, typer.Option(help="Only with this outcome.")]

_FIELDS: Final = (
    "seq", "at", "actor_kind", "actor_id", "roles", "session_id", "ip", "correlation_id", "action", "object_kind",
    "object_id", "reason", "approval_id", "before", "after", "outcome", "prev_hash", "hash",
)  # fmt: skip


@app.command()
def verify(
    head: Annotated[
        list[str] | None,
        typer.Option(metavar="SEQ:HASH", help="A head noted elsewhere, to compare with; may be repeated."),
    ] = None,
    log: Annotated[
        list[Path] | None,
        typer.Option(help="A log of the workers: every head in it is compared.", exists=True, dir_okay=False),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Walk the whole trail: is every event as it was recorded, in its place, and is none missing.

    The chain shows events that were changed, taken out, put in or swapped. That its end was cut off, or all of it was
    written anew, shows against heads that were noted before: the workers note one each hour, in the database and in
    their log. Keep the logs on another machine, and compare with --log. It reads only.

    Exit codes: 0 it is whole, 1 it is not.

    \b
    Examples:
      voucherswitch audit verify
      voucherswitch audit verify --log /var/log/voucherswitch/worker.log
      voucherswitch audit verify --head 1204:9f1c…
    """
    from voucherswitch.people.audit.chain import heads_in

    heads = [found for text in head or () for found in _named(text)]
    for file in log or ():
        with file.open(encoding="utf-8", errors="replace") as lines:
            heads.extend(found for line in lines for found in heads_in(line))
    walked = with_database(lambda connection, _: _walk(connection, heads, show=not as_json))
    if as_json:
        print_json(
            {
                "holds": not walked.faults, "events": walked.events, "head": str(walked.head),
                "compared": len(heads), "faults": walked.faults, "more": walked.more,
            }
        )  # fmt: skip
    elif walked.faults:
        print_table((">Event", "Found"), [(fault.seq, fault.found) for fault in walked.faults], empty="")
        print(f"The trail is not as it was recorded{'; there is more' if walked.more else ''}. Head: {walked.head}")
    else:
        print(f"All {walked.events} events are as they were recorded. Head: {walked.head}")
    if walked.faults:
        raise typer.Exit(FAILED)


def _named(text: str) -> "list[Head]":
    from voucherswitch.people.audit.chain import heads_in

    return heads_in(text) or usage_error(f"--head: {text} is not a number, a colon and 64 hex digits")


async def _walk(connection: "asyncpg.Connection", heads: "list[Head]", *, show: bool) -> "Walked":
    from voucherswitch.people.audit.chain import read_head, walk

    total = (await read_head(connection)).seq
    with progress(total) if show else nullcontext(lambda *_: None) as advance:
        return await walk(connection, heads, advance=advance)


@app.command(name="list")
def show(
    since: Since = None,
    until: Until = None,
    action: Action = None,
    actor: ActorId = None,
    object_id: ObjectId = None,
    outcome: Outcome = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many, the newest.")] = 50,
    as_json: JsonFlag = False,
) -> None:
    """List events, the newest first. That somebody looked is recorded too.

    \b
    Examples:
      voucherswitch audit list --since 24h
      voucherswitch audit list --action originator --object 22222222
      voucherswitch audit list --actor cli:ann@switch1 --json
    """
    wanted = _filter(since, until, action, actor, object_id, outcome)

    async def work(connection: "asyncpg.Connection", _: object) -> "list[asyncpg.Record]":
        from voucherswitch.people.audit.find import find

        return await find(connection, cli_actor(), wanted, limit)

    found = [_described(row) for row in with_database(work)]
    if as_json:
        print_json(found)
        return
    rows = [
        (
            row["seq"], row["at"], row["actor_id"], row["action"],
            f"{row['object_kind']} {row['object_id'] or ''}".strip(), row["outcome"], _change(row),
        )
        for row in found
    ]  # fmt: skip
    print_table((">Event", "At", "By", "Action", "About", "Outcome", "Change"), rows, empty="No such events.")


@app.command(name="show")
def show_one(
    seq: Annotated[int, typer.Argument(metavar="EVENT", min=1, help="Its number.", show_default=False)],
    as_json: JsonFlag = False,
) -> None:
    """Show one event with all it holds. Exit code 3: there is none with this number.

    \b
    Example:
      voucherswitch audit show 17
    """

    async def work(connection: "asyncpg.Connection", _: object) -> "asyncpg.Record | None":
        from voucherswitch.people.audit.find import find_one

        return await find_one(connection, cli_actor(), seq)

    row = with_database(work)
    if row is None:
        raise CommandError(f"there is no event {seq}; see: voucherswitch audit list", NOT_FOUND)
    described = _described(row)
    if as_json:
        print_json(described)
        return
    lines = [(key, json.dumps(value) if isinstance(value, dict | list) else value) for key, value in described.items()]
    print_table(("What", "Value"), lines, empty="")


@app.command()
def export(
    file: Annotated[
        Path | None, typer.Option("--file", metavar="FILE", help="A new file.  [default: standard output]")
    ] = None,
    form: Annotated[
        Literal["jsonl", "csv"], typer.Option("--format", help="One JSON object a line, or CSV.")
    ] = "jsonl",
    since: Since = None,
    until: Until = None,
    action: Action = None,
    actor: ActorId = None,
    object_id: ObjectId = None,
    outcome: Outcome = None,
) -> None:
    """Write events to a file, the oldest first, with their hashes. That somebody exported them is recorded first.

    Lines of JSON hold what the hashes are made of: whoever has all of them can check the chain without us.

    \b
    Examples:
      voucherswitch audit export --file audit-2026.jsonl --since 2026-01-01T00:00Z
      voucherswitch audit export --format csv --action user > users.csv
    """
    wanted = _filter(since, until, action, actor, object_id, outcome)

    async def write(connection: "asyncpg.Connection", to: TextIO) -> int:
        from voucherswitch.people.audit.find import exported

        rows = 0
        with progress(0) as advance:
            async for batch in exported(connection, cli_actor(), wanted):
                _write(to, map(_described, batch), form, head=rows == 0)
                rows += len(batch)
                advance(len(batch))
        return rows

    if file is None:
        with_database(lambda connection, _: write(connection, sys.stdout))
        return
    try:
        with file.open("x", encoding="utf-8", newline="") as to:
            rows = with_database(lambda connection, _: write(connection, to))
    except FileExistsError:
        raise CommandError(f"{file} is there already; name a new file") from None
    print(f"{rows} events are in {file}.")


def _write(to: TextIO, rows: Iterable[dict[str, Any]], form: str, *, head: bool) -> None:
    if form == "jsonl":
        to.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        return
    writer = csv.writer(to)
    if head:
        writer.writerow(_FIELDS)
    for row in rows:
        writer.writerow(_cell(row[name]) for name in _FIELDS)


def _cell(value: object) -> object:
    """A cell of a table that a spreadsheet may open: a text that it would take for a formula is marked as a text."""
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def _filter(
    since: str | None,
    until: str | None,
    action: str | None,
    actor: str | None,
    object_id: str | None,
    outcome: str | None,
) -> Any:
    from voucherswitch.people.audit.find import Filter

    now = datetime.now(UTC)
    times: list[datetime | None] = []
    for name, text in (("--since", since), ("--until", until)):
        found = None if text is None else moment(text, now)
        if text is not None and found is None:
            usage_error(f"{name}: {text} is no time; write 30m, 24h, 7d, or 2026-11-23T08:00Z")
        times.append(found)
    return Filter(
        since=times[0],
        until=times[1],
        action=action,
        actor_id=actor,
        object_id=object_id,
        outcome=None if outcome is None else outcome.upper(),
    )


def _described(row: "asyncpg.Record") -> dict[str, Any]:
    from voucherswitch.people.audit.chain import hashed_fields

    fields = hashed_fields(dict(row)) | {"prev_hash": row["prev_hash"].hex(), "hash": row["hash"].hex()}
    return {name: fields[name] for name in _FIELDS}


def _change(row: dict[str, Any]) -> str:
    """What changed, short: `enabled: true → false`; a reason where nothing did."""
    before, after = row["before"] or {}, row["after"] or {}
    parts = [
        f"{key}: {json.dumps(before[key])} → {json.dumps(value)}" if key in before else f"{key}: {json.dumps(value)}"
        for key, value in after.items()
        if before.get(key) != value
    ]
    if row["reason"]:
        parts.append(row["reason"])
    return ", ".join(parts)
