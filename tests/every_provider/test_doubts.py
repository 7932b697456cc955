"""Doubts that end wrongly only when nobody thinks of them: late messages, lost answers, clocks and changed settings."""

from datetime import timedelta

import pytest

from every_provider.board import CENTS, DEAD, Provider
from support.messages import a_redemption
from support.switch import Switch
from support.till import Till
from support.waiting import eventually
from voucherswitch.catalogue import store
from voucherswitch.catalogue.snapshot import Provider as Row
from voucherswitch.journal.statements import SQL

LONG_AGO = timedelta(minutes=10)
SETTLED = timedelta(seconds=40)
ON_ITS_WAY_MS = 20_000
PART = 4_000


async def test_a_reversal_right_after_a_resend_leaves_no_orphan(
    board: dict[str, Provider], till: Till, switch: Switch
) -> None:
    """The first message never came, the resend is still on its way: "not known" proves nothing yet."""
    provider = board["hollywoodbets"]
    request = provider.request()
    await provider.control.fault("drop_before", "provision", request["id"])
    assert (await till.post("/vouchers", request)).status == 504
    await provider.age(request["id"], LONG_AGO)
    await provider.control.fault("late_processing", "*", request["id"], ms=ON_ITS_WAY_MS)
    assert (await till.retry(request)).status == 504

    assert (await till.reverse_voucher(request["id"])).status == 202
    await provider.control.hears(request["id"], "reverse")
    assert ("REVERSAL", "QUEUED") in await switch.advices(request["id"])
    await provider.control.advance(ON_ITS_WAY_MS)
    await provider.age(request["id"], SETTLED)

    assert await provider.told(request["id"]) == "DELIVERED"
    voucher = await provider.control.voucher(reference=request["id"])
    assert voucher is not None
    assert voucher["state"] in DEAD
    assert await provider.disagreements() == []


async def test_yoyo_a_reversal_of_a_lost_redemption_gives_the_value_back(
    board: dict[str, Provider], till: Till
) -> None:
    """The till that asked for it is told again as it was told first, its cashier included."""
    yoyo = board["yoyo"]
    _, sale = await yoyo.confirmed()
    request = a_redemption(code=sale.code, cents=PART, receiver=yoyo.receiver)
    await yoyo.control.fault("drop_after", "redeem", request["id"])
    assert (await till.post("/redemptions", request)).status == 504
    await yoyo.age(request["id"], LONG_AGO)

    assert (await till.reverse_redemption(request["id"])).status == 202

    assert await yoyo.told(request["id"]) == "DELIVERED"
    card = await yoyo.control.voucher(code=sale.code)
    assert card is not None
    assert card["balanceCents"] == CENTS


async def test_yoyo_an_advice_that_does_not_know_its_cashier_waits_until_it_does(
    board: dict[str, Provider], till: Till, switch: Switch
) -> None:
    """He is told by the sealed request alone; with another one it would be another redemption's advice."""
    yoyo = board["yoyo"]
    _, sale = await yoyo.confirmed()
    request = a_redemption(code=sale.code, cents=PART, receiver=yoyo.receiver)
    request["originator"]["operatorId"] = "C-7731"
    assert (await till.post("/redemptions", request)).status == 201
    sealed = await switch.value("SELECT request FROM transaction WHERE request_id = $1", request["id"])
    put = "UPDATE transaction SET request = $2 WHERE request_id = $1"
    await switch.pool.execute(put, request["id"], sealed[:-1] + bytes([sealed[-1] ^ 1]))

    assert (await till.reverse_redemption(request["id"])).status == 202

    async def waits() -> bool:
        cause = await switch.value("SELECT last_error FROM advice WHERE request_id = $1 AND state = 1", request["id"])
        return "did not open" in (cause or "")

    await eventually(waits, "an attempt that waits")
    card = await yoyo.control.voucher(code=sale.code)
    assert card is not None
    assert card["balanceCents"] == CENTS - PART
    await switch.pool.execute(put, request["id"], sealed)
    assert await yoyo.told(request["id"]) == "DELIVERED"
    card = await yoyo.control.voucher(code=sale.code)
    assert card is not None
    assert card["balanceCents"] == CENTS


async def test_what_is_left_on_a_card_can_be_spent_although_nobody_heard_how_much(
    board: dict[str, Provider], till: Till
) -> None:
    yoyo = board["yoyo"]
    bought, sale = await yoyo.confirmed()
    request = a_redemption(code=sale.code, cents=PART, receiver=yoyo.receiver)
    await yoyo.control.fault("http", "status", bought["id"])
    redeemed = await till.post("/redemptions", request)
    assert redeemed.status == 201, redeemed
    await yoyo.control.clear_faults()
    assert (await till.confirm_redemption(request["id"])).status == 202
    await yoyo.told(request["id"])

    rest = await till.redeem(sale.code, cents=CENTS - PART, receiver=yoyo.receiver)

    assert rest.status == 201, rest


async def test_what_a_route_before_took_is_no_time_that_the_next_one_had(
    board: dict[str, Provider], till: Till, switch: Switch
) -> None:
    """A request that waited for one provider is new to the next: its message may still be on its way there."""
    provider = board["ott"]
    request = provider.request()
    await provider.control.fault("hang_before", "provision", request["id"])
    assert (await till.post("/vouchers", request)).status == 504
    await switch.pool.execute(
        "UPDATE transaction SET opened_at = opened_at - interval '1 hour' WHERE request_id = $1", request["id"]
    )

    retried = await till.retry(request)

    assert retried.status == 504, retried
    assert await switch.state(request["id"]) == "UNKNOWN"


async def test_an_advice_that_was_accepted_to_be_sent_is_never_called_consumed(
    board: dict[str, Provider], till: Till, switch: Switch
) -> None:
    """Settings that change meanwhile park it for a person; nobody takes it for done."""
    lottostar = board["lottostar"]
    async with switch.pool.acquire() as connection:
        known = (await store.load(connection)).providers["lottostar"]
        secrets = store.open_secrets(switch.vault, known)
    request, _ = await lottostar.sold()
    await lottostar.control.fault("http", "reverse", request["id"], times=0)
    assert (await till.reverse_voucher(request["id"])).status == 202
    await lottostar.control.hears(request["id"], "reverse")

    changed = {**known.settings, "capabilities": {"reverse": "consume"}}
    async with switch.pool.acquire() as connection:
        row = Row(id="lottostar", connector="lottostar", settings=changed)
        await store.put_provider(connection, switch.vault, row, secrets)

    assert await lottostar.told(request["id"]) == "PARKED"
    async with switch.pool.acquire() as connection:
        await store.put_provider(connection, switch.vault, known, secrets)
    await lottostar.control.clear_faults()

    async def delivered() -> bool:
        """Sent again, as an operator would, until the sender has the settings as they were."""
        await switch.pool.execute(
            "UPDATE advice SET state = 1, next_attempt_at = clock_timestamp() WHERE request_id = $1 AND state = 4",
            request["id"],
        )
        return await switch.advices(request["id"]) == [("REVERSAL", "DELIVERED")]

    await eventually(delivered, "the reversal at the provider")
    assert await lottostar.disagreements() == []


@pytest.mark.parametrize(
    ("call_until", "call_ended_at", "settled_s"),
    [
        ("now() + interval '20 seconds'", "NULL", -20),  # the call may be running, whichever route it is at
        ("now() - interval '5 seconds'", "NULL", 5),  # its worker died over it
        ("NULL", "now() - interval '7 seconds'", 7),  # it is over
    ],
)
async def test_what_not_found_proves_counts_from_the_last_moment_at_which_a_byte_may_have_left(
    board: dict[str, Provider], switch: Switch, call_until: str, call_ended_at: str, settled_s: int
) -> None:
    request, _ = await board["ott"].sold()
    await switch.pool.execute(
        f"""UPDATE transaction SET opened_at = now() - interval '1 hour', call_until = {call_until},
                                   call_ended_at = {call_ended_at} WHERE request_id = $1""",
        request["id"],
    )

    row = await switch.pool.fetchrow(SQL["read_records"], [request["id"]])

    assert row is not None
    assert row["settled_ms"] / 1000 == pytest.approx(settled_s, abs=3)
    assert row["age_ms"] >= 3_600_000
