"""Advices and store-and-forward: A1 to A11 (interface.md §5.3)."""

import asyncio
import time
from contextlib import nullcontext
from itertools import pairwise
from uuid import UUID

import pytest

from support.client import Answer
from support.expect import refused
from support.kinds import KINDS, PROVISION, REDEMPTION, REFUND, Kind
from support.messages import (
    a_confirmation,
    a_redemption,
    a_reversal,
    a_tender_confirmation,
    new_id,
)
from support.originators import BRISK, HASTY, SINGLE, SINGLE_HELD, TILL
from support.providers import (
    HANGING,
    NO_ADVICES,
    NO_REDEEM_ADVICES,
    NO_REFUND_ADVICES,
    PAUSED,
    REFUSING,
    Brand,
    at,
)
from support.simulator import SimulatorControl
from support.switch import Switch
from support.till import Sale, Till
from support.waiting import eventually
from voucherswitch.security.sealed import REQUEST, transaction_context


async def delivered(switch: Switch, request_id: str, *, within_s: float = 10.0) -> None:
    """Wait until no advice of a request is owed any more."""

    async def done() -> bool:
        advices = await switch.advices(request_id)
        return bool(advices) and all(state != "QUEUED" for _, state in advices)

    await eventually(done, f"the advices of {request_id}", within_s=within_s)


async def in_order(simulator: SimulatorControl, *calls: tuple[str, str]) -> None:
    """Assert that the provider took these operations, by reference and name, one after the other."""
    taken = [(await simulator.taken(reference, op))[0]["seq"] for reference, op in calls]
    assert all(earlier < later for earlier, later in pairwise(taken)), dict(zip(calls, taken, strict=True))


async def test_a1_an_advice_is_acknowledged_without_waiting_for_the_provider(
    till: Till, switch: Switch, simulator: SimulatorControl
) -> None:
    sale = await till.a_provisioned(**at(PAUSED))

    answer = await till.confirm_voucher(sale.id)

    assert answer.status == 202
    assert await switch.state(sale.id) == "CONFIRMED"
    assert await simulator.ops(sale.id) == ["provision"]


@KINDS
@pytest.mark.parametrize("advice", ["confirmations", "reversals"])
async def test_a2_state_and_entry_are_on_disk_when_the_advice_is_acknowledged(
    till: Till, switch: Switch, kind: Kind, advice: str
) -> None:
    request = await kind.request(till)
    assert (await till.post(kind.path, request)).status == 201
    message = (a_confirmation if advice == "confirmations" else a_reversal)(request["id"])

    assert (await till.post(f"{kind.path}/{advice}", message)).status == 202

    rows = await switch.rows(
        "SELECT advice_id::text, lane, provider_id FROM advice WHERE request_id = $1", request["id"]
    )
    assert [(row["advice_id"], row["provider_id"]) for row in rows] == [(message["id"], "sandbox")]
    assert await switch.state(request["id"]) == ("CONFIRMED" if advice == "confirmations" else "REVERSED")


@pytest.mark.parametrize("product", ["SBXADVFAIL3", "SBXADVLOST1"])
async def test_a3_an_advice_is_resent_until_the_provider_answers(
    till: Till, switch: Switch, simulator: SimulatorControl, product: str
) -> None:
    sale = await till.a_confirmed(product=product)

    await delivered(switch, sale.id)

    heard = await simulator.calls(sale.id, "confirm")
    failures = 3 if product == "SBXADVFAIL3" else 1
    assert [call["status"] for call in heard] == [500 if product == "SBXADVFAIL3" else None] * failures + [202]
    assert await switch.advices(sale.id) == [("CONFIRMATION", "DELIVERED")]
    attempts = await switch.value("SELECT attempts FROM advice WHERE request_id = $1", sale.id)
    assert attempts == failures + 1
    assert await simulator.voucher_state(sale.id) == "CONFIRMED"


@pytest.mark.parametrize("fault", ["drop_before", "rst_after", "auth_fail", "malformed", "truncate", "wrong_reference"])
async def test_a3_whatever_is_no_answer_is_repeated(
    till: Till, switch: Switch, simulator: SimulatorControl, fault: str
) -> None:
    sale = await till.a_provisioned()
    await simulator.fault(fault, "reverse", sale.id, times=2)

    assert (await till.reverse_voucher(sale.id)).status == 202

    await delivered(switch, sale.id)
    assert await switch.advices(sale.id) == [("REVERSAL", "DELIVERED")]
    assert len(await simulator.calls(sale.id, "reverse")) == 3
    assert await simulator.voucher_state(sale.id) == "REVERSED"


async def test_a3_an_acknowledged_entry_leaves_the_queue(
    till: Till, switch: Switch, simulator: SimulatorControl
) -> None:
    sale = await till.a_confirmed()
    await delivered(switch, sale.id)
    later = await till.a_confirmed()
    await delivered(switch, later.id)

    assert len(await simulator.calls(sale.id, "confirm")) == 1


@KINDS
async def test_a4_nothing_is_reversed_after_its_confirmation(
    till: Till, switch: Switch, simulator: SimulatorControl, kind: Kind
) -> None:
    request = await kind.request(till)
    assert (await till.post(kind.path, request)).status == 201
    assert (await till.post(f"{kind.path}/confirmations", a_confirmation(request["id"]))).status == 202

    assert (await till.post(f"{kind.path}/reversals", a_reversal(request["id"]))).status == 400

    await delivered(switch, request["id"])
    assert kind.reverse_op not in await simulator.ops(request["id"])
    assert await switch.state(request["id"]) == "CONFIRMED"


@KINDS
async def test_a4_nothing_is_confirmed_after_its_reversal(
    till: Till, switch: Switch, simulator: SimulatorControl, kind: Kind
) -> None:
    request = await kind.request(till)
    assert (await till.post(kind.path, request)).status == 201
    assert (await till.post(f"{kind.path}/reversals", a_reversal(request["id"]))).status == 202

    assert (await till.post(f"{kind.path}/confirmations", a_confirmation(request["id"]))).status == 400

    await delivered(switch, request["id"])
    assert await simulator.ops(request["id"]) == [kind.op, kind.reverse_op]
    assert await switch.state(request["id"]) == "REVERSED"


@pytest.mark.parametrize(
    ("advice", "op", "code", "state"),
    [
        ("confirmations", "confirm", "VOUCHER_ALREADY_REVERSED", "CONFIRMED"),
        ("reversals", "reverse", "VOUCHER_ALREADY_CONFIRMED", "REVERSED"),
    ],
)
async def test_a5_a_final_error_parks_the_advice_and_changes_nothing_for_the_originator(
    till: Till, switch: Switch, simulator: SimulatorControl, advice: str, op: str, code: str, state: str
) -> None:
    sale = await till.a_provisioned()
    await simulator.fault("decline", op, sale.id, times=0, code=code)
    make = a_tender_confirmation if advice == "confirmations" else a_reversal
    message = make(sale.id)
    assert (await till.post(f"/vouchers/{advice}", message)).status == 202

    await delivered(switch, sale.id)

    assert [parked for _, parked in await switch.advices(sale.id)] == ["PARKED"]
    assert await switch.state(sale.id) == state
    assert (await till.post(f"/vouchers/{advice}", message)).status == 202
    assert (await till.post(f"/vouchers/{advice}", make(sale.id))).status == 202
    assert len(await simulator.calls(sale.id, op)) == 1


async def test_a5_a_parked_advice_holds_up_nobody_else(till: Till, switch: Switch, simulator: SimulatorControl) -> None:
    """Sixteen lanes: seventeen parked advices would fill every one of them."""
    parked, fine = [await till.a_provisioned() for _ in range(17)], [await till.a_provisioned() for _ in range(17)]
    for sale in parked:
        await simulator.fault("decline", "confirm", sale.id, times=0, code="VOUCHER_ALREADY_REVERSED")

    await asyncio.gather(*(till.confirm_voucher(sale.id) for sale in (*parked, *fine)))

    for sale in (*parked, *fine):
        await delivered(switch, sale.id)
    assert {await simulator.voucher_state(sale.id) for sale in fine} == {"CONFIRMED"}


async def redeem_at_once(till: Till, **changes: object) -> tuple[Sale, Answer]:
    """Provision, confirm, redeem, without a pause in between."""
    sale = await till.a_confirmed(**changes)
    receiver = sale.answer.body["receiver"]
    return sale, await till.redeem(sale.code, receiver=receiver)


@pytest.mark.parametrize("damage", ["does not open", "makes no sense"])
async def test_a5_an_advice_goes_out_although_its_request_cannot_be_read(
    till: Till, switch: Switch, simulator: SimulatorControl, damage: str
) -> None:
    """It names the request by its id; only some providers want more, and they say so."""
    sale = await till.a_provisioned()
    context = transaction_context(UUID(sale.id), 0, REQUEST)
    damaged = switch.vault.seal(b"{}", context if damage == "makes no sense" else b"another row")
    await switch.rows("UPDATE transaction SET request = $2 WHERE request_id = $1", UUID(sale.id), damaged)

    assert (await till.confirm_voucher(sale.id)).status == 202

    await simulator.takes(sale.id, "confirm")
    await switch.rows("UPDATE transaction SET request = NULL WHERE request_id = $1", UUID(sale.id))


async def test_a6_redeem_right_after_confirm_works(till: Till, simulator: SimulatorControl) -> None:
    sale, answer = await redeem_at_once(till)

    assert answer.status == 201
    await in_order(simulator, (sale.id, "confirm"), (answer.body["id"], "redeem"))


@pytest.mark.parametrize("product", ["SBXANY", "SBXADVFAIL3"])
@pytest.mark.parametrize("stopped", [False, True], ids=["sender runs", "sender stopped"])
async def test_a6_redeem_right_after_confirm_works_fifty_times_at_once(
    till: Till, switch: Switch, simulator: SimulatorControl, product: str, stopped: bool
) -> None:
    with switch.senders_stopped() if stopped else nullcontext():
        done = await asyncio.gather(*(redeem_at_once(till, product=product) for _ in range(50)))

    assert [answer for _, answer in done if answer.status != 201] == []
    for sale, answer in done:
        await in_order(simulator, (sale.id, "confirm"), (answer.body["id"], "redeem"))
        assert len(await simulator.taken(sale.id, "confirm")) == 1


async def test_a6_every_owed_advice_of_the_voucher_goes_first(
    till: Till, switch: Switch, simulator: SimulatorControl
) -> None:
    """With the sender stopped, each request on the voucher pulls the advice before it."""
    with switch.senders_stopped():
        sale = await till.a_redeemed()
        first = sale.redemption_id
        assert (await till.reverse_redemption(first)).status == 202
        sale = await till.a_used(sale)
        second = sale.redemption_id
        sale = await till.a_returned(sale)
        again = await till.a_redeemed(sale)

    await in_order(
        simulator,
        (sale.id, "provision"),
        (sale.id, "confirm"),
        (first, "redeem"),
        (first, "reverseRedeem"),
        (second, "redeem"),
        (second, "confirmRedeem"),
        (sale.refund_id, "refund"),
        (sale.refund_id, "confirmRefund"),
        (again.redemption_id, "redeem"),
    )
    assert await switch.voucher_state(sale.code) == "REDEEMED"


async def test_a6_redeem_right_after_confirm_works_while_the_delivery_is_paused(
    till: Till, simulator: SimulatorControl
) -> None:
    sale, answer = await redeem_at_once(till, **at(PAUSED))

    assert answer.status == 201
    await in_order(simulator, (sale.id, "confirm"), (answer.body["id"], "redeem"))


@pytest.mark.parametrize("movement", ["/redemptions", "/refunds"])
async def test_a6_what_cannot_be_delivered_keeps_the_request_from_being_sent(
    switch: Switch, simulator: SimulatorControl, movement: str
) -> None:
    brisk, till = Till(switch, BRISK), Till(switch, TILL)
    sale = await (till.a_confirmed if movement == "/redemptions" else till.a_used)(**at(REFUSING))
    owed = (sale.id, "confirm") if movement == "/redemptions" else (sale.redemption_id, "confirmRedeem")
    await simulator.fault("http", owed[1], owed[0], times=0, status=500)
    request = a_redemption(BRISK, code=sale.code, receiver=REFUSING.receiver)
    if movement == "/refunds":
        del request["amounts"]
    started = time.monotonic()

    answer = await brisk.post(movement, request)

    refused(answer, 503, "UPSTREAM_UNAVAILABLE", id=request["id"])
    assert time.monotonic() - started < 4
    assert int(answer.headers["retry-after"]) > 0
    assert await switch.record(request["id"]) is None
    assert await simulator.ops(request["id"]) == []
    await simulator.clear_faults()

    async def repeated() -> Answer | None:
        again = await brisk.post(movement, request)
        return again if again.status != 503 else None

    again = await eventually(repeated, "the same request once the provider takes the advice")
    assert again is not None
    assert again.status == 201
    await in_order(simulator, owed, (request["id"], "redeem" if movement == "/redemptions" else "refund"))


async def test_a6_a_reversal_that_waits_for_its_own_call_goes_first_too(
    hasty: Till, simulator: SimulatorControl
) -> None:
    """M19 step 6: the redemption was answered 504 while its call goes on; its reversal may be sent only after it."""
    sale = await Till(hasty.switch, TILL).a_confirmed()
    request = a_redemption(HASTY, code=sale.code)
    await simulator.fault("hang_after", "redeem", request["id"])
    assert (await hasty.post("/redemptions", request)).status == 504
    assert (await hasty.reverse_redemption(request["id"])).status == 202

    async def redeemed() -> Answer | None:
        answer = await Till(hasty.switch, TILL).redeem(sale.code)
        assert answer.status == 201 or (answer.status, answer.error_type) == (503, "UPSTREAM_UNAVAILABLE")
        return answer if answer.status == 201 else None

    answer = await eventually(redeemed, "the new redemption")
    assert answer is not None
    await in_order(
        simulator,
        (request["id"], "redeem"),
        (request["id"], "reverseRedeem"),
        (answer.body["id"], "redeem"),
    )


async def test_a6_a_parked_advice_is_not_waited_for(till: Till, switch: Switch, simulator: SimulatorControl) -> None:
    """The provider has answered it: what the voucher is worth now is the provider's to say."""
    sale = await till.a_provisioned()
    await simulator.fault("decline", "confirm", sale.id, code="VOUCHER_ALREADY_REVERSED")
    await till.confirm_voucher(sale.id)
    await delivered(switch, sale.id)

    answer = await till.redeem(sale.code)

    assert (answer.status, answer.error_type) == (400, "VOUCHER_NOT_REDEEMABLE")
    assert await switch.state(answer.body["id"]) == "DECLINED"


async def test_a7_one_voucher_whose_advice_hangs_holds_up_no_other(
    till: Till, switch: Switch, simulator: SimulatorControl
) -> None:
    stuck, other = await till.a_provisioned(**at(HANGING)), await till.a_provisioned(**at(HANGING))
    await simulator.fault("hang_before", "confirm", stuck.id)
    assert (await till.confirm_voucher(stuck.id)).status == 202
    await simulator.hears(stuck.id, "confirm")

    assert (await till.confirm_voucher(other.id)).status == 202

    await delivered(switch, other.id, within_s=5)
    assert await simulator.voucher_state(other.id) == "CONFIRMED"
    assert await switch.advices(stuck.id) == [("CONFIRMATION", "QUEUED")]


async def test_a7_advices_may_be_given_in_any_order(till: Till, switch: Switch, simulator: SimulatorControl) -> None:
    first, second = await till.a_provisioned(), await till.a_provisioned()

    assert (await till.reverse_voucher(second.id)).status == 202
    assert (await till.confirm_voucher(first.id)).status == 202

    await delivered(switch, first.id)
    await delivered(switch, second.id)
    states = [await simulator.voucher_state(sale.id) for sale in (first, second)]
    assert states == ["CONFIRMED", "REVERSED"]


@pytest.mark.parametrize(
    ("kind", "brand"),
    [(PROVISION, NO_ADVICES), (REDEMPTION, NO_REDEEM_ADVICES), (REFUND, NO_REFUND_ADVICES)],
    ids=["provision", "redemption", "refund"],
)
@pytest.mark.parametrize("advice", ["confirmations", "reversals"])
async def test_a8_an_advice_that_the_provider_does_not_have_is_consumed(
    till: Till, switch: Switch, simulator: SimulatorControl, kind: Kind, brand: Brand, advice: str
) -> None:
    make_sale = {PROVISION: till.a_provisioned, REDEMPTION: till.a_redeemed, REFUND: till.a_refunded}[kind]
    sale = await make_sale(**at(brand))
    request_id = {PROVISION: lambda: sale.id, REDEMPTION: lambda: sale.redemption_id, REFUND: lambda: sale.refund_id}[
        kind
    ]()
    message = (a_confirmation if advice == "confirmations" else a_reversal)(request_id)

    answer = await till.post(f"{kind.path}/{advice}", message)

    assert (answer.status, answer.body) == (202, message)
    confirmed = advice == "confirmations"
    assert await switch.state(request_id) == ("CONFIRMED" if confirmed else "REVERSED")
    assert await switch.advices(request_id) == [("CONFIRMATION" if confirmed else "REVERSAL", "CONSUMED")]
    opposite, path = (a_reversal, "reversals") if confirmed else (a_confirmation, "confirmations")
    assert (await till.post(f"{kind.path}/{path}", opposite(request_id))).status == 400
    assert await simulator.ops(request_id) == [kind.op]


async def test_a9_confirmations_go_only_to_providers_with_dual_messaging(
    switch: Switch, simulator: SimulatorControl
) -> None:
    """Also those that the switch makes for a single-message originator."""
    till = Till(switch, SINGLE)
    sale = await till.a_provisioned(**at(NO_ADVICES))

    await delivered(switch, sale.id)

    assert await switch.advices(sale.id) == [("CONFIRMATION", "CONSUMED")]
    assert await simulator.ops(sale.id) == ["provision"]


async def _made(till: Till, kind: Kind) -> tuple[Sale, str]:
    """A sale whose last request is of this kind, and that request's id."""
    sale = await till.a_provisioned()
    if kind is PROVISION:
        return sale, sale.id
    sale = await till.a_redeemed(sale)
    if kind is REDEMPTION:
        return sale, sale.redemption_id
    sale = await till.a_refunded(sale)
    return sale, sale.refund_id


async def sent_at_once(till: Till, sale: Sale) -> None:
    """Have the held confirmations of a voucher sent: a lookup wants the provider to know what was acknowledged."""
    assert (await till.lookup(voucherCode=sale.code)).status == 200
    states = [state for _, state in await till.switch.advices(sale.id)]
    assert states == ["DELIVERED"]


SINGLE_STATES = {
    PROVISION: ("CONFIRMED_PROVISIONED", None),
    REDEMPTION: ("CONFIRMED_REDEEMED", "CONFIRMED_PROVISIONED"),
    REFUND: ("CONFIRMED_PROVISIONED", "CONFIRMED_REDEEMED"),
}


@KINDS
async def test_a10_the_switch_confirms_with_the_201(switch: Switch, simulator: SimulatorControl, kind: Kind) -> None:
    till = Till(switch, SINGLE)
    sale, request_id = await _made(till, kind)

    assert await switch.state(request_id) == "CONFIRMED"
    assert await switch.voucher_state(sale.code) == SINGLE_STATES[kind][0]
    confirm_op = f"confirm{kind.op.capitalize()}" if kind is not PROVISION else "confirm"
    confirmed = await simulator.takes(request_id, confirm_op)
    made = await simulator.taken(request_id, kind.op)
    assert len(confirmed) == 1
    assert _seconds(confirmed[0]["at"]) - _seconds(made[0]["at"]) >= 0.95


def _seconds(moment: str) -> float:
    """A moment of the simulator's journal, as seconds within its day."""
    hours, minutes, seconds = moment.partition("T")[2].removesuffix("+00:00").split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


@KINDS
async def test_a10_a_reversal_replaces_the_confirmation_that_is_still_held(
    switch: Switch, simulator: SimulatorControl, kind: Kind
) -> None:
    """The originator's 201 got lost: it reverses as in dual messaging."""
    till = Till(switch, SINGLE_HELD)
    sale, request_id = await _made(till, kind)
    reversal = a_reversal(request_id)

    answer = await till.post(f"{kind.path}/reversals", reversal)

    assert (answer.status, answer.body) == (202, reversal)
    assert await switch.state(request_id) == "REVERSED"
    assert await switch.voucher_state(sale.code) == SINGLE_STATES[kind][1]
    assert ("CONFIRMATION", "REPLACED") in await switch.advices(request_id)
    await simulator.takes(request_id, kind.reverse_op)
    assert await simulator.ops(request_id) == [kind.op, kind.reverse_op]


@KINDS
async def test_a10_once_the_confirmation_was_sent_it_is_too_late_to_reverse(
    switch: Switch, simulator: SimulatorControl, kind: Kind
) -> None:
    till = Till(switch, SINGLE_HELD)
    sale, request_id = await _made(till, kind)
    await sent_at_once(till, sale)
    reversal = a_reversal(request_id)

    answer = await till.post(f"{kind.path}/reversals", reversal)

    error_type = {
        PROVISION: "VOUCHER_ALREADY_CONFIRMED",
        REDEMPTION: "REDEMPTION_ALREADY_CONFIRMED",
        REFUND: "REFUND_ALREADY_CONFIRMED",
    }[kind]
    refused(answer, 400, error_type, id=reversal["id"], original_id=request_id)
    assert kind.reverse_op not in await simulator.ops(request_id)


@KINDS
@pytest.mark.parametrize("sent", [False, True], ids=["held", "sent"])
async def test_a10_a_confirmation_from_the_originator_changes_nothing(
    switch: Switch, simulator: SimulatorControl, kind: Kind, sent: bool
) -> None:
    """This wins over R9 and F9."""
    till = Till(switch, SINGLE_HELD)
    sale, request_id = await _made(till, kind)
    if sent:
        await sent_at_once(till, sale)
    heard = await simulator.ops(request_id)

    for confirmation in (a_confirmation(request_id), a_confirmation(request_id)):
        answer = await till.post(f"{kind.path}/confirmations", confirmation)
        assert (answer.status, answer.body) == (202, confirmation)

    assert await switch.state(request_id) == "CONFIRMED"
    assert await switch.voucher_state(sale.code) == SINGLE_STATES[kind][0]
    assert await simulator.ops(request_id) == heard


async def test_a10_a_request_on_the_voucher_sends_the_held_confirmation(
    switch: Switch, simulator: SimulatorControl
) -> None:
    till = Till(switch, SINGLE_HELD)
    sale = await till.a_provisioned()

    answer = await till.redeem(sale.code)

    assert answer.status == 201
    await in_order(simulator, (sale.id, "confirm"), (answer.body["id"], "redeem"))
    assert (await till.reverse_voucher(sale.id)).error_type == "VOUCHER_ALREADY_CONFIRMED"


async def test_a10_a_retry_of_a_lost_answer_gives_the_voucher(switch: Switch) -> None:
    till = Till(switch, SINGLE_HELD)
    sale = await till.a_provisioned()

    again = await till.retry(sale.request)

    assert (again.status, again.body) == (201, sale.answer.body)


async def test_a11_lookups_leave_nothing_to_advise(till: Till, switch: Switch) -> None:
    sale = await till.a_redeemed()
    before = await switch.written_for(till.by.id)

    for answer in (
        await till.lookup(voucherCode=sale.code),
        await till.lookup(provisionRequestId=sale.id),
        await till.lookup_redemption(sale.redemption_id),
        await till.get("/products"),
    ):
        assert answer.status == 200

    after = await switch.written_for(till.by.id)
    assert {name: after[name] for name in ("transaction", "advice", "refusal")} == {
        name: before[name] for name in ("transaction", "advice", "refusal")
    }
    assert (await till.post("/vouchers/confirmations", a_confirmation(new_id()))).status == 404
