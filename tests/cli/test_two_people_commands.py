"""Production: what two people must agree on, typed at a terminal. The development way is test_audit_commands.py's."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from cli.cli_support import Done, Terminal, open_folder
from cli.test_audit_commands import Desk
from people.people_support import PASSWORD, PRODUCTION, Office
from support.vault import vault_of
from voucherswitch.journal.embedded import EmbeddedPostgres
from voucherswitch.people.people import People
from voucherswitch.security.passwords import verify_password

FIRST, SECOND, LEAKED = "first-Baobab-77", "second-Baobab-78", "never-Baobab-79"


class Counter(Desk):
    """A desk in production, with people who may agree."""

    def __init__(self, folder: Path, url: str, terminal: Terminal, pool: asyncpg.Pool) -> None:
        super().__init__(folder, url, terminal)
        self.env["VOUCHERSWITCH_ENVIRONMENT"] = "production"
        self.office = Office(pool, PRODUCTION)
        self.office.people = People(pool, vault_of(folder / "vault.key"), PRODUCTION)

    async def approve(self, approval_id: str, name: str) -> Done:
        """Agree, with password and code."""
        await self.office.pool.execute("UPDATE operator_user SET factor_step = 0 WHERE name = $1", name)
        code = await self.office.code(name)
        return await self.run("approval", "approve", approval_id, "--as", name, stdin=f"{PASSWORD}\n{code}\n")

    async def asked(self, *arguments: str) -> str:
        """Type a command that must ask; returns the request's id."""
        done = await self.ok(*arguments, "--why", "as agreed on with the shops")
        assert done.out.startswith("Not done yet. Asked for, as a-"), done.out
        return done.out.split("as ", 1)[1].split(":")[0]

    async def agreed(self, *arguments: str, by: str = "cal") -> Done:
        """Ask, have it agreed to, do it."""
        answer = await self.approve(await self.asked(*arguments), by)
        assert answer.code == 0, answer.err
        assert "may do it now, by the command that asked for it" in answer.out
        return await self.ok(*arguments)

    async def password_is(self, password: str) -> bool:
        """Whether an originator's password is this one."""
        stored = await self.office.pool.fetchval("SELECT password_hash FROM originator WHERE originator_id = '7777'")
        return await asyncio.to_thread(verify_password, stored, password)


@pytest.fixture(scope="module")
async def counter(terminal: Terminal) -> AsyncIterator[Counter]:
    with open_folder() as folder, EmbeddedPostgres(folder / "data") as server:
        vault_of(folder / "vault.key")
        async with asyncpg.create_pool(server.url, min_size=1, max_size=2) as pool:
            typing = Counter(folder, server.url, terminal, pool)
            await typing.ok("db", "migrate")
            await typing.ok("originator", "add", "7777", "--name", "Baobab", "--password", FIRST)  # nobody could agree
            await typing.office.hire("ann", "admin", with_factor=True)
            await typing.office.hire("cal", "configurer", with_factor=True)
            yield typing


async def test_a_password_is_set_when_a_second_person_has_agreed_and_waits_nowhere(counter: Counter) -> None:
    without = await counter.run("originator", "password", "7777", "--password", LEAKED)
    assert (without.code, "add --why" in without.line) == (1, True)
    request = await counter.asked("originator", "password", "7777", "--password", LEAKED)
    again = await counter.run("originator", "password", "7777", "--why", "as agreed on with the shops")
    assert (again.code, f"approval show {request}" in again.line) == (1, True)
    early = await counter.run("originator", "password", "7777", "--password", LEAKED)
    assert (early.code, f"{request} waits for somebody else to agree" in early.line) == (1, True)
    assert await counter.password_is(FIRST), "nothing is done before somebody agrees"
    shown = (await counter.ok("approval", "show", request, "--json")).json
    assert (shown["before"], shown["after"]) == ({"password": "set"}, {"password": "changed"})
    assert (await counter.approve(request, "cal")).code == 0
    assert await counter.password_is(FIRST), "who asked does it"
    await counter.ok("originator", "password", "7777", "--password", SECOND)
    assert await counter.password_is(SECOND)
    once = await counter.run("originator", "password", "7777", "--password", FIRST)
    assert (once.code, "add --why" in once.line) == (1, True)
    trail = [event for event in await counter.events("credential.issue") if event["approval_id"] == request]
    assert [event["actor_kind"] for event in trail] == ["cli"]
    decided = [event for event in await counter.events("approval.approve") if event["approval_id"] == request]
    assert [event["actor_id"] for event in decided] == [(await counter.office.user("cal")).user_id]
    told = (await counter.ok("audit", "export")).out
    told += str(await counter.office.pool.fetch("SELECT approval::text FROM approval"))
    assert not [word for word in (FIRST, SECOND, LEAKED, "argon2") if word in told]


async def test_a_password_is_typed_only_when_it_may_be_set(counter: Counter) -> None:
    request = await counter.asked("originator", "password", "7777")
    await counter.approve(request, "ann")
    typed = await counter.run("originator", "password", "7777", stdin=f"{FIRST}\n{FIRST}\n")
    assert (typed.code, await counter.password_is(FIRST)) == (0, True), typed.err


async def test_sources_wait_and_an_unrelated_change_in_between_does_not_make_them_stale(counter: Counter) -> None:
    line = ("originator", "set", "7777", "--source", "203.0.113.0/28")
    await counter.approve(await counter.asked(*line), "cal")
    await counter.agreed("originator", "set", "7777", "--deadline-s", "30")
    await counter.ok(*line)
    row = await counter.office.pool.fetchrow("SELECT sources, deadline_s FROM originator WHERE originator_id = '7777'")
    assert row is not None
    assert ([str(one) for one in row["sources"]], row["deadline_s"]) == (["203.0.113.0/28"], 30)
    [event] = await counter.events("allowlist.change")
    assert (event["before"], event["after"]) == ({"sources": None}, {"sources": ["203.0.113.0/28"]})


async def test_what_can_still_go_wrong_leaves_the_agreement_standing(counter: Counter) -> None:
    line = ("originator", "client", "add", "7777", "--client-id", "stock-app")
    await counter.approve(await counter.asked(*line), "cal")
    await counter.office.pool.execute("ALTER TABLE oauth_client ADD CONSTRAINT shut CHECK (false)")
    assert (await counter.run(*line)).code == 1
    await counter.office.pool.execute("ALTER TABLE oauth_client DROP CONSTRAINT shut")
    shown = await counter.ok(*line, "--json")
    assert set(shown.json) == {"client_id", "client_secret"}


async def test_whoever_asked_on_the_host_does_not_agree_as_a_user(counter: Counter) -> None:
    name = (await counter.events("migration.run"))[0]["actor_id"].partition(":")[2].rpartition("@")[0]
    await counter.office.hire(name, "configurer", with_factor=True)
    request = await counter.asked("originator", "client", "rotate", "7777", "stock-app")
    refused = await counter.approve(request, name)
    assert (refused.code, "does not decide" in refused.err) == (1, True)
    await counter.ok("approval", "withdraw", request)


async def test_everything_that_decides_who_sells_what_where_waits(counter: Counter) -> None:
    receiver = ("receiver", "add", "77777777", "--name", "Marula", "--settlement-id", "1", "--settlement-name", "S")
    await counter.agreed(*receiver)
    provider = ("provider", "set", "mobi", "--connector", "flash")
    key = f"{'a' * 64}"
    certificate = ("originator", "certificate", "add", "7777", "--fingerprint", key)
    product = ("product", "add", "GIFT75", "--receiver", "77777777", "--name", "Gift", "--amount", "75")
    await counter.agreed(*product)
    await counter.agreed(*certificate)
    await counter.agreed("originator", "certificate", "remove", "7777", "--fingerprint", key, "--password-alone")
    table = counter.folder / "more.csv"
    table.write_text("product_id,receiver_id,name,amount\nGIFT80,77777777,Gift,80\n", encoding="utf-8")
    await counter.approve(await counter.asked("product", "import", str(table)), "cal")
    await counter.agreed("product", "add", "GIFT80", "--receiver", "77777777", "--name", "Other", "--amount", "81")
    moved = await counter.run("product", "import", str(table))
    assert (moved.code, "add --why" in moved.line) == (1, True), "what it replaces is not what it was"
    assert "1 products imported" in (await counter.agreed("product", "import", str(table))).out
    assert (await counter.run(*provider)).code == 1  # its settings lack: nobody is asked for what cannot be
    assert await counter.office.pool.fetchval("SELECT count(*) FROM approval WHERE object_id = 'mobi'") == 0


async def test_stopping_waits_for_nobody(counter: Counter) -> None:
    await counter.ok("originator", "client", "disable", "7777", "stock-app")
    await counter.ok("originator", "client", "remove", "7777", "stock-app")
    await counter.ok("token", "revoke", "--originator", "7777")
    await counter.ok("originator", "set", "7777", "--disabled")
    assert (await counter.run("originator", "set", "7777", "--enabled")).code == 1
    await counter.ok("product", "add", "GIFT75", "--receiver", "77777777", "--name", "G", "--amount", "75",
                     "--disabled", "--replace")  # fmt: skip
    assert (await counter.ok("audit", "verify", "--json")).json["holds"] is True
