"""kill -9 in the middle of the work: what a provider issued is known to us, whatever moment we died at.

A switch of this tier's own: its worker dies, and so does its store-and-forward sender.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from pyreqwest.exceptions import RequestError

from support.client import Answer
from support.messages import Json, a_confirmation, a_provision
from support.switch import Switch
from support.waiting import eventually
from voucherswitch.message.states import State

PROVISIONS = 500
ANSWERED_BEFORE_THE_KILL = 60


@pytest.fixture
async def switch() -> AsyncIterator[Switch]:
    """A switch that a test may kill."""
    async with Switch.start() as switch:
        yield switch


async def test_a_killed_worker_loses_no_voucher_and_doubles_none(switch: Switch) -> None:
    """500 provisions at once, and the worker dies among them. Afterwards every voucher that the provider issued is in
    the journal: approved, or open and listed as unresolved; and the retry of each open one gives that very voucher."""
    await switch.client.post("/vouchers", a_provision())  # the password is verified once, before the rush
    requests = [a_provision(cents=10_000) for _ in range(PROVISIONS)]
    answers: dict[str, Answer] = {}
    under_way = asyncio.Event()

    async def sell(request: Json) -> None:
        with suppress(RequestError):  # the till hears nothing: its outcome is unknown to it
            answers[request["id"]] = await switch.client.post("/vouchers", request)
        if len(answers) >= ANSWERED_BEFORE_THE_KILL:
            under_way.set()

    async def kill_in_the_middle() -> None:
        async with asyncio.timeout(30):
            await under_way.wait()
        await switch.workers[0].kill()

    await asyncio.gather(kill_in_the_middle(), *(sell(request) for request in requests))
    assert ANSWERED_BEFORE_THE_KILL <= len(answers) < PROVISIONS, "the kill came in the middle"
    switch.workers.clear()
    switch.start_worker()
    await switch.ready()

    states = await _states(switch)
    open_ids = await _unresolved(switch)
    missing, doubled = [], []
    for request in requests:
        voucher = await switch.simulator.voucher(reference=request["id"])
        issued = await switch.simulator.taken(request["id"], "provision")
        if len(issued) > 1:
            doubled.append(request["id"])
        if voucher is None:
            continue
        state = states.get(request["id"])
        if state is None or (state in (State.PENDING, State.UNKNOWN) and request["id"] not in open_ids):
            missing.append((request["id"], state))
        answer = answers.get(request["id"])
        if answer is not None and answer.status == 201:
            assert state is State.APPROVED
            assert answer.code == voucher["code"], "the owner holds the voucher that was issued"
    assert doubled == []
    assert missing == []

    await _retry_all_open(switch, requests, answers)


async def _retry(switch: Switch, request: Json) -> Answer:
    async def taken() -> Answer | None:
        answer = await switch.client.post(f"/vouchers/{request['id']}/retry", request)
        return None if answer.status == 500 and "Overloaded" in answer.body["errorMessage"] else answer

    answer = await eventually(taken, "a retry that is taken")
    assert answer is not None
    return answer


async def _retry_all_open(switch: Switch, requests: list[Json], answers: dict[str, Answer]) -> None:
    """Every till that heard nothing asks again, and again while the worker has too much to do, as tills do. The calls
    that died with the worker are over by their deadline; the records are moved past it here instead of waiting."""
    await switch.pool.execute("UPDATE transaction SET call_until = now() WHERE state = 1")
    silent = [request for request in requests if request["id"] not in answers]
    assert silent
    retried = await asyncio.gather(*(_retry(switch, request) for request in silent))
    for request, answer in zip(silent, retried, strict=True):
        assert answer.status == 201, answer
        voucher = await switch.simulator.voucher(reference=request["id"])
        assert voucher is not None
        assert answer.code == voucher["code"]
    assert await _unresolved(switch) == set()


async def test_a_killed_sender_delivers_after_its_restart_what_was_acknowledged(switch: Switch) -> None:
    """The 202 is a promise: the sender dies with a hundred confirmations owed, and another one keeps it."""
    requests = [a_provision(cents=10_000) for _ in range(100)]
    for request in requests:
        assert (await switch.client.post("/vouchers", request)).status == 201
    advices = [a_confirmation(request["id"]) for request in requests]

    async def kill_in_the_middle() -> None:
        async def some_delivered() -> bool:
            return bool(await switch.pool.fetchval("SELECT count(*) > 5 FROM advice WHERE state = 2"))

        await eventually(some_delivered, "the first deliveries", within_s=30)
        await switch.senders[0].kill()

    killing = asyncio.create_task(kill_in_the_middle())
    confirmed = await asyncio.gather(*(switch.client.post("/vouchers/confirmations", advice) for advice in advices))
    await killing
    assert [answer.status for answer in confirmed] == [202] * len(advices)
    switch.senders.clear()
    switch.start_sender()

    async def all_delivered() -> bool:
        return not await switch.pool.fetchval("SELECT count(*) FROM advice WHERE state = 1")

    # A claim of the dead sender is free again when its attempt's time is over.
    await switch.pool.execute("UPDATE advice SET sending_until = now() WHERE state = 1")
    await eventually(all_delivered, "every confirmation at the provider", within_s=60)
    for request in requests:
        assert await switch.simulator.voucher_state(request["id"]) == "CONFIRMED"


async def _states(switch: Switch) -> dict[str, State]:
    rows = await switch.pool.fetch("SELECT request_id, state FROM transaction")
    return {str(row["request_id"]): State(row["state"]) for row in rows}


async def _unresolved(switch: Switch) -> set[str]:
    """What `explain` without an id lists: the records that nobody may forget."""
    rows = await switch.pool.fetch("SELECT request_id FROM transaction WHERE state IN (1, 4)")
    return {str(row["request_id"]) for row in rows}
