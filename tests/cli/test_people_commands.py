"""`voucherswitch user`, `role` and `approval`, typed by two people at a terminal."""

import json
from collections.abc import AsyncIterator

import asyncpg
import pytest

from cli.cli_support import Terminal, open_folder
from cli.test_audit_commands import Desk
from support.vault import vault_of
from voucherswitch.journal.embedded import EmbeddedPostgres

PASSWORD = "baobab tram 7 lemon"


@pytest.fixture(scope="module")
async def desk(terminal: Terminal) -> AsyncIterator[Desk]:
    with open_folder() as folder, EmbeddedPostgres(folder / "data") as server:
        vault_of(folder / "vault.key")
        typing = Desk(folder, server.url, terminal)
        await typing.ok("db", "migrate")
        yield typing


async def test_the_first_admin_is_invited_on_the_host_and_the_next_user_needs_two(desk: Desk) -> None:
    invited = (await desk.ok("user", "invite", "ann", "--role", "admin", "--json")).json
    token = invited["invitation"]
    done = await desk.run("user", "set-up", "ann", stdin=f"{token}\n{PASSWORD}\n{PASSWORD}\n")
    assert (done.code, done.out) == (0, "ann can sign in.\n"), done.err
    again = await desk.run("user", "set-up", "ann", stdin=f"{token}\n{PASSWORD}\n{PASSWORD}\n")
    assert again.code == 1
    assert "used up" in again.err

    without = await desk.run("user", "invite", "joe", "--role", "support")
    assert "add --why" in without.line
    asked = await desk.ok("user", "invite", "joe", "--role", "support", "--why", "new in the service desk")
    assert "Asked for, as a-1" in asked.out
    waiting = (await desk.ok("approval", "list", "--json")).json
    assert [(one["approval_id"], one["state"]) for one in waiting] == [("a-1", "REQUESTED")]
    wrong = await desk.run("approval", "approve", "a-1", "--as", "ann", stdin="not the password\n")
    assert wrong.code == 1
    assert "not right" in wrong.err
    agreed = await desk.run("approval", "approve", "a-1", "--as", "ann", "--json", stdin=f"{PASSWORD}\n")
    assert agreed.code == 0, agreed.err
    assert json.loads(agreed.out)["state"] == "EXECUTED"
    assert "good once" in (await desk.ok("user", "invite", "joe")).out
    shown = (await desk.ok("user", "show", "joe", "--json")).json
    assert shown["roles"] == ["support"]
    assert "voucher.hold" in shown["permissions"]
    assert (await desk.run("user", "show", "nobody")).code == 3


async def test_a_change_is_rejected_withdrawn_and_refused_to_who_may_not(desk: Desk) -> None:
    await desk.ok("user", "roles", "joe", "--role", "viewer", "--why", "leaves the service desk")
    rejected = await desk.run(
        "approval", "reject", "a-2", "--as", "ann", "--comment", "he stays until June", stdin=f"{PASSWORD}\n"
    )
    assert rejected.code == 0, rejected.err
    await desk.ok("user", "unlock", "joe", "--why", "he has called and is himself")
    await desk.ok("approval", "withdraw", "a-3")
    states = {one["approval_id"]: one["state"] for one in (await desk.ok("approval", "list", "--all", "--json")).json}
    assert states == {"a-1": "EXECUTED", "a-2": "REJECTED", "a-3": "WITHDRAWN"}
    assert (await desk.ok("approval", "show", "a-2", "--json")).json["decision_comment"] == "he stays until June"
    assert "no request a-9" in (await desk.run("approval", "show", "a-9")).line


async def test_a_user_is_disabled_at_once_and_the_last_admin_is_not(desk: Desk) -> None:
    await desk.ok("user", "disable", "joe", "--reason", "laptop stolen")
    assert "too few active admins" in (await desk.run("user", "disable", "ann", "--reason", "a slip")).line
    table = (await desk.ok("user", "list")).out
    assert "disabled" in table
    assert "ann" in table


async def test_roles_are_listed_with_what_they_may(desk: Desk) -> None:
    listed = {one["role"]: one for one in (await desk.ok("role", "list", "--json")).json}
    assert listed["admin"]["users"] == 1
    assert "user.approve" in listed["admin"]["permissions"]
    assert "finance.approve" not in listed["admin"]["permissions"]


async def test_all_of_it_is_in_the_trail_and_no_password_is(desk: Desk) -> None:
    export = (await desk.ok("audit", "export")).out
    for action in ("user.create", "user.invite", "approval.request", "approval.execute", "approval.reject",
                   "approval.withdraw", "user.disable", "user.sign_in_failed"):  # fmt: skip
        assert f'"{action}"' in export
    owner = await asyncpg.connect(desk.url)
    rows = str(await owner.fetch("SELECT * FROM approval")) + str(await owner.fetch("SELECT * FROM invitation"))
    await owner.close()
    assert PASSWORD not in export + rows
    assert (await desk.ok("audit", "verify", "--json")).json["holds"] is True
