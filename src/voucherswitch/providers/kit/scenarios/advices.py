"""Confirmations and reversals: delivered once in effect, and undone sales leave no voucher (checks 11 to 14)."""

from typing import Final

import msgspec

from voucherswitch.message.outcomes import Acknowledged, Approved, Pending, Refused
from voucherswitch.providers.contract.capabilities import Capabilities, Support
from voucherswitch.providers.contract.kit import KitProfile
from voucherswitch.providers.kit.control import ControlError
from voucherswitch.providers.kit.scenario import Mismatch, Scenario, expect, scenario, sends, support, words
from voucherswitch.providers.kit.scenarios.doubts import IN_FLIGHT_MS
from voucherswitch.providers.kit.scenarios.operations import ADVICES, prepared_advice
from voucherswitch.providers.kit.stand import SETTLE_MS, Stand

FAILURES: Final = 3


def _taken(advice: str) -> Scenario:
    @scenario(f"advice-{advice}", 11, needs=sends(advice), live=True, title=f"{advice} is taken, and so is its repeat.")
    async def check(stand: Stand) -> str:
        deliver = await prepared_advice(stand, advice)
        for turn in ("the first", "a repeat with the same advice id"):
            result = await deliver()
            expect(result == Acknowledged(), f"{turn} to be acknowledged", result)
        return "acknowledged twice"

    return check


def _failing(advice: str) -> Scenario:
    title = f"{advice} that fails {FAILURES} times stays queued, is delivered then, and takes effect once."

    @scenario(f"advice-{advice}-failing", 11, needs=sends(advice), title=title)
    async def check(stand: Stand) -> str:
        deliver = await prepared_advice(stand, advice)
        float_before, legs_before = await stand.float_cents(), len(stand.legs)
        # A cut before processing fails in every transport, HTTP or not.
        for kind in ("http", "drop_before", "http"):
            try:
                await stand.sim.fault(kind, "*", **({"status": 500} if kind == "http" else {}))
            except ControlError:
                await stand.sim.fault("drop_before", "*")
            result = await deliver()
            expect(isinstance(result, Pending), "pending while it fails", result)
            await stand.sim.clear_faults()
        expect(await stand.float_cents() == float_before, "no effect while it fails", "our balance moved")
        result = await deliver()
        expect(result == Acknowledged(), "to be acknowledged then", result)
        once = await stand.float_cents()
        again = await deliver()
        expect(again == Acknowledged(), "a repeat to be acknowledged", again)
        expect(await stand.float_cents() == once, "one effect", "another one with the repeat")
        ids = {leg.advice_id for leg in stand.legs[legs_before:]}
        expect(len(ids) == 1 and None not in ids, "the same advice id in every leg", f"{len(ids)} ids")
        return f"pending {FAILURES} times, then acknowledged"

    return check


# Reversals


@scenario("reverse-before", 12, needs=sends("reverse"))
async def reverse_before(stand: Stand) -> str:
    """A reversal of a sale that never came: acknowledged once that is certain, and a late sale finds no way in."""
    order = stand.order()
    before = await stand.float_cents()
    early = await stand.advise("reverse", stand.advice(order))
    if isinstance(early, Acknowledged):  # the provider remembers the reversal
        late = await stand.provision(order)
        expect(not isinstance(late, Approved), "the late sale refused: its reversal was acknowledged", late)
        expect(await stand.float_cents() == before, "our balance untouched", "it moved")
        return f"remembered by the provider; the late sale: {words(late)}"
    expect(isinstance(early, Pending), "acknowledged, or pending until settled", early)
    settled = await stand.advise("reverse", stand.advice(order, sent_ms_ago=SETTLE_MS))
    expect(settled == Acknowledged(), "acknowledged once settled", settled)
    return f"pending until {SETTLE_MS} ms after the request, then acknowledged"


@scenario("reverse-during", 12, needs=sends("reverse"))
async def reverse_during(stand: Stand) -> str:
    """A reversal that overtakes its sale leaves no voucher behind once the sale arrives."""
    order = stand.order()
    before = await stand.float_cents()
    await stand.sim.fault("late_processing", "provision", ms=IN_FLIGHT_MS)
    await stand.unknown(order)
    early = await stand.advise("reverse", stand.advice(order))
    await stand.sim.advance(IN_FLIGHT_MS + 1_000)
    if not isinstance(early, Acknowledged):
        expect(isinstance(early, Pending), "acknowledged, or pending until settled", early)
        result = await stand.advise("reverse", stand.advice(order, sent_ms_ago=SETTLE_MS))
        expect(result == Acknowledged(), "the repeat to be acknowledged: it finds the voucher", result)
    await _expect_undone(stand, before)
    return f"first {words(early)}; no voucher is left"


@scenario("reverse-after", 12, needs=sends("reverse"))
async def reverse_after(stand: Stand) -> str:
    """A reversal undoes a sale whose answer was lost, knowing only its id, and one that was approved."""
    before = await stand.float_cents()
    lost = stand.order()
    await stand.sim.fault("drop_after", "provision")
    await stand.unknown(lost)
    result = await stand.advise("reverse", stand.advice(lost, sent_ms_ago=SETTLE_MS))
    expect(result == Acknowledged(), "the reversal of the lost sale to be acknowledged", result)
    await _expect_undone(stand, before)
    order = stand.order()
    approved, _ = await stand.sold(order)
    result = await stand.advise("reverse", stand.advice(order, approved))
    expect(result == Acknowledged(), "the reversal of the approved sale to be acknowledged", result)
    await _expect_undone(stand, before)
    return "both undone; our balance is what it was"


def _status_and_reverse(profile: KitProfile, record: Capabilities) -> str | None:
    return sends("reverse")(profile, record) or sends("status")(profile, record)


@scenario("reverse-then-ask", 12, needs=_status_and_reverse)
async def reverse_then_ask(stand: Stand) -> str:
    """Status and retry of a reversed sale never call it approved."""
    order = stand.order()
    approved, _ = await stand.sold(order)
    result = await stand.advise("reverse", stand.advice(order, approved))
    expect(result == Acknowledged(), "the reversal to be acknowledged", result)
    before = await stand.float_cents()
    found = await stand.ask(stand.connector.status, stand.status_order(order, sent_ms_ago=SETTLE_MS))
    expect(not isinstance(found, Approved), "status not Approved", found)
    if stand.record.retry.sends:
        resent = await stand.ask(stand.connector.retry, msgspec.structs.replace(order, sent_ms_ago=1_000))
        expect(not isinstance(resent, Approved), "retry not Approved", resent)
    expect(await stand.float_cents() == before, "no voucher issued by asking", "our balance moved")
    return words(found)


@scenario("reverse-used", 13, needs=sends("reverse"))
async def reverse_used(stand: Stand) -> str:
    """A reversal of a voucher that was used is refused: the money is gone."""
    order = stand.order()
    approved, voucher = await stand.sold(order)
    try:
        await stand.sim.world_event(voucher.code, "REDEEM")
    except ControlError as error:
        if error.status != 409:
            raise
        # Not spendable before its confirmation.
        await stand.confirm_if_sent("confirm", stand.advice(order, approved))
        await stand.sim.world_event(voucher.code, "REDEEM")
    before = await stand.float_cents()
    result = await stand.advise("reverse", stand.advice(order, approved, sent_ms_ago=SETTLE_MS))
    expect(isinstance(result, Refused), "refused", result)
    expect(await stand.float_cents() == before, "our balance untouched", "it moved")
    return words(result)


def _consumes(profile: KitProfile, record: Capabilities) -> str | None:
    del profile
    return None if _consumed(record) else "the record consumes no advice"


def _consumed(record: Capabilities) -> list[str]:
    return [advice for advice in ADVICES if support(record, advice) is Support.CONSUME]


@scenario("consumed", 14, needs=_consumes)
async def consumed(stand: Stand) -> str:
    """Advices that the record consumes have no message with an effect: the switch acknowledges and keeps them."""
    order = stand.order()
    approved, _ = await stand.sold(order)
    before = await stand.sim.totals()
    names = _consumed(stand.record)
    for advice in names:
        result = await stand.advise(advice, stand.advice(order, approved, sent_ms_ago=SETTLE_MS))
        expect(isinstance(result, Acknowledged | Pending), f"no refusal of {advice}", result)
    if await stand.sim.totals() != before:
        raise Mismatch("expected the books untouched by consumed advices; seen: they changed")
    return ", ".join(names)


async def _expect_undone(stand: Stand, before: int) -> None:
    now = await stand.float_cents()
    expect(now == before, "our balance back to what it was: no orphan voucher", f"{before - now} cents are missing")


SCENARIOS: Final[tuple[Scenario, ...]] = (
    *(_taken(advice) for advice in ADVICES),
    *(_failing(advice) for advice in ADVICES),
    *(reverse_before, reverse_during, reverse_after, reverse_then_ask, reverse_used, consumed),
)
