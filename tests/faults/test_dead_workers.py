"""A process dies or freezes in the middle of a call: its lease tells, and the resolver settles what it left open."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from pyreqwest.exceptions import RequestError

from support.kinds import KINDS, LONG_MS, PROVISION, Kind
from support.messages import Json
from support.originators import HASTY, SINGLE_HASTY, Originator
from support.switch import Switch
from support.till import Till
from support.waiting import eventually
from voucherswitch.message.states import State

SETTLED_WITHIN_S = 40.0


@pytest.fixture
async def switch() -> AsyncIterator[Switch]:
    """A switch that a test may kill, whose resolver asks as soon as it may."""
    settings = {"RESOLVE_FIRST_MS": "0", "WORKER_LEASE_S": "2", "RESOLVE_BACKOFF_MAX_MS": "2000"}
    async with Switch.start(settings=settings) as switch:
        yield switch


async def in_the_middle(switch: Switch, kind: Kind, by: Originator, fault: str) -> tuple[Json, "asyncio.Task[None]"]:
    """A request whose provider is at work on it; its originator will hear nothing."""
    till = Till(switch, by)
    request = await kind.request(till)
    await switch.simulator.fault(fault, kind.op, request["id"], ms=LONG_MS)

    async def ask() -> None:
        with suppress(RequestError):
            await till.post(kind.path, request)

    asking = asyncio.create_task(ask())
    await switch.simulator.hears(request["id"], kind.op)
    return request, asking


@KINDS
async def test_what_a_killed_worker_was_asking_for_is_found_by_the_resolver(switch: Switch, kind: Kind) -> None:
    request, asking = await in_the_middle(switch, kind, HASTY, "late")

    await switch.workers[0].kill()
    await asking
    assert await switch.state(request["id"]) in ("PENDING", "UNKNOWN")

    await switch.reaches(request["id"], State.APPROVED, within_s=SETTLED_WITHIN_S)
    assert len(await switch.simulator.taken(request["id"], kind.op)) == 1
    assert await switch.advices(request["id"]) == []


async def test_what_a_killed_worker_sold_to_a_single_message_originator_is_held_for_its_retry(switch: Switch) -> None:
    """It may still ask for its voucher; and if it does not, the reversal comes after single_confirm_delay_s."""
    request, asking = await in_the_middle(switch, PROVISION, SINGLE_HASTY, "late")
    await switch.workers[0].kill()
    await asking

    async def put_off() -> bool:
        sql = "SELECT resolve_at > now() + interval '30 minutes' FROM transaction WHERE request_id = $1"
        return bool(await switch.value(sql, request["id"]))

    await eventually(put_off, "the resolver that leaves it to its originator", within_s=SETTLED_WITHIN_S)
    await switch.set_originator(SINGLE_HASTY.id, single_confirm_delay_s=0)
    await switch.pool.execute("UPDATE transaction SET resolve_at = now() WHERE request_id = $1", request["id"])
    await switch.reaches(request["id"], State.REVERSED, within_s=SETTLED_WITHIN_S)
    await switch.simulator.takes(request["id"], "reverse")


async def test_a_worker_that_was_frozen_past_its_lease_changes_nothing_when_it_goes_on(switch: Switch) -> None:
    """The resolver has found the voucher meanwhile; the answer that the frozen worker holds is the same, too late."""
    request, asking = await in_the_middle(switch, PROVISION, HASTY, "late")
    switch.workers[0].signal(signal.SIGSTOP)
    try:
        await switch.simulator.advance(LONG_MS)
        await switch.reaches(request["id"], State.APPROVED, within_s=SETTLED_WITHIN_S)
    finally:
        switch.workers[0].signal(signal.SIGCONT)
    await asking

    await switch.ready()
    till = Till(switch, HASTY)
    voucher = await switch.simulator.voucher(reference=request["id"])
    assert voucher is not None
    retried = await till.retry(request)
    assert (retried.status, retried.code) == (201, voucher["code"])
    assert await switch.state(request["id"]) == "APPROVED"
    assert await switch.advices(request["id"]) == []
    assert len(await switch.simulator.taken(request["id"], "provision")) == 1

    async def lives_again() -> bool:
        sql = "SELECT count(*) = 1 FROM worker WHERE role = 'switch' AND expires_at > now()"
        return bool(await switch.value(sql))

    await eventually(lives_again, "the lease of the worker that went on")


async def test_a_worker_that_stops_in_order_leaves_no_lease(switch: Switch) -> None:
    await switch.workers[0].stop()
    assert await switch.value("SELECT count(*) FROM worker WHERE role = 'switch'") == 0
    switch.workers.clear()
