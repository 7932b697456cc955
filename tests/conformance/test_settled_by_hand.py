"""An operator settles what no message can find out: guarded, once, with a name, a reason and evidence."""

import asyncio
import os
import subprocess
import sys

import asyncpg
import pytest

from people.people_support import PRODUCTION, Office
from support.expect import refused
from support.kinds import KINDS, PROVISION, REDEMPTION, Kind, lost
from support.messages import a_reversal
from support.originators import SINGLE_HASTY
from support.simulator import SimulatorControl
from support.switch import Switch
from support.till import Till
from voucherswitch.message.states import State
from voucherswitch.people import approvals
from voucherswitch.people.people import People

GROUNDS = ("--reason", "the provider says so", "--evidence", "sandbox_20261122.csv, line 7")


async def command(switch: Switch, *words: str, **variables: str) -> tuple[int, str]:
    """Run the command line; returns its exit code and what it said."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("VOUCHERSWITCH_")}
    env |= {"DATABASE_URL": switch.database_url, "VOUCHERSWITCH_DATA_DIR": str(switch.folder / "data")}
    env |= variables
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-m", "voucherswitch", *words], env=env, capture_output=True, text=True
    )
    return done.returncode, done.stdout + done.stderr


@KINDS
async def test_declined_by_hand_frees_what_it_held(
    till: Till, switch: Switch, simulator: SimulatorControl, kind: Kind
) -> None:
    request = await lost(till, simulator, kind, "drop_before")

    code, said = await command(switch, "resolve", request["id"], "--as", "declined", *GROUNDS)

    assert (code, await switch.state(request["id"])) == (0, "DECLINED"), said
    again = request | {"id": a_reversal(request["id"])["id"]}
    assert (await till.post(kind.path, again)).status == 201
    (row,) = await switch.rows("SELECT * FROM resolution WHERE request_id = $1", request["id"])
    assert (State(row["from_state"]), State(row["to_state"])) == (State.UNKNOWN, State.DECLINED)
    assert (row["reason"], row["evidence"]) == (GROUNDS[1], GROUNDS[3])
    assert row["resolved_by"]


@KINDS
async def test_reversed_by_hand_is_undone_at_the_provider(
    till: Till, switch: Switch, simulator: SimulatorControl, kind: Kind
) -> None:
    request = await lost(till, simulator, kind)

    code, said = await command(switch, "resolve", request["id"], "--as", "reversed", *GROUNDS)

    assert (code, await switch.state(request["id"])) == (0, "REVERSED"), said
    await simulator.takes(request["id"], kind.reverse_op)


async def test_a_redemption_that_was_done_stands(till: Till, switch: Switch, simulator: SimulatorControl) -> None:
    request = await lost(till, simulator, REDEMPTION)

    code, said = await command(switch, "resolve", request["id"], "--as", "approved", *GROUNDS)

    assert (code, await switch.state(request["id"])) == (0, "APPROVED"), said
    assert (await till.lookup_redemption(request["id"])).status == 200
    assert (await till.confirm_redemption(request["id"])).status == 202


async def test_a_provision_is_not_called_approved_without_its_code(
    till: Till, switch: Switch, simulator: SimulatorControl
) -> None:
    request = await lost(till, simulator, PROVISION)

    code, said = await command(switch, "resolve", request["id"], "--as", "approved", *GROUNDS)

    assert code == 1
    assert "nobody here has its voucher's code" in said
    assert await switch.state(request["id"]) == "UNKNOWN"


async def test_the_same_again_changes_nothing_and_another_word_is_refused(
    switch: Switch, simulator: SimulatorControl
) -> None:
    till = Till(switch, SINGLE_HASTY)
    request = await lost(till, simulator, PROVISION)
    for _ in range(2):
        code, said = await command(switch, "resolve", request["id"], "--as", "reversed", *GROUNDS)
        assert code == 0, said
    assert await switch.value("SELECT count(*) FROM resolution WHERE request_id = $1", request["id"]) == 1

    code, said = await command(switch, "resolve", request["id"], "--as", "declined", *GROUNDS)

    assert code == 1
    assert "REVERSED: only an unknown outcome is settled by hand" in said
    refused(
        await till.retry(request), 400, "VOUCHER_ALREADY_REVERSED", id=request["id"],
        original_id=str(await switch.value("SELECT reversal_id FROM transaction WHERE request_id = $1", request["id"])),
    )  # fmt: skip


async def test_what_an_operator_did_is_explained_and_cannot_be_changed(
    till: Till, switch: Switch, simulator: SimulatorControl
) -> None:
    request = await lost(till, simulator, PROVISION, "drop_before")
    await command(switch, "resolve", request["id"], "--as", "declined", *GROUNDS)

    code, said = await command(switch, "explain", request["id"])

    assert code == 0
    assert "settled as DECLINED by" in said
    assert GROUNDS[3] in said
    for change in ("UPDATE resolution SET reason = ''", "DELETE FROM resolution"):
        with pytest.raises(asyncpg.RaiseError, match="append-only"):
            await switch.pool.execute(change)


async def test_in_production_somebody_else_must_agree(till: Till, switch: Switch, simulator: SimulatorControl) -> None:
    request = await lost(till, simulator, PROVISION, "drop_before")
    key = str(switch.folder / "data" / "vault.key")
    production = {"VOUCHERSWITCH_ENVIRONMENT": "production", "VOUCHERSWITCH_VAULT_KEY_FILE": key}
    settling = ("resolve", request["id"], "--as", "declined", *GROUNDS)
    async with asyncpg.create_pool(switch.database_url, min_size=1, max_size=2) as pool:
        office = Office(pool, PRODUCTION)
        office.people = People(pool, switch.vault, PRODUCTION)
        await office.hire("fay", "finance_approver", with_factor=True)

        code, said = await command(switch, *settling, **production)
        assert (code, "Not done yet. Asked for, as a-" in said) == (0, True), said
        [row] = await pool.fetch("SELECT approval_id FROM approval WHERE state = 'REQUESTED'")
        assert await switch.state(request["id"]) == "UNKNOWN"
        session = await office.stepped_up("fay")
        async with pool.acquire() as connection:
            await approvals.approve(office.people, connection, session, row[0], "the file says so, as I have seen")

    assert await switch.state(request["id"]) == "UNKNOWN"
    code, said = await command(switch, *settling, **production)
    assert (code, await switch.state(request["id"])) == (0, "DECLINED"), said
    (ended,) = await switch.rows("SELECT state FROM approval WHERE approval_id = $1", row[0])
    assert ended["state"] == "EXECUTED"
    (told,) = await switch.rows(
        "SELECT action, actor_kind, before, after FROM audit_event WHERE approval_id = $1 AND actor_kind = 'cli'"
        " AND action NOT LIKE 'approval.%'",
        row[0],
    )
    assert (told["action"], told["actor_kind"]) == ("voucher.settle_unknown", "cli")
    assert "UNKNOWN" in told["before"].upper()
    assert "sandbox_20261122.csv" in told["after"]
