"""Mode trade: the traps of the REST API, its error table, and what its answers prove (providers.md 8.6)."""

from typing import Any

import pytest

from providers.bluvoucher.blu_support import (
    FIRST_PIN,
    SETTLED,
    Blu,
    advice_order,
    lookup_order,
    provision_order,
    redeem_order,
)
from providers.provider_support import R1, R2, SAMPLE_TIME, SPOILT, an_id, status_order
from voucherswitch.message.codes import ErrorType
from voucherswitch.message.outcomes import Acknowledged, Approved, Declined, NotSent, OutcomeUnknown, Pending
from voucherswitch.message.parties import Voucher

# 8.6, row "Errors": what a test orders -> family, errorType, alert; for a sale and for a redemption
ERRORS: dict[str, tuple[tuple[str, str, str | None], tuple[str, str, str | None]]] = {
    "AMOUNT": (("Declined", "INVALID_AMOUNT", None), ("Declined", "INVALID_AMOUNT", None)),
    "400": (("NotSent", "GENERAL_ERROR", "message_refused"), ("NotSent", "GENERAL_ERROR", "message_refused")),
    "401": (("NotSent", "ROUTING_ERROR", "credentials_refused"), ("NotSent", "ROUTING_ERROR", "credentials_refused")),
    "403": (("NotSent", "ROUTING_ERROR", "credentials_refused"), ("NotSent", "ROUTING_ERROR", "credentials_refused")),
    "404": (("NotSent", "ROUTING_ERROR", None), ("Declined", "INVALID_VOUCHER", None)),
    "409": (("OutcomeUnknown", "DUPLICATE_RECORD", None), ("OutcomeUnknown", "DUPLICATE_RECORD", None)),
    "DUPLICATE": (("OutcomeUnknown", "DUPLICATE_RECORD", None), ("OutcomeUnknown", "DUPLICATE_RECORD", None)),
    # A sale uses no voucher: there "used" can only be the requestId.
    "USED": (("OutcomeUnknown", "DUPLICATE_RECORD", None), ("Declined", "VOUCHER_ALREADY_REDEEMED", None)),
    "500": (("OutcomeUnknown", "UPSTREAM_UNAVAILABLE", None), ("OutcomeUnknown", "UPSTREAM_UNAVAILABLE", None)),
    "503": (("OutcomeUnknown", "UPSTREAM_UNAVAILABLE", None), ("OutcomeUnknown", "UPSTREAM_UNAVAILABLE", None)),
    "429": (("OutcomeUnknown", "UPSTREAM_UNAVAILABLE", None), ("OutcomeUnknown", "UPSTREAM_UNAVAILABLE", None)),
    "ODD": (("OutcomeUnknown", "UPSTREAM_UNAVAILABLE", None), ("OutcomeUnknown", "UPSTREAM_UNAVAILABLE", None)),
}


def seen(outcome: Any) -> tuple[str, str, str | None]:
    return type(outcome).__name__, outcome.error_type, getattr(outcome, "alert", None)


@pytest.mark.parametrize("code", ERRORS)
async def test_every_listed_error_and_unlisted_ones(blu: Blu, code: str) -> None:
    of_a_sale, of_a_voucher = ERRORS[code]
    await blu.fault("decline", op="provision", params={"code": code})
    sale = await blu.trade.provision(provision_order(), blu.call())
    assert seen(sale) == of_a_sale
    await blu.fault("decline", op="redeem", params={"code": code})
    redemption = await blu.trade.redeem(redeem_order(), blu.call())
    assert seen(redemption) == of_a_voucher
    for outcome in (sale, redemption):
        assert not isinstance(outcome, Approved)
        assert outcome.provider_code == code
    assert (await blu.totals())["vouchers"] == 0


async def test_the_happy_path(blu: Blu) -> None:
    await blu.at(SAMPLE_TIME)
    sold = await blu.trade.provision(provision_order(), blu.call())
    assert isinstance(sold, Approved)
    assert sold.voucher == Voucher(
        code=FIRST_PIN,
        serial_number="BS00000001",
        expires_at="2029-03-02T21:59:59.000Z",
        instructions=("Redeem at a partner site",),
    )
    assert (sold.provider_ref, sold.refs) == ("TR0000000001", {})
    found = await blu.trade.lookup(lookup_order(), blu.call())
    assert isinstance(found, Approved)
    assert (found.approved_cents, found.balance_cents, found.voucher_state) == (10_000, 10_000, "ACTIVE")
    redeemed = await blu.trade.redeem(redeem_order(), blu.call())
    assert redeemed == Approved(approved_cents=10_000, balance_cents=0, provider_ref="TR0000000002")
    again = await blu.trade.redeem(redeem_order(request_id=an_id(1)), blu.call())
    assert again == Declined(ErrorType.VOUCHER_ALREADY_REDEEMED, "USED", "Voucher was used")
    used = await blu.trade.lookup(lookup_order(), blu.call())
    assert isinstance(used, Approved)
    assert (used.approved_cents, used.balance_cents, used.voucher_state) == (0, 0, "USED")
    assert blu.wire_ops() == [
        "POST /voucher/variable/sales",
        "GET /voucher/variable/vouchers",
        "POST /voucher/variable/redemptions",
        "POST /voucher/variable/redemptions",
        "GET /voucher/variable/vouchers",
    ]


async def test_a_partial_redemptions_replacement_is_the_voucher_of_its_approval(blu: Blu) -> None:
    """The customer's old PIN is dead: what is left is in the new one and nowhere else."""
    await blu.at(SAMPLE_TIME)
    await blu.traded()
    outcome = await blu.trade.redeem(redeem_order(amount_cents=4_000), blu.call())
    replacement = Voucher(
        code=f"{int(FIRST_PIN) + 1}", serial_number="BS00000002", expires_at="2029-03-02T21:59:59.000Z"
    )
    assert outcome == Approved(approved_cents=4_000, balance_cents=0, voucher=replacement, provider_ref="TR0000000002")
    rest = await blu.trade.redeem(redeem_order(replacement.code, 0, an_id(1)), blu.call())
    assert isinstance(rest, Approved)
    assert (rest.approved_cents, rest.voucher) == (6_000, None)
    old = await blu.trade.redeem(redeem_order(request_id=an_id(2)), blu.call())
    assert isinstance(old, Declined)


@pytest.mark.parametrize("kind", ["no_pin", "bad_pin"])
async def test_a_replacement_that_cannot_be_used_is_a_doubt(blu: Blu, kind: str) -> None:
    await blu.traded()
    await blu.fault(kind, op="redeem")
    outcome = await blu.trade.redeem(redeem_order(amount_cents=4_000), blu.call())
    assert isinstance(outcome, OutcomeUnknown)
    assert outcome.alert == "bad_answer"


async def test_a_pin_in_an_address_is_shown_to_nobody(blu: Blu) -> None:
    await blu.traded()
    await blu.trade.lookup(lookup_order(), blu.call())
    assert blu.legs[-1].request == "GET /v2/trade/voucher/variable/vouchers?token=***"
    await blu.fault("http", op="lookup", params={"status": 404, "body": {"message": f"no voucher {FIRST_PIN}"}})
    refused = await blu.trade.lookup(lookup_order(), blu.call())
    assert isinstance(refused, Declined)
    assert FIRST_PIN not in repr(refused)
    assert FIRST_PIN not in repr(blu.legs)


async def test_409_duplicate_is_a_doubt(blu: Blu) -> None:
    await blu.traded()
    again = await blu.trade.provision(provision_order(), blu.call())
    assert again == OutcomeUnknown(ErrorType.DUPLICATE_RECORD, "DUPLICATE", "Request was processed before")
    assert (await blu.state(reference=R1))["vouchers"] == 1


async def test_nothing_is_resent_without_the_flag(blu: Blu) -> None:
    await blu.fault("drop_after", op="provision")
    assert isinstance(await blu.trade.provision(provision_order(), blu.call()), OutcomeUnknown)
    retried = await blu.trade.retry(provision_order(sent_ms_ago=1), blu.call())
    assert retried == OutcomeUnknown(ErrorType.FUNCTION_NOT_SUPPORTED)
    assert blu.wire_ops("provision") == ["POST /voucher/variable/sales"]


@pytest.mark.parametrize("resend", ["replay", "conflict"])
async def test_with_the_flag_the_same_request_id_is_sent_again(blu: Blu, resend: str) -> None:
    blu.simulator.provider.set_profile({"resend": resend})
    replaying = blu.trade_with(requestid_replay=True)
    await blu.fault("drop_after", op="provision")
    assert isinstance(await replaying.provision(provision_order(), blu.call()), OutcomeUnknown)
    retried = await replaying.retry(provision_order(sent_ms_ago=1), blu.call())
    if resend == "replay":
        assert isinstance(retried, Approved)
        assert retried.voucher is not None
        assert retried.voucher.code == (await blu.state(reference=R1))["code"]
    else:
        assert isinstance(retried, OutcomeUnknown)
        assert retried.error_type is ErrorType.DUPLICATE_RECORD
    assert (await blu.state(reference=R1))["vouchers"] == 1


async def test_a_resend_that_is_not_processed_says_nothing_of_the_first(blu: Blu) -> None:
    replaying = blu.trade_with(requestid_replay=True)
    await blu.fault("decline", params={"code": "401"})
    assert isinstance(await replaying.retry(provision_order(), blu.call()), OutcomeUnknown)
    await blu.fault("decline", params={"code": "AMOUNT"})
    assert isinstance(await replaying.retry(provision_order(), blu.call()), Declined)


@pytest.mark.parametrize(
    "kind",
    [
        *("drop_before", "drop_after", "rst_before", "rst_after", "hang_before", "hang_after"),
        *("late_processing", "malformed", "truncate", "oversize", "http", "wrong_amount", "wrong_reference", "no_pin"),
        "bad_pin",
    ],
)
async def test_a_cut_or_spoilt_sale_is_a_doubt_and_one_voucher_at_most(blu: Blu, kind: str) -> None:
    connector = blu.trade_with(read_timeout_ms=250)
    await blu.fault(kind, op="provision", params={"ms": 1_000, "status": 500})
    outcome = await connector.provision(provision_order(), blu.call())
    assert isinstance(outcome, OutcomeUnknown)
    assert (outcome.alert == "bad_answer") == (kind in SPOILT)
    await blu.advance(1_000)
    assert (await blu.totals())["vouchers"] <= 1
    assert blu.wire_ops("provision") == ["POST /voucher/variable/sales"]


async def test_amounts_are_in_cents_or_rand_as_the_setting_says(blu: Blu) -> None:
    await blu.traded(amount_cents=12_345)
    for unit in ("cents", "rand"):
        blu.simulator.provider.set_profile({"lookupUnit": unit})
        connector = blu.trade_with(trade_lookup_unit=unit)
        found = await connector.lookup(lookup_order(), blu.call())
        assert isinstance(found, Approved)
        assert found.approved_cents == 12_345
    # Rand where cents are expected has a fraction, which cents never have.
    wrong = await blu.trade.lookup(lookup_order(), blu.call())
    assert isinstance(wrong, OutcomeUnknown)
    assert wrong.alert == "bad_answer"


async def test_lookups_are_off_by_default(blu: Blu) -> None:
    off = blu.trade_with(trade_lookup=False)
    assert await off.lookup(lookup_order(), blu.call()) == Declined(ErrorType.FUNCTION_NOT_SUPPORTED)
    assert blu.legs == []


@pytest.mark.parametrize("event", ["BLOCK", "EXPIRE"])
async def test_a_dead_voucher_is_not_redeemed(blu: Blu, event: str) -> None:
    await blu.traded()
    await blu.world(FIRST_PIN, event)
    assert isinstance(await blu.trade.redeem(redeem_order(), blu.call()), Declined)
    found = await blu.trade.lookup(lookup_order(), blu.call())
    assert isinstance(found, Approved)
    assert (found.approved_cents, found.voucher_state) == (0, "EXPIRED")


async def test_what_the_trade_api_has_not_is_not_sent(blu: Blu) -> None:
    """14: advices are consumed by the switch; a wrong record would find them harmless."""
    await blu.traded()
    sent = len(blu.legs)
    assert isinstance(await blu.trade.confirm(advice_order(), blu.call()), Pending)
    assert isinstance(await blu.trade.reverse(advice_order(), blu.call()), Pending)
    assert isinstance(await blu.trade.status(status_order(sent_ms_ago=SETTLED), blu.call()), OutcomeUnknown)
    assert isinstance(await blu.trade.products(blu.call()), OutcomeUnknown)
    assert len(blu.legs) == sent


async def test_what_cannot_be_is_refused_here(blu: Blu) -> None:
    assert await blu.trade.provision(provision_order(amount_cents=0), blu.call()) == Declined(ErrorType.INVALID_AMOUNT)
    nowhere = blu.trade_with(default_outlet=None)
    assert await nowhere.provision(provision_order(), blu.call()) == NotSent(ErrorType.ROUTING_ERROR)
    assert await blu.trade.redeem(redeem_order("12"), blu.call()) == Declined(ErrorType.INVALID_VOUCHER)
    assert blu.legs == []
    strange = blu.trade_with(default_outlet="S999")
    assert await strange.provision(provision_order(), blu.call()) == NotSent(
        ErrorType.ROUTING_ERROR, "404", "Unknown account"
    )


async def test_credentials_and_the_channel_header_are_sent_and_not_recorded(blu: Blu) -> None:
    wrong = blu.trade_with(api_password="another-password")
    refused = await wrong.provision(provision_order(), blu.call())
    assert refused == NotSent(ErrorType.ROUTING_ERROR, "401", "Credentials refused", alert="credentials_refused")
    named = blu.trade_with(vend_channel="API")
    assert isinstance(await named.provision(provision_order(request_id=R2), blu.call()), Approved)
    assert "another-password" not in repr(blu.legs)


async def test_both_modes_sell_from_one_balance(blu: Blu) -> None:
    await blu.issued(R1)
    await blu.traded(R2)
    assert blu.simulator.provider.book.float_cents == 100_000_000 - 20_000
    assert (await blu.aeon.reverse(advice_order(R2, sent_ms_ago=SETTLED), blu.call())) == Acknowledged()
    assert (await blu.state(reference=R2))["state"] == "ACTIVE"  # AEON knows nothing of it, so its answer is "unknown"
    await blu.control("POST", "/float", {"cents": 9_999})
    assert isinstance(await blu.trade.provision(provision_order(request_id=an_id(1)), blu.call()), NotSent)
    exhausted = await blu.aeon.provision(provision_order(request_id=an_id(2)), blu.call())
    assert exhausted == NotSent(ErrorType.DO_NOT_HONOUR, "753", "Float exhausted", alert="float_exhausted")
