"""`voucherswitch archive`, and `explain` of what is archived, typed against a journal with requests in every state."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from cli.cli_support import Done, Terminal, environment, open_folder
from journal.journal_traffic import Requests, Traffic, put_provider
from support.vault import vault_of
from voucherswitch.journal.embedded import EmbeddedPostgres
from voucherswitch.journal.journal import Journal
from voucherswitch.journal.migrate import migrate

AGED = (
    """UPDATE advice SET state = 2, attempts = 1, finished_at = created_at
        WHERE state = 1 AND seq > (SELECT min(seq) FROM advice WHERE state = 1)""",
    "UPDATE transaction SET opened_at = opened_at - interval '200 days', changed_at = changed_at - interval '200 days'",
    "UPDATE advice SET created_at = created_at - interval '200 days', finished_at = finished_at - interval '200 days'",
    "UPDATE voucher SET changed_at = changed_at - interval '200 days'",
)


class Books:
    """An old journal, and somebody who archives it."""

    def __init__(self, folder: Path, url: str, terminal: Terminal, pool: asyncpg.Pool, requests: Requests) -> None:
        self.folder, self._url, self._terminal = folder, url, terminal
        self.pool, self.requests = pool, requests

    async def type(self, *words: str) -> Done:
        """Type a command."""
        variables = environment(
            DATABASE_URL=self._url,
            VOUCHERSWITCH_VAULT_KEY_FILE=str(self.folder / "vault.key"),
            VOUCHERSWITCH_ARCHIVE_DIR=str(self.folder / "archive"),
        )
        return await asyncio.to_thread(self._terminal.run, *words, folder=self.folder, env=variables)


@pytest.fixture(scope="module")
async def books(terminal: Terminal) -> AsyncIterator[Books]:
    with open_folder() as folder, EmbeddedPostgres(folder / "data") as server:
        vault = vault_of(folder / "vault.key")
        await migrate(server.url)
        async with asyncpg.create_pool(server.url, min_size=1, max_size=2) as pool:
            async with pool.acquire() as connection:
                await put_provider(connection)
            requests = await Traffic(Journal(pool, vault, 1, batch_max=64, queue_max=1000)).all()
            for statement in AGED:
                await pool.execute(statement)
            yield Books(folder, server.url, terminal, pool, requests)


async def test_what_is_archived_by_hand_is_listed_verified_and_explained(books: Books) -> None:
    """And every invariant of the journal still holds, with all that is open still in it."""
    declined = books.requests.ids["declined"]
    before = await books.type("explain", str(declined), "--json")
    done = await books.type("archive", "run", "--json")
    assert (done.code, done.err) == (0, "")
    assert done.json["transactions"] > 0
    while (again := await books.type("archive", "run", "--json")).json["transactions"]:
        assert again.code == 0

    states = await books.pool.fetch("SELECT DISTINCT state FROM transaction WHERE archived_in IS NOT NULL")
    assert {row["state"] for row in states} == {3, 5, 6}
    assert await books.pool.fetchval("SELECT count(*) FROM unsettled JOIN transaction USING (request_id)") > 0
    verified = await books.type("verify", "--json")
    assert verified.json["findings"] == [], verified.out

    listed = await books.type("archive", "list", "--json")
    assert sum(
        file["rows"] for file in listed.json["files"] if file["holds"] == "transaction"
    ) == await books.pool.fetchval("SELECT count(*) FROM transaction WHERE archived_in IS NOT NULL")
    assert "transaction-" in (await books.type("archive", "list")).out
    checked = await books.type("archive", "verify")
    assert (checked.code, checked.err) == (0, "")
    assert "files are as they were written." in checked.out

    after = await books.type("explain", str(declined), "--json")
    assert [record["error"] for record in after.json[0]["records"]] == [
        record["error"] for record in before.json[0]["records"]
    ]
    assert "Archived in batch" in (await books.type("explain", str(declined))).out


async def test_a_file_that_is_gone_is_named(books: Books) -> None:
    await books.type("archive", "run")
    listed = await books.type("archive", "list", "--json")
    path = books.folder / "archive" / next(f["path"] for f in listed.json["files"] if f["holds"] == "transaction")
    away = path.with_suffix(".away")
    path.rename(away)
    try:
        verified = await books.type("archive", "verify", "--json")
        assert verified.code == 1
        assert any("cannot be read" in item["wrong"] for item in verified.json["wrong"])
        archived = await books.pool.fetchval(
            "SELECT request_id FROM transaction WHERE archived_in = (SELECT min(batch) FROM archive_file)"
        )
        explained = await books.type("explain", str(archived))
        assert explained.code == 1
        assert path.name in explained.line
    finally:
        away.rename(path)


async def test_nothing_is_archived_where_the_policy_says_never(books: Books) -> None:
    (books.folder / "voucherswitch.toml").write_text("closed_days = 0\n")
    try:
        done = await books.type("archive", "run")
        assert done.code == 1
        assert "closed_days" in done.line
    finally:
        (books.folder / "voucherswitch.toml").unlink()
