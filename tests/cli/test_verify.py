"""`voucherswitch verify`, typed against a journal with requests in every state, whole and broken."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from cli.cli_support import Done, Terminal, environment, open_folder
from journal.journal_traffic import Requests, Traffic, put_provider
from support.vault import vault_of
from voucherswitch.config.limits import LEG_PARTITION_DAYS
from voucherswitch.journal.embedded import EmbeddedPostgres
from voucherswitch.journal.invariants import INVARIANTS
from voucherswitch.journal.journal import Journal
from voucherswitch.journal.migrate import migrate

NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"  # port 1: nobody listens there


class Books:
    """A journal, and somebody who verifies it."""

    def __init__(self, folder: Path, url: str, terminal: Terminal, pool: asyncpg.Pool, requests: Requests) -> None:
        self.folder, self._url, self._terminal = folder, url, terminal
        self.pool, self.requests = pool, requests

    async def verify(self, *options: str, url: str | None = None, **env: str) -> Done:
        """Type the command."""
        key = {"VOUCHERSWITCH_VAULT_KEY_FILE": str(self.folder / "vault.key")} | env
        variables = environment(DATABASE_URL=url or self._url, **key)
        return await asyncio.to_thread(self._terminal.run, "verify", *options, folder=self.folder, env=variables)


@pytest.fixture(scope="module")
async def books(terminal: Terminal) -> AsyncIterator[Books]:
    with open_folder() as folder, EmbeddedPostgres(folder / "data") as server:
        vault = vault_of(folder / "vault.key")
        vault_of(folder / "other.key")
        await migrate(server.url)
        async with asyncpg.create_pool(server.url, min_size=1, max_size=2) as pool:
            async with pool.acquire() as connection:
                await put_provider(connection)
            requests = await Traffic(Journal(pool, vault, 1, batch_max=64, queue_max=1000)).all()
            yield Books(folder, server.url, terminal, pool, requests)


async def test_a_journal_that_agrees_with_itself(books: Books) -> None:
    done = await books.verify()
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"All {len(INVARIANTS) + 3} invariants hold; it took ")


async def test_it_prints_json_for_a_script(books: Books) -> None:
    done = await books.verify("--json")
    assert done.code == 0
    assert done.json["holds"] is True
    assert done.json["findings"] == []
    assert {invariant.name for invariant in INVARIANTS} < set(done.json["asked"])


async def test_what_is_broken_is_listed_with_what_it_means_and_what_to_do(books: Books) -> None:
    """Exit code 1; `--since` looks at what changed since."""
    request_id = books.requests.ids["declined"]
    told = await books.pool.fetchval("SELECT error FROM transaction WHERE request_id = $1", request_id)
    await books.pool.execute("UPDATE transaction SET error = NULL WHERE request_id = $1", request_id)
    try:
        done = await books.verify("--json")
        assert done.code == 1
        (finding,) = done.json["findings"]
        assert (finding["name"], finding["count"], finding["examples"]) == ("reason_missing", 1, [str(request_id)])
        table = await books.verify()
        assert table.code == 1
        words = " ".join(table.out.split())
        assert "reason_missing" in words
        assert f"1 of {len(INVARIANTS) + 3} invariants are broken" in words
        assert (await books.verify("--since", "1h")).code == 1
        assert (await books.verify("--until", "1h")).code == 0
        await books.pool.execute("UPDATE transaction SET changed_at = now() - interval '2 hours'")
        assert (await books.verify("--since", "1h")).code == 0
        assert (await books.verify("--since", "3h")).code == 1
    finally:
        await books.pool.execute("UPDATE transaction SET error = $2 WHERE request_id = $1", request_id, told)


async def test_a_vault_key_that_opens_nothing_is_a_finding(books: Books) -> None:
    done = await books.verify("--json", VOUCHERSWITCH_VAULT_KEY_FILE="other.key")
    assert done.code == 1
    assert [finding["name"] for finding in done.json["findings"]] == ["sealed_opens"]
    assert (await books.verify("--sample", "0", VOUCHERSWITCH_VAULT_KEY_FILE="other.key")).code == 0


async def test_a_fingerprint_that_is_not_the_codes_is_a_finding(books: Books) -> None:
    """The voucher is in the journal, and nobody who has its code can find it."""
    await books.pool.execute("UPDATE transaction SET fingerprint = substr(fingerprint, 2) WHERE kind = 1 AND state = 2")
    try:
        done = await books.verify("--json")
        assert [finding["name"] for finding in done.json["findings"]] == ["sealed_opens"]
        assert done.json["findings"][0]["examples"] == [str(books.requests.ids["approved"])]
    finally:
        code = books.requests.codes["approved"]
        fingerprint = vault_of(books.folder / "vault.key").fingerprint(code)
        await books.pool.execute("UPDATE transaction SET fingerprint = $1 WHERE kind = 1 AND state = 2", fingerprint)


async def test_a_trace_without_tomorrow_is_a_finding(books: Books) -> None:
    tomorrow = await books.pool.fetchval("SELECT to_char((now() AT TIME ZONE 'UTC')::date + 1, 'YYYYMMDD')")
    await books.pool.execute(f"DROP TABLE leg_{tomorrow}")
    try:
        done = await books.verify("--json")
        assert [finding["name"] for finding in done.json["findings"]] == ["trace_has_room"]
    finally:
        await books.pool.execute("SELECT make_leg_partitions($1)", LEG_PARTITION_DAYS)


async def test_what_cannot_be_found_out_is_neither_yes_nor_no(books: Books) -> None:
    """Exit code 2: no database, no vault key, another schema."""
    done = await books.verify(url=NOWHERE)
    assert (done.code, done.out) == (2, "")
    assert "database cannot be reached" in done.line
    done = await books.verify(VOUCHERSWITCH_VAULT_KEY_FILE="missing.key")
    assert (done.code, done.out) == (2, "")
    assert "missing.key" in done.line
    await books.pool.execute("ALTER TABLE alembic_version RENAME TO hidden")
    try:
        done = await books.verify()
        assert done.code == 2
        assert "lacks this release's migrations" in done.line
    finally:
        await books.pool.execute("ALTER TABLE hidden RENAME TO alembic_version")


async def test_a_time_that_is_none_is_refused_with_an_example(books: Books) -> None:
    done = await books.verify("--since", "yesterday")
    assert done.code == 2
    assert "yesterday is no time; write 30m, 24h, 7d" in done.line
