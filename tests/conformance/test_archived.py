"""An id stays taken when its request is archived: what comes late is answered by the rules, and nothing is sent."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import asyncpg
import pytest

from support.expect import refused
from support.messages import a_confirmation, a_provision, a_refund, a_reversal, a_tender_confirmation, new_id
from support.originators import OTHER
from support.simulator import SimulatorControl
from support.switch import Switch
from support.till import Sale, Till
from support.waiting import eventually
from voucherswitch.journal import invariants
from voucherswitch.journal.archive import find
from voucherswitch.journal.archive.run import Archiver, Policy

POLICY = Policy(closed_days=180, voucher_days=1_100)

Archive: TypeAlias = Callable[..., Awaitable[None]]


@pytest.fixture
def archive(switch: Switch) -> Archive:
    """Make some requests old, and archive them; other tests' are too young."""

    root = switch.folder / "archive"

    async def settled(ids: list[str]) -> bool:
        return not await switch.value("SELECT count(*) FROM advice WHERE request_id = ANY ($1) AND state = 1", ids)

    async def archive(*ids: str) -> None:
        await eventually(lambda: settled(list(ids)), "what is owed is delivered", within_s=30)
        pool: asyncpg.Pool = switch.pool
        for table, column, key in (
            ("transaction", "opened_at", "request_id"),
            ("transaction", "changed_at", "request_id"),
            ("advice", "finished_at", "request_id"),
            ("voucher", "changed_at", "provision_id"),
        ):
            await pool.execute(
                f"UPDATE {table} SET {column} = {column} - interval '200 days' WHERE {key} = ANY ($1)", list(ids)
            )
        async with pool.acquire() as connection:
            for _ in range(2):  # a voucher's redemptions follow their provision
                await Archiver(connection, root, POLICY).run()
            left = await connection.fetchval(
                "SELECT count(*) FROM transaction WHERE request_id = ANY ($1) AND archived_in IS NULL", list(ids)
            )
            assert left == 0
            assert [item for item in await find.verify(connection, root) if item.wrong] == []
            assert await invariants.check(connection) == []

    return archive


async def a_used_one(till: Till, archive: Archive) -> Sale:
    """A voucher that was sold and used up long ago."""
    sale = await till.a_used()
    await archive(sale.id, sale.redemption_id)
    return sale


async def test_a_confirmed_request_that_is_archived_is_answered_by_the_rules(
    till: Till, switch: Switch, simulator: SimulatorControl, archive: Archive
) -> None:
    sale = await a_used_one(till, archive)
    asked = await simulator.ops(sale.id)

    refused(await till.post("/vouchers", sale.request), 400, "DUPLICATE_RECORD", "Duplicate UUID.", id=sale.id)
    refused(await till.retry(sale.request), 400, "DUPLICATE_RECORD", id=sale.id)
    again = a_tender_confirmation(sale.id)
    assert (await till.post("/vouchers/confirmations", again)).status == 202
    assert (await till.post("/vouchers/confirmations", again)).status == 202
    assert sale.confirmation is not None
    assert (await till.post("/vouchers/confirmations", sale.confirmation)).status == 202
    reversal = a_reversal(sale.id)
    refused(
        await till.post("/vouchers/reversals", reversal), 400, "VOUCHER_ALREADY_CONFIRMED", id=reversal["id"],
        original_id=sale.id,
    )  # fmt: skip
    assert await simulator.ops(sale.id) == asked, "nobody was told anything"
    assert await switch.state(sale.id) == "CONFIRMED"


async def test_an_advice_id_of_an_archived_request_serves_no_other(till: Till, archive: Archive) -> None:
    sale = await a_used_one(till, archive)
    assert sale.confirmation is not None
    other = await till.a_provisioned()
    taken = a_tender_confirmation(other.id) | {"id": sale.confirmation["id"]}
    refused(
        await till.post("/vouchers/confirmations", taken), 400, "DUPLICATE_RECORD", id=taken["id"], original_id=other.id
    )


async def test_an_archived_redemption_is_refused_again_and_cannot_be_looked_up_any_more(
    till: Till, archive: Archive
) -> None:
    sale = await a_used_one(till, archive)
    assert sale.redemption is not None
    refused(await till.post("/redemptions", sale.redemption), 400, "VOUCHER_NOT_REDEEMABLE", id=sale.redemption_id)
    assert (await till.lookup_redemption(sale.redemption_id)).status == 404
    confirmation = a_confirmation(sale.redemption_id)
    answer = await till.post("/redemptions/confirmations", confirmation)
    refused(answer, 400, "VOUCHER_NOT_REDEEMED", id=confirmation["id"], original_id=sale.redemption_id)
    refund = a_refund(till.by, code=sale.code)
    refused(await till.post("/refunds", refund), 400, "INVALID_VOUCHER", id=refund["id"])


async def test_an_archived_reversal_still_refuses_its_request(
    till: Till, simulator: SimulatorControl, archive: Archive
) -> None:
    sale = await till.a_provisioned()
    reversal = a_reversal(sale.id)
    assert (await till.post("/vouchers/reversals", reversal)).status == 202
    early = a_reversal(new_id())
    assert (await till.post("/vouchers/reversals", early)).status == 404
    await archive(sale.id, early["requestId"])
    asked = await simulator.ops(sale.id)

    refused(await till.post("/vouchers", sale.request), 400, "DUPLICATE_RECORD", id=sale.id)
    refused(await till.retry(sale.request), 400, "VOUCHER_ALREADY_REVERSED", id=sale.id, original_id=reversal["id"])
    assert (await till.post("/vouchers/reversals", a_reversal(sale.id))).status == 202
    assert await simulator.ops(sale.id) == asked
    late = a_provision() | {"id": early["requestId"]}
    refused(await till.post("/vouchers", late), 400, "VOUCHER_ALREADY_REVERSED", id=late["id"], original_id=early["id"])
    assert await simulator.ops(late["id"]) == []


async def test_an_archived_decline_stays_a_decline(till: Till, simulator: SimulatorControl, archive: Archive) -> None:
    request = a_provision(product="SBXDECLINE02")
    refused(await till.post("/vouchers", request), 400, "INVALID_AMOUNT", id=request["id"])
    await archive(request["id"])
    asked = await simulator.ops(request["id"])

    refused(await till.post("/vouchers", request), 400, "DUPLICATE_RECORD", id=request["id"])
    refused(await till.retry(request), 400, "DUPLICATE_RECORD", id=request["id"])
    assert (await till.post("/vouchers/reversals", a_reversal(request["id"]))).status == 404
    assert (await till.post("/vouchers/confirmations", a_tender_confirmation(request["id"]))).status == 404
    assert await simulator.ops(request["id"]) == asked


async def test_another_originator_learns_of_an_archived_id_only_that_it_is_taken(
    till: Till, switch: Switch, archive: Archive
) -> None:
    sale = await a_used_one(till, archive)
    other = Till(switch, OTHER)
    refused(await other.post("/vouchers", a_provision(OTHER) | {"id": sale.id}), 400, "DUPLICATE_RECORD", id=sale.id)
    advice = a_reversal(sale.id)
    assert (await other.post("/vouchers/reversals", advice)).status == 404
