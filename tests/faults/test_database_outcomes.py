"""Outcomes that this process knows and the database could not take: kept, and written as late answers when it is back.

The switch worker of these tests reaches the database through a door of its own, so that the rest of the world, another
worker included, goes on meanwhile.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from support.kinds import KINDS, LONG_MS, PROVISION, Kind, running
from support.messages import Json, a_redemption, a_reversal, a_tender_confirmation
from support.originators import SINGLE_HELD, TILL, Originator
from support.proxy import DatabaseDoor
from support.switch import Switch
from support.till import Till
from voucherswitch.message.states import State


@dataclass
class Behind:
    """A worker behind a door, and the world in front of it."""

    switch: Switch
    door: DatabaseDoor
    till: Till

    def by(self, originator: Originator) -> Till:
        """Another originator at the same worker."""
        return Till(self.switch, originator, self.till.client)


@pytest.fixture(scope="module")
async def behind() -> AsyncIterator[Behind]:
    """A worker whose way to the database a test may close."""
    async with (
        Switch.start() as switch,
        DatabaseDoor(switch.folder / "door", switch.database_socket) as door,
        switch.extra_worker(database_url=door.url) as client,
    ):
        till = Till(switch, TILL, client)
        await till.a_provisioned()  # the password is verified once
        yield Behind(switch, door, till)


async def _unrecorded(behind: Behind, till: Till, kind: Kind) -> Json:
    """A request that the provider does while the worker has no database; its originator is told 500, unknown."""
    request, answering = await running(till, behind.switch.simulator, kind)
    await behind.door.shut()
    await behind.switch.simulator.advance(LONG_MS)
    answer = await answering
    assert (answer.status, answer.error_type) == (500, "GENERAL_ERROR"), answer
    assert await behind.switch.state(request["id"]) == "PENDING"
    return request


@KINDS
async def test_what_could_not_be_recorded_is_approved_when_the_database_is_back(behind: Behind, kind: Kind) -> None:
    """With its trace, and found by a retry: the provider is not asked once more."""
    request = await _unrecorded(behind, behind.till, kind)
    await behind.door.open()
    await behind.switch.reaches(request["id"], State.APPROVED)
    legs = await behind.switch.rows("SELECT operation FROM leg WHERE request_id = $1 AND direction = 2", request["id"])
    assert len(legs) == 1
    if kind is PROVISION:
        retried = await behind.till.retry(request)
        voucher = await behind.switch.simulator.voucher(reference=request["id"])
        assert (retried.status, voucher is not None and voucher["code"]) == (201, retried.code)
    assert len(await behind.switch.simulator.calls(request["id"], kind.op)) == 1


@KINDS
async def test_a_single_message_originator_that_was_told_500_gets_no_voucher(behind: Behind, kind: Kind) -> None:
    """It will not come back for it: the switch reverses at once, and the provider hears it."""
    request = await _unrecorded(behind, behind.by(SINGLE_HELD), kind)
    await behind.door.open()
    await behind.switch.reaches(request["id"], State.REVERSED)
    await behind.switch.simulator.takes(request["id"], kind.reverse_op)


async def test_a_decline_that_could_not_be_recorded_is_recorded_later(behind: Behind) -> None:
    """It frees the voucher that a redemption holds."""
    sold = await behind.till.a_confirmed()
    request = await _declined_while_away(behind, sold.code)
    await behind.door.open()
    await behind.switch.reaches(request["id"], State.DECLINED)
    assert (await behind.till.redeem(sold.code)).status == 201


async def _declined_while_away(behind: Behind, code: str) -> Json:
    request = a_redemption(behind.till.by, code=code, cents=99_999)
    await behind.switch.simulator.fault("delay", "redeem", request["id"], ms=1_000)
    answering = asyncio.create_task(behind.till.post("/redemptions", request))
    await behind.switch.simulator.hears(request["id"], "redeem")
    await behind.door.shut()
    assert (await answering).status == 500
    return request


async def test_a_reversal_that_came_first_stands(behind: Behind) -> None:
    """The originator, told 500, reverses through another worker; the kept approval must not bring the voucher back."""
    request = await _unrecorded(behind, behind.till, PROVISION)
    assert (await Till(behind.switch, TILL).reverse_voucher(request["id"])).status == 202
    await behind.door.open()
    await behind.switch.simulator.takes(request["id"], "reverse")
    assert await behind.switch.state(request["id"]) == "REVERSED"
    # What the provider gave is kept all the same: it is what the reversal is about.
    record = await behind.switch.record(request["id"])
    assert record is not None
    assert record["answer"] is not None


async def test_kept_outcomes_are_written_before_the_worker_ends(behind: Behind) -> None:
    """The stop waits for the database; nothing that is known is lost with the process."""
    door = DatabaseDoor(behind.switch.folder / "door2", behind.switch.database_socket)
    async with door:
        async with behind.switch.extra_worker(database_url=door.url) as client:
            till = Till(behind.switch, TILL, client)
            await till.a_provisioned()
            request = await _unrecorded(Behind(behind.switch, door, till), till, PROVISION)
            await door.open()
        assert await behind.switch.state(request["id"]) == "APPROVED"


async def test_what_cannot_be_written_at_the_end_is_in_the_log_for_an_operator(switch_log: Any) -> None:
    """Everything it takes to settle it, and nothing that could be spent."""
    switch, request, log = switch_log
    voucher = await switch.simulator.voucher(reference=request["id"])
    assert voucher is not None
    lines = [line for line in log.splitlines() if "outcome lost" in line]
    assert len(lines) == 1, log
    for fact in (request["id"], "Approved", "provider=sandbox", "serial=SX", "provider_ref=", "amount_cents=10000"):
        assert fact in lines[0], fact
    assert voucher["code"] not in log


@pytest.fixture
async def switch_log(behind: Behind) -> Any:
    """The log of a worker that was stopped while its database stayed away."""
    async with DatabaseDoor(behind.switch.folder / "door3", behind.switch.database_socket) as door:
        async with behind.switch.extra_worker(database_url=door.url, DRAIN_S="1") as client:
            till = Till(behind.switch, TILL, client)
            await till.a_provisioned()
            request = await _unrecorded(Behind(behind.switch, door, till), till, PROVISION)
        port = client.root.rpartition(":")[2]
        return behind.switch, request, (behind.switch.folder / f"switch-{port}.log").read_text()


# Each statement that carries the request's id, broken off before the server heard of it, and after it was done.
_STATEMENTS = pytest.mark.parametrize("number", range(3))
_MOMENTS = pytest.mark.parametrize("answered", [False, True], ids=["before_commit", "after_commit"])


@KINDS
@_STATEMENTS
@_MOMENTS
async def test_a_connection_that_breaks_at_a_statement_changes_no_answer(
    behind: Behind, kind: Kind, number: int, answered: bool
) -> None:
    """The statement runs again on another connection, and its guards make the second run harmless."""
    request = await kind.request(behind.till)
    cut = behind.door.cut_at(UUID(request["id"]).bytes, skip=number, answered=answered)
    answer = await behind.till.post(kind.path, request)
    assert answer.status == 201, answer
    assert await behind.switch.state(request["id"]) == "APPROVED"
    assert len(await behind.switch.simulator.calls(request["id"], kind.op)) == 1
    assert cut() or number == 2, "a request takes at least two statements"


@_STATEMENTS
@_MOMENTS
@pytest.mark.parametrize("path", ["confirmations", "reversals"])
async def test_an_advice_is_taken_once_whatever_statement_breaks(
    behind: Behind, path: str, number: int, answered: bool
) -> None:
    """An acknowledged advice is there once; one that heard 5xx is sent again, and then it is there once."""
    sold = await behind.till.a_provisioned()
    advice = a_reversal(sold.id) if path == "reversals" else a_tender_confirmation(sold.id)
    behind.door.cut_at(UUID(sold.id).bytes, skip=number, answered=answered)
    answer = await behind.till.post(f"/vouchers/{path}", advice)
    assert answer.status == 202, answer
    assert len(await behind.switch.advices(sold.id)) == 1
