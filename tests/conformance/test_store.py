"""What an originator hears when the switch is in trouble (interface.md §5.1): overload, no store, a fault of ours.

Each test has a worker of its own, so that the others' is not disturbed.
"""

import asyncio

from support.client import Answer
from support.expect import refused
from support.kinds import LONG_MS
from support.messages import a_provision, a_redemption, a_tender_confirmation
from support.originators import BRISK, OTHER, STRICT, TILL
from support.proxy import DatabaseDoor
from support.simulator import SimulatorControl
from support.switch import Switch
from support.till import Till


async def test_5_1_overload_is_503_and_nothing_is_written(switch: Switch, simulator: SimulatorControl) -> None:
    """One request per originator and two in all are in work; every other is refused before it is recorded."""
    async with switch.extra_worker(IN_FLIGHT_MAX="2", IN_FLIGHT_PER_ORIGINATOR_MAX="1") as client:
        tills = [Till(switch, by, client) for by in (TILL, OTHER)]
        held = [a_provision(till.by) for till in tills]
        answering = []
        for till, request in zip(tills, held, strict=True):
            await simulator.fault("late", "provision", request["id"], ms=LONG_MS)
            answering.append(asyncio.create_task(till.post("/vouchers", request)))
            await simulator.hears(request["id"], "provision")
            if till.by is TILL:
                second = a_provision(TILL)
                of_the_same = await till.post("/vouchers", second)
        third = a_provision(STRICT)
        of_another = await client.post("/vouchers", third, by=STRICT)
        await simulator.advance(LONG_MS)
        answers = await asyncio.gather(*answering)

        for answer, request in ((of_the_same, second), (of_another, third)):
            assert (answer.status, answer.error_type) == (503, "UPSTREAM_UNAVAILABLE")
            assert await switch.record(request["id"]) is None
            assert await simulator.ops(request["id"]) == []
        assert [answer.status for answer in answers] == [201, 201]
        assert (await client.post("/vouchers", third, by=STRICT)).status == 201


async def test_5_1_without_store_503_is_certainly_not_processed_and_500_is_unknown(
    switch: Switch, simulator: SimulatorControl
) -> None:
    """The database goes away while a provision is at the provider; what comes later is refused unsent."""
    async with (
        DatabaseDoor(switch.folder / "door", switch.database_socket) as door,
        switch.extra_worker(database_url=door.url) as client,
    ):
        till = Till(switch, BRISK, client)
        sale, confirmed = await till.a_provisioned(), await till.a_confirmed()
        held, fresh = a_provision(BRISK), a_provision(BRISK)
        redemption, confirmation = a_redemption(BRISK, code=confirmed.code), a_tender_confirmation(sale.id)
        await simulator.fault("late", "provision", held["id"], ms=LONG_MS)
        answering = asyncio.create_task(till.post("/vouchers", held))
        await simulator.takes(held["id"], "provision")

        await door.shut()
        await simulator.advance(LONG_MS)
        messages = [("/vouchers", fresh), ("/redemptions", redemption), ("/vouchers/confirmations", confirmation)]
        refusals = await till.both(*messages)
        unknown: Answer = await answering

        refused(unknown, 500, "GENERAL_ERROR", id=held["id"])
        for answer in refusals:
            assert (answer.status, answer.error_type) == (503, "UPSTREAM_UNAVAILABLE")
            assert int(answer.headers["retry-after"]) > 0
        for _, message in messages:
            assert await simulator.ops(message["id"]) == []
        assert await switch.state(sale.id) == "APPROVED"
        assert await switch.record(fresh["id"]) is None

        await door.open()
        repeated = await till.both(*messages)
        assert [answer.status for answer in repeated] == [201, 201, 202]
        retried = await till.retry(held)
        assert retried.status == 201
        assert (await simulator.voucher(reference=held["id"]) or {})["code"] == retried.code
        assert [answer.body["id"] for answer in refusals] == [message["id"] for _, message in messages]


async def test_5_1_an_unexpected_error_is_500_and_says_nothing_of_its_cause(
    switch: Switch, simulator: SimulatorControl
) -> None:
    """The journal refuses to close one record: a fault nobody foresaw, after the provider was asked."""
    request = a_provision()
    async with switch.pool.acquire() as connection:
        await connection.execute(
            f"""CREATE FUNCTION refuse_close() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN RAISE EXCEPTION 'the cause'; END $$;
                CREATE TRIGGER refuse_close BEFORE UPDATE ON transaction FOR EACH ROW
                WHEN (new.request_id = '{request["id"]}') EXECUTE FUNCTION refuse_close()"""
        )
    try:
        async with switch.extra_worker() as client:
            answer = await client.post("/vouchers", request)
    finally:
        async with switch.pool.acquire() as connection:
            await connection.execute("DROP FUNCTION refuse_close CASCADE")

    refused(answer, 500, "GENERAL_ERROR", id=request["id"])
    assert "cause" not in answer.raw.decode()
    assert await switch.state(request["id"]) == "PENDING"
    assert await simulator.ops(request["id"]) == ["provision"]
