"""`voucherswitch vault`: the keys that seal, which of them needs what, and their rotation. Never shows a key."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voucherswitch.cli.actor import changing
from voucherswitch.cli.context import load_settings, with_database
from voucherswitch.cli.errors import CommandError, say
from voucherswitch.cli.output import JsonFlag, print_json, print_table

if TYPE_CHECKING:
    import asyncpg

    from voucherswitch.config.settings import Settings
    from voucherswitch.journal.vault_keys import KeyRow
    from voucherswitch.security.key_source import KeySource

app = typer.Typer(
    help="The keys that seal codes, PINs and credentials; see docs/operations/vault.md.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def create(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Where.  [default: what vault_key_file says]")
    ] = None,
) -> None:
    """Make a key file with first keys, readable by you only. One that is there is never replaced.

    Make it once for each journal, and a copy in a safe place before anything is sold.

    \b
    Example:
      voucherswitch vault create /etc/voucherswitch/vault.key
    """
    from voucherswitch.security.key_source import FileKeys

    if file is None:
        # Production refuses to start without a key file, and this is how it gets one.
        file = load_settings(environment="sandbox").vault_key_path
    keys = FileKeys(file.expanduser().absolute())
    if not keys.create():
        raise CommandError(f"{keys.where} is there already; nothing was changed")
    _print_check_values(keys)
    say("keep a copy apart from the database and its backups before anything is sold: without it no voucher opens")


@app.command()
def check(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="A copy.  [default: the keys that the settings name]")
    ] = None,
) -> None:
    """Read keys and print their check values, by which copies are compared. Needs no database; shows no key.

    \b
    Examples:
      voucherswitch vault check
      voucherswitch vault check /media/backup/vault.key
    """
    from voucherswitch.security.key_source import FileKeys, source_of

    _print_check_values(source_of(load_settings()) if file is None else FileKeys(file.expanduser().absolute()))


def _print_check_values(source: "KeySource") -> None:
    from voucherswitch.security.keys import FINDER, check_value

    keys = source.read()
    rows: list[tuple[Any, ...]] = [(FINDER, check_value(keys.finder))]
    rows += [(key_id, check_value(key)) for key_id, key in sorted(keys.sealing.items())]
    print_table(("Key", "Check value"), rows, empty="")
    print(f"From the {source.where}")


@app.command()
def show(as_json: JsonFlag = False) -> None:
    """Show the keys, which of them seals, and how many values each has sealed. Shows no key.

    Counting takes some seconds for each million requests. While values are sealed anew under another key, it shows how
    far that is.

    \b
    Example:
      voucherswitch vault show
    """
    found = with_database(_shown)
    if as_json:
        print_json(found)
        return
    keys = [
        (
            key["key_id"], key["check_value"] or "not here", key["state"],
            ", ".join(f"{number} in {table}" for table, number in key["sealed"].items()) or "nothing",
            key["archive_files"] or "", key["added_at"],
        )
        for key in found["keys"]
    ]  # fmt: skip
    print_table(("Key", "Check value", "It", "Has sealed", ">Archive files", "Added"), keys, empty="No keys.")
    print(f"Keys from the {found['source']}. The finder key's check value is {found['finder_check_value']}.")
    for process in found["waiting_for"]:
        print(f"Waits for {process['role']} {process['host']}:{process['pid']}, which has not got the newest key.")
    for sweep in found["sweeps"]:
        if sweep["finished_at"] is None:
            print(
                f"{sweep['table']}: {sweep['done_percent']} % looked through, {sweep['resealed']} values sealed anew."
            )
        if sweep["unopened"]:
            print(f"{sweep['table']}: {sweep['unopened']} values do not open; the worker's log names them.")


async def _shown(connection: "asyncpg.Connection", settings: "Settings") -> dict[str, Any]:
    from voucherswitch.journal.resealing import count
    from voucherswitch.journal.statements import SQL
    from voucherswitch.journal.vault_keys import known_keys, sealing_key
    from voucherswitch.security.key_source import source_of
    from voucherswitch.security.keys import check_value
    from voucherswitch.security.sealed import SEALED

    source = source_of(settings)
    keys = source.read()
    rows = await known_keys(connection)
    if not rows:
        raise CommandError("nothing was sealed in this journal yet: start it first")
    current, newest = sealing_key(rows), rows[-1].key_id
    numbers = {table.name: await count(connection, table) for table in SEALED}
    archived = {row["key_id"]: row["files"] for row in await connection.fetch(SQL["archived_vault_keys"])}
    waiting = await connection.fetch(SQL["lacking_vault_key"], newest) if newest != current else []
    return {
        "source": source.where,
        "finder_check_value": check_value(keys.finder),
        "seals": current,
        "keys": [
            {
                "key_id": row.key_id,
                "check_value": check_value(keys.sealing[row.key_id]) if row.key_id in keys.sealing else None,
                "state": _state(row, current),
                "sealed": {table: by[row.key_id] for table, by in numbers.items() if row.key_id in by},
                "archive_files": archived.get(row.key_id, 0),
                "added_at": row.added_at,
                "seals_since": row.seals_since,
                "retired_at": row.retired_at,
            }
            for row in rows
        ],
        "waiting_for": [dict(row) for row in waiting],
        "sweeps": [
            {
                "table": row["table_name"],
                "key_id": row["key_id"],
                "done_percent": 100 if row["finished_at"] else _percent(row["next_block"], row["blocks"]),
                "resealed": row["resealed"],
                "unopened": row["unopened"],
                "finished_at": row["finished_at"],
            }
            for row in await connection.fetch(SQL["vault_sweeps"])
            if row["key_id"] == current
        ],
    }


def _state(row: "KeyRow", current: int) -> str:
    if row.retired_at is not None:
        return "is retired"
    if row.key_id == current:
        return "seals"
    return "opens" if row.key_id < current else "waits for every process"


def _percent(done: int, of: int) -> int:
    return min(99, 100 * done // of) if of else 99


@app.command(name="add-key")
def add_key() -> None:
    """Make a new key, which seals when every process has it; then the worker seals anew what older keys have sealed.

    It is appended to the key file, all or nothing. Bring the file to every machine, and a copy to the safe place:
    processes read it by themselves. Keys that come from the environment or from a command are added there by you; this
    then says how.

    \b
    Example:
      voucherswitch vault add-key
    """

    async def work(connection: "asyncpg.Connection", settings: "Settings") -> tuple["KeySource", int]:
        from voucherswitch.journal.vault_keys import known_keys
        from voucherswitch.process import open_vault
        from voucherswitch.security.key_source import FileKeys, source_of
        from voucherswitch.security.keys import KEY_ID_MAX

        source = source_of(settings)
        async with _alone(connection):
            vault = await open_vault(settings, connection)
            key_id = max(*vault.key_ids, *(row.key_id for row in await known_keys(connection)), 0) + 1
            if key_id > KEY_ID_MAX:
                raise CommandError(f"there are {KEY_ID_MAX} keys, and no number is used twice: no more can be added")
            if isinstance(source, FileKeys):
                await asyncio.to_thread(source.add, key_id)
                async with changing(connection, "key.add", "vault_key", str(key_id)) as change:
                    change.after = {"state": "waits for every process", "check_value": _check_value(source, key_id)}
                    await open_vault(settings, connection)  # registers it
        return source, key_id

    from voucherswitch.security.key_source import FileKeys

    source, key_id = with_database(work)
    if not isinstance(source, FileKeys):
        print(
            f"The keys come from the {source.where}, which nothing here can write to. Do it there:\n"
            f"  1. Make the line `{key_id}:<key>`; a key is what `openssl rand -base64 32` prints.\n"
            "  2. Put it below the other lines, which stay.\n"
            "  3. Restart the processes one after the other; those with a command learn it with the first restart.\n"
            "It seals when every process has it: see voucherswitch vault show."
        )
        return
    print(f"Key {key_id} added to {source.path}. It seals when every process has it: see voucherswitch vault show.")
    say("bring the file to the other machines, and a copy to the safe place")


@app.command(name="retire-key")
def retire_key(
    key_id: Annotated[int, typer.Argument(metavar="KEY", help="Its number, see: vault show.", show_default=False)],
) -> None:
    """Take an old key out of the key file, when nothing needs it any more. Refused while something does.

    Keep a copy as long as there are backups of the database from before.

    \b
    Example:
      voucherswitch vault retire-key 1
    """

    async def work(connection: "asyncpg.Connection", settings: "Settings") -> "KeySource":
        from voucherswitch.journal.statements import SQL
        from voucherswitch.journal.vault_keys import known_keys
        from voucherswitch.process import open_vault
        from voucherswitch.security.key_source import FileKeys, source_of

        source = source_of(settings)
        async with _alone(connection):
            vault = await open_vault(settings, connection)
            row = next((row for row in await known_keys(connection) if row.key_id == key_id), None)
            if row is None:
                raise CommandError(f"there is no vault key {key_id}; see: voucherswitch vault show")
            if key_id >= vault.current:
                raise CommandError(f"vault key {key_id} seals, or is about to; add a newer one first: vault add-key")
            await _refuse_needed(connection, key_id, vault.current)
            async with changing(connection, "key.retire", "vault_key", str(key_id)) as change:
                change.before, change.after = {"state": "opens"}, {"state": "is retired"}
                await connection.execute(SQL["retire_vault_key"], key_id)
                if isinstance(source, FileKeys):
                    await asyncio.to_thread(source.remove, key_id)
        return source

    from voucherswitch.security.key_source import FileKeys

    source = with_database(work)
    print(f"Vault key {key_id} is retired: nothing in the database or the archive needs it.")
    if isinstance(source, FileKeys):
        say(f"it was taken out of {source.path}; do the same on the other machines")
    else:
        say(f"take its line out of the {source.where}")
    say("keep a copy of it as long as there are backups of the database from before")


def _check_value(source: "KeySource", key_id: int) -> str:
    from voucherswitch.security.keys import check_value

    return check_value(source.read().sealing[key_id])


async def _refuse_needed(connection: "asyncpg.Connection", key_id: int, current: int) -> None:
    from voucherswitch.journal.resealing import count
    from voucherswitch.journal.statements import SQL
    from voucherswitch.security.sealed import SEALED

    others = await connection.fetch(SQL["sealing_otherwise"], current)
    if others:
        role, host, pid, seals = (others[0][name] for name in ("role", "host", "pid", "vault_seals"))
        raise CommandError(f"{role} {host}:{pid} seals with vault key {seals} still; wait, or stop it")
    for table in SEALED:
        number = (await count(connection, table)).get(key_id, 0)
        if number:
            await connection.execute(SQL["repeat_sweep"], table.name)
            raise CommandError(
                f"{number} values in {table.name} need vault key {key_id}; the worker seals them anew: see vault show"
            )
    for row in await connection.fetch(SQL["archived_vault_keys"]):
        if row["key_id"] == key_id:
            raise CommandError(
                f"{row['files']} files of the archive need vault key {key_id}, the oldest of "
                f"{_day(row['oldest'])}; it stays until they are gone, and seals nothing"
            )


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"


@asynccontextmanager
async def _alone(connection: "asyncpg.Connection") -> AsyncIterator[None]:
    """Nobody else changes the keys meanwhile, on whatever machine."""
    if not await connection.fetchval("SELECT pg_try_advisory_lock(hashtext('voucherswitch vault keys'))"):
        raise CommandError("somebody else is changing the vault's keys at this moment; nothing was changed, try again")
    yield  # the connection is this command's own, and the lock goes with it
