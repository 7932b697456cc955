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


async def agreed(desk: Desk, *arguments: str) -> str:
    """Ask, have ann agree; returns what came of it."""
    asked = (await desk.ok(*arguments, "--why", "as agreed on in the meeting", "--json")).json["request"]
    done = await desk.run("approval", "approve", asked["approval_id"], "--as", "ann", stdin=f"{PASSWORD}\n")
    assert done.code == 0, done.err + done.out
    return done.out


async def test_a_role_of_ones_own_is_made_changed_and_taken_out_by_two(desk: Desk) -> None:
    made = ("role", "create", "watch", "--permission", "alert.view", "--description", "Watches at night")
    assert "the role watch is as asked for" in await agreed(desk, *made)
    await agreed(desk, "role", "grant", "watch", "--permission", "alert.work", "--permission", "saf.view")
    await agreed(desk, "role", "take", "watch", "--permission", "saf.view")
    shown = (await desk.ok("role", "show", "watch", "--json")).json
    assert (shown["permissions"], shown["built_in"]) == (["alert.view", "alert.work"], False)
    assert "finance.approve" in (await desk.ok("role", "show", "watch")).out, "it says what the role may not, too"
    for line, said in (
        (made, "there is a role watch already"),
        (("role", "grant", "watch", "--permission", "alert.work"), "watch has alert.work"),
        (("role", "take", "watch", "--permission", "saf.view"), "watch has not saf.view"),
        (("role", "grant", "admin", "--permission", "finance.approve"), "admin is no custom role"),
        (("role", "grant", "watch", "--permission", "pin.reveal"), "granted to a person for a time, never by a role"),
        (("role", "grant", "watch", "--permission", "audit.export"), "whoever audits changes nothing"),
        (("role", "delete", "teller"), "there is no custom role teller"),
    ):  # fmt: skip
        refused = await desk.run(*line, "--why", "as agreed on in the meeting")
        assert (refused.code, said in refused.line) == (1, True), refused.line
    assert "is gone" in await agreed(desk, "role", "delete", "watch")
    assert (await desk.run("role", "show", "watch")).code == 3


async def test_pins_may_be_revealed_for_a_time_by_who_holds_the_role_for_it(desk: Desk) -> None:
    refused = await desk.run("user", "grant-pins", "ann", "--days", "3", "--why", "slips do not print")
    assert "holds none of the roles support" in refused.line
    refused = await desk.run("user", "grant-pins", "joe", "--days", "31", "--why", "slips do not print")
    assert "1 to 30 days" in refused.line
    await agreed(desk, "user", "grant-pins", "joe", "--days", "3")
    shown = (await desk.ok("user", "show", "joe", "--json")).json
    assert shown["pins_until"] is not None
    assert "pin.reveal" in shown["permissions"]
    assert "no PINs any more" in (await desk.ok("user", "revoke-pins", "joe", "--reason", "slips print again")).out
    assert "had no grant" in (await desk.ok("user", "revoke-pins", "joe", "--reason", "once more")).out
    assert "pin.reveal" not in (await desk.ok("user", "show", "joe", "--json")).json["permissions"]


async def test_two_active_admins_are_needed_in_production(desk: Desk) -> None:
    assert "1 active admins, 1 needed: ann." in (await desk.ok("user", "check")).out
    for variables, code, single in (
        ({"VOUCHERSWITCH_ENVIRONMENT": "production"}, 1, False),
        ({"VOUCHERSWITCH_ENVIRONMENT": "production", "VOUCHERSWITCH_CONSOLE_SINGLE_ADMIN": "true"}, 0, True),
    ):
        env, desk.env = desk.env, desk.env | variables
        try:
            said, found = await desk.run("user", "check"), await desk.run("user", "check", "--json")
        finally:
            desk.env = env
        assert (said.code, found.code, found.json["single"]) == (code, code, single)
        assert found.json["active"] == ["ann"]
        if code:
            assert "2 active admins are needed, and there are 1 (ann): make one with" in said.line


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
