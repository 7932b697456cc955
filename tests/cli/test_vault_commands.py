"""`voucherswitch vault`: keys are made, shown without being told, added and retired."""

import asyncio
import re
import shlex
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from cli.cli_support import Done, Terminal, environment, open_folder
from journal.journal_traffic import Traffic, put_provider
from support.vault import vault_of
from voucherswitch.catalogue import store
from voucherswitch.catalogue.snapshot import Provider
from voucherswitch.journal.embedded import EmbeddedPostgres
from voucherswitch.journal.journal import Journal
from voucherswitch.journal.migrate import migrate
from voucherswitch.journal.resealing import let_newest_seal, reseal
from voucherswitch.journal.vault_keys import join, known_keys
from voucherswitch.security.key_source import FileKeys
from voucherswitch.security.keys import check_value
from voucherswitch.security.sealed import SEALED


class Desk:
    """A journal with sealed values, its key file, and somebody who types."""

    def __init__(self, folder: Path, url: str, terminal: Terminal, pool: asyncpg.Pool) -> None:
        self.folder = folder
        self.file = FileKeys(folder / "vault.key")
        self.pool = pool
        self._url = url
        self._terminal = terminal

    async def type(self, *words: str, **variables: str) -> Done:
        """Type a command of `vault`; whatever it prints, no key is in it."""
        return await self.type_any("vault", *words, **variables)

    async def type_any(self, *words: str, **variables: str) -> Done:
        """Type any command."""
        source = {} if variables else {"VOUCHERSWITCH_VAULT_KEY_FILE": str(self.file.path)}
        env = environment(DATABASE_URL=self._url, **source, **variables)
        done = await asyncio.to_thread(self._terminal.run, *words, folder=self.folder, env=env)
        for key in re.findall(r":(\S{44})$", self.file.path.read_text(), re.MULTILINE):
            assert key not in done.out + done.err
        return done


@pytest.fixture(scope="module")
async def desk(terminal: Terminal) -> AsyncIterator[Desk]:
    with open_folder() as folder, EmbeddedPostgres(folder / "data") as server:
        await migrate(server.url)
        async with asyncpg.create_pool(server.url, min_size=1, max_size=3) as pool:
            desk = Desk(folder, server.url, terminal, pool)
            vault = vault_of(desk.file.path)
            async with pool.acquire() as connection:
                await join(connection, vault, "the file", [])
                await put_provider(connection)
                row = Provider(id="secretive", connector="sandbox", settings={})
                await store.put_provider(connection, vault, row, {"api_key": "an invented secret"})
            await Traffic(Journal(pool, vault, 1, batch_max=64, queue_max=1000)).all()
            yield desk


async def test_a_first_key_file_is_made_once(desk: Desk) -> None:
    path = desk.folder / "first.key"
    made = await desk.type("create", str(path), VOUCHERSWITCH_ENVIRONMENT="production")
    assert made.code == 0
    assert path.stat().st_mode & 0o777 == 0o600
    keys = FileKeys(path).read()
    assert check_value(keys.finder) in made.out
    assert check_value(keys.sealing[1]) in made.out
    again = await desk.type("create", str(path))
    assert (again.code, FileKeys(path).read().finder) == (1, keys.finder)
    assert again.line == f"voucherswitch: vault key file {path} is there already; nothing was changed"


async def test_copies_are_compared_by_their_check_values(desk: Desk) -> None:
    copy = desk.folder / "copy.key"
    copy.touch(mode=0o600)
    copy.write_bytes(desk.file.path.read_bytes())
    values = [re.findall(r"\b[0-9a-f]{6}\b", (await desk.type("check", *words)).out) for words in ((), (str(copy),))]
    assert values[0] == values[1]
    assert len(set(values[0])) == 2


async def test_a_rotation_from_the_first_command_to_the_last(desk: Desk) -> None:
    """What `show` says on the way; a key that is needed is not retired."""
    first = (await desk.type("show", "--json")).json
    assert [(key["key_id"], key["state"]) for key in first["keys"]] == [(1, "seals")]
    [sealed] = [key["sealed"] for key in first["keys"]]
    assert sealed["transaction"] > 10
    assert sealed["provider"] == 1
    refused = await desk.type("retire-key", "1")
    assert refused.line == "voucherswitch: vault key 1 seals, or is about to; add a newer one first: vault add-key"

    added = await desk.type("add-key")
    assert added.code == 0
    assert added.out.startswith(f"Key 2 added to {desk.file.path}.")
    shown = (await desk.type("show", "--json")).json
    assert [key["state"] for key in shown["keys"]] == ["seals", "waits for every process"]

    vault = vault_of(desk.file.path)
    async with desk.pool.acquire() as connection:
        assert await let_newest_seal(connection) == 2  # no process lives that could lack it
    refused = await desk.type("retire-key", "1")
    assert refused.line.startswith("voucherswitch: 1 values in provider need vault key 1") or re.match(
        r"voucherswitch: \d+ values in transaction need vault key 1; the worker seals them anew", refused.line
    )

    vault.seal_with(2)
    await reseal(desk.pool, vault, asyncio.Event())
    shown = (await desk.type("show", "--json")).json
    assert [(key["state"], key["sealed"]) for key in shown["keys"]] == [("opens", {}), ("seals", sealed)]
    assert [(sweep["done_percent"], sweep["unopened"]) for sweep in shown["sweeps"]] == [(100, 0)] * len(SEALED)

    await desk.pool.execute(
        "INSERT INTO archive_file (batch, holds, path, rows, cents, bytes, sha256, vault_keys) "
        "VALUES (1, 'transaction', 'a file', 1, 1, 1, '', '{1}')"
    )
    refused = await desk.type("retire-key", "1")
    assert refused.line.startswith("voucherswitch: 1 files of the archive need vault key 1, the oldest of ")
    await desk.pool.execute("DELETE FROM archive_file")

    retired = await desk.type("retire-key", "1")
    assert retired.code == 0
    assert list(desk.file.read().sealing) == [2]
    assert [row.retired_at is not None for row in await known_keys(desk.pool)] == [True, False]
    text = (await desk.type("show")).out
    assert re.search(r"1 +not here +is retired +nothing", text)
    assert (await desk.type("add-key")).out.startswith("Key 3 added"), "no number is used twice"
    events = await desk.pool.fetch("SELECT action, object_id FROM audit_event ORDER BY seq")
    assert [tuple(event) for event in events] == [("key.add", "2"), ("key.retire", "1"), ("key.add", "3")]


async def test_keys_from_elsewhere_are_added_there_and_shown_here(desk: Desk) -> None:
    command = f"cat {shlex.quote(str(desk.file.path))}"
    for source in (
        {"VOUCHERSWITCH_VAULT_KEY_COMMAND": command},
        {"VOUCHERSWITCH_VAULT_KEYS": desk.file.path.read_text().replace("\n", ";")},
    ):
        before = desk.file.path.read_text()
        told = await desk.type("add-key", **source)
        assert told.code == 0
        assert "which nothing here can write to" in told.out
        assert re.search(r"Make the line `\d+:<key>`", told.out)
        assert desk.file.path.read_text() == before
        assert (await desk.type("show", **source)).code == 0


async def test_the_keys_of_another_journal_are_refused(desk: Desk) -> None:
    other = desk.folder / "another.key"
    vault_of(other)
    refused = await desk.type("add-key", VOUCHERSWITCH_VAULT_KEY_FILE=str(other))
    assert refused.code == 1
    assert "is not the vault key that sealed this journal's vouchers" in refused.line
    assert list(FileKeys(other).read().sealing) == [1]


async def test_a_providers_secrets_are_entered_and_never_shown(desk: Desk) -> None:
    secret = "an-invented-key-5017"
    entered = await desk.type_any(
        "provider",
        "set",
        "mobi",
        "--connector",
        "sandbox",
        "base_url=http://127.0.0.1:9",
        "--secret",
        f"api_key={secret}",
    )
    assert entered.code == 0
    for words in (("show", "mobi"), ("show", "mobi", "--json"), ("list",), ("list", "--json")):
        shown = await desk.type_any("provider", *words)
        assert shown.code == 0
        assert "api_key" in shown.out
        assert secret not in entered.out + entered.err + shown.out + shown.err
    assert "(sealed)" in (await desk.type_any("provider", "show", "mobi")).out
    bare = await desk.type_any("provider", "set", "mobi", f"api_key={secret}")
    assert "give it by --secret api_key" in bare.line
    assert secret not in bare.line
