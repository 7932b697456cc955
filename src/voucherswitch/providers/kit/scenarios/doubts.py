"""Cut exchanges: what is proved when no answer comes, and how the doubt ends (checks 3, 4, 5)."""

from typing import Any, Final

import msgspec

from voucherswitch.message.codes import ErrorType
from voucherswitch.message.orders import ProvisionOrder
from voucherswitch.message.outcomes import Approved, Declined, NotSent, OutcomeUnknown, Pending
from voucherswitch.providers.contract.capabilities import Capabilities, Support
from voucherswitch.providers.contract.kit import KitProfile
from voucherswitch.providers.kit.scenario import Scenario, expect, scenario, sends, support, words
from voucherswitch.providers.kit.stand import SETTLE_MS, Stand

# kind -> whether the provider has processed the request when its client gives up
CUTS: Final = {
    "drop_before": False,
    "rst_before": False,
    "hang_before": False,
    "late_processing": False,
    "drop_after": True,
    "rst_after": True,
    "hang_after": True,
    "malformed": True,
    "truncate": True,
}
NO_LISTENER_MS: Final = 600_000  # longer than the scenario; the simulator's end opens the port again
IN_FLIGHT_MS: Final = 60_000  # how much later `late_processing` takes effect; the simulator's clock is moved there


@scenario("stopped", 3)
async def stopped(stand: Stand) -> str:
    """A provider that does not listen is NotSent; a question, a resend and an advice say nothing of what was before."""
    async with stand.profile.start() as elsewhere:
        address = dict(stand.profile.settings(elsewhere))
    stand.settings = address
    stand.connector = stand.with_settings(connect_timeout_ms=1_000)
    order = stand.order()
    outcome = await stand.provision(order)
    _expect_not_sent(outcome)
    if stand.record.retry.sends:
        resent = await stand.ask(stand.connector.retry, msgspec.structs.replace(order, sent_ms_ago=1_000))
        expect(isinstance(resent, OutcomeUnknown), "retry OutcomeUnknown", resent)
    settled = stand.status_order(order, sent_ms_ago=SETTLE_MS)
    for name, question in (("status", stand.connector.status), ("redeemStatus", stand.connector.redeem_status)):
        if support(stand.record, name).sends:
            asked = await stand.ask(question, settled)
            expect(isinstance(asked, OutcomeUnknown), f"{name} OutcomeUnknown", asked)
    for advice in ("confirm", "reverse"):
        if support(stand.record, advice).sends:
            result = await stand.advise(advice, stand.advice(order, sent_ms_ago=SETTLE_MS))
            expect(isinstance(result, Pending), f"{advice} pending", result)
    if stand.record.products.sends:
        listed = await stand.products()
        expect(isinstance(listed, OutcomeUnknown), "no product list", "one")
    return words(outcome)


@scenario("refused", 3)
async def refused(stand: Stand) -> str:
    """A refused connection is NotSent: no byte left."""
    await stand.sim.fault("refuse_connect", "*", ms=NO_LISTENER_MS)
    outcome = await stand.provision()
    _expect_not_sent(outcome)
    heard = len(await stand.sim.journal("provision"))
    expect(heard == 0, "nothing heard by the provider", f"{heard} messages")
    return words(outcome)


def _cut(kind: str) -> Scenario:
    processed = CUTS[kind]
    title = (
        f"A sale that meets {kind} is a doubt; retry or status ends it as the record says, never with a second voucher."
    )

    @scenario(f"cut-{kind}", 4 if processed else 5, title=title)
    async def check(stand: Stand) -> str:
        if kind.startswith("hang"):
            stand.become_impatient()
        order = stand.order()
        params = {"ms": IN_FLIGHT_MS} if kind == "late_processing" else {}
        await stand.sim.fault(kind, "provision", **params)
        await stand.unknown(order)
        await stand.expect_sent_once()
        seen = await _resolved(stand, order, processed=processed)
        # What was still on its way arrives now, and must not bring another voucher.
        await stand.sim.advance(IN_FLIGHT_MS + 1_000)
        await stand.expect_at_most_one_voucher(order)
        return seen

    return check


async def _resolved(stand: Stand, order: ProvisionOrder, *, processed: bool) -> str:
    """Try what the record has to end the doubt, as the switch would."""
    seen = []
    if stand.record.status.sends:
        found = await stand.ask(stand.connector.status, stand.status_order(order, sent_ms_ago=0))
        await _expect_truth(stand, order, found, "status", must_find=processed)
        expect(processed or isinstance(found, OutcomeUnknown), "status OutcomeUnknown before settle_ms", found)
        seen.append(f"status: {words(found)}")
    if stand.record.retry.sends:
        resent = await stand.ask(stand.connector.retry, msgspec.structs.replace(order, sent_ms_ago=1_000))
        native = stand.record.retry is Support.NATIVE
        await _expect_truth(stand, order, resent, "retry", must_find=processed or native)
        seen.append(f"retry: {words(resent)}")
    return "; ".join(seen) or "the record has neither retry nor status: unknown stays unknown"


async def _expect_truth(stand: Stand, order: ProvisionOrder, outcome: Any, name: str, *, must_find: bool) -> None:
    """An answer about an earlier request must agree with the provider's books."""
    state = await stand.expect_at_most_one_voucher(order)
    expect(not isinstance(outcome, NotSent | Declined), f"{name} not to call the first message off", outcome)
    if must_find:
        expect(isinstance(outcome, Approved), f"{name} Approved with the voucher", outcome)
    if isinstance(outcome, Approved):
        expect(state is not None, f"no approval by {name}: the books have no voucher", outcome)
        same = outcome.voucher is not None and state is not None and outcome.voucher.code == state["code"]
        expect(same, f"{name} to bring the voucher in the books", "another one, or none")


@scenario("not-found-settles", 5, needs=sends("status"))
async def not_found_settles(stand: Stand) -> str:
    """ "Not found" is a doubt until settle_ms has passed since the request left, and proof from then on."""
    order = stand.order()
    await stand.sim.fault("drop_before", "provision")
    await stand.unknown(order)
    for sent_ms_ago in (0, SETTLE_MS - 1):
        early = await stand.ask(stand.connector.status, stand.status_order(order, sent_ms_ago=sent_ms_ago))
        expect(isinstance(early, OutcomeUnknown), f"OutcomeUnknown {sent_ms_ago} ms after the request", early)
    proved = await stand.ask(stand.connector.status, stand.status_order(order, sent_ms_ago=SETTLE_MS))
    expect(isinstance(proved, NotSent), f"NotSent {SETTLE_MS} ms after the request", proved)
    await stand.expect_sent_once()
    return words(proved)


def _redeem_status(profile: KitProfile, record: Capabilities) -> str | None:
    return sends("redeem")(profile, record) or sends("redeemStatus")(profile, record)


def _cut_redeem(kind: str, *, processed: bool) -> Scenario:
    title = f"A redemption that meets {kind} is a doubt, and asking ends it with what the books hold."

    @scenario(f"cut-redeem-{kind}", 4 if processed else 5, needs=_redeem_status, title=title)
    async def check(stand: Stand) -> str:
        sale, voucher = await stand.usable(stand.order())
        order = stand.redeem_order(voucher, sale)
        await stand.sim.fault(kind, "redeem")
        outcome = await stand.ask(stand.connector.redeem, order)
        expect(isinstance(outcome, OutcomeUnknown), "OutcomeUnknown", outcome)
        await stand.expect_sent_once("redeem")
        early = await stand.ask(stand.connector.redeem_status, stand.status_order(order))
        late = await stand.ask(stand.connector.redeem_status, stand.status_order(order, sent_ms_ago=SETTLE_MS))
        if processed:
            expect(isinstance(early, Approved), "Approved: it was redeemed", early)
            expect(isinstance(late, Approved), "Approved: it was redeemed", late)
        else:
            expect(isinstance(early, OutcomeUnknown), "OutcomeUnknown before settle_ms", early)
            expect(isinstance(late, NotSent), "NotSent once settled", late)
        return words(late)

    return check


def _expect_not_sent(outcome: object) -> None:
    proved = isinstance(outcome, NotSent) and outcome.error_type is ErrorType.UPSTREAM_UNAVAILABLE
    expect(proved, "NotSent UPSTREAM_UNAVAILABLE", outcome)


SCENARIOS: Final[tuple[Scenario, ...]] = (
    stopped,
    refused,
    *(_cut(kind) for kind in CUTS),
    not_found_settles,
    _cut_redeem("drop_before", processed=False),
    _cut_redeem("drop_after", processed=True),
)
