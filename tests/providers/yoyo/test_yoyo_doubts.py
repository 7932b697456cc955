"""What a doubt at Yoyo leaves behind, and what ends it: never a guess, never with somebody else's words."""

import asyncio
from typing import Any

import msgspec
import pytest

from providers.pair_support import Pair
from providers.provider_support import R2, SETTLED, STORE, Heard, an_id, answer, raw_server
from providers.yoyo.yoyo_support import (
    CODE,
    DETAILS_TEXT,
    ISSUE_ANSWER,
    KEPT_TEXT,
    RULES,
    TRANSACTION_ANSWER,
    advice_order,
    lookup_order,
    provision_order,
    redeem_order,
    redeem_status_order,
    redeemed,
    sold,
)
from voucherswitch.message.codes import ErrorType
from voucherswitch.message.orders import AdviceOrder, RedeemOrder
from voucherswitch.message.outcomes import Acknowledged, Approved, Declined, NotSent, OutcomeUnknown, Pending, Refused
from voucherswitch.providers.contract.families import Family, Meaning
from voucherswitch.providers.contract.transport.http import HttpAnswer
from voucherswitch.providers.yoyo import translate, translate_pos
from voucherswitch.providers.yoyo.connector import connect
from voucherswitch.providers.yoyo.errors import Told
from voucherswitch.providers.yoyo.products import CampaignRef, Kind
from voucherswitch.providers.yoyo.translate_pos import Redeemed

DETAILS = translate_pos.details_of(R2, "S001", STORE)
SENT = {"storeTrxDetails": KEPT_TEXT}
ANOTHER_TILL = msgspec.structs.replace(STORE, terminal_id="TERM0009", operator_id=None)
CARD = CampaignRef(Kind.GIFT_CARD, 3001)
USER_REF = "vsw-5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13"


async def lost(pair: Pair, **more: Any) -> OutcomeUnknown:
    """A redemption that is booked, and whose answer nobody heard."""
    await sold(pair)
    await pair.fault("drop_after", op="redeem")
    outcome = await pair.connector.redeem(redeem_order(amount_cents=4_000, **more), pair.call())
    assert isinstance(outcome, OutcomeUnknown)
    assert await balance(pair) == 6_000
    return outcome


async def balance(pair: Pair) -> int:
    left: int = (await pair.state(code=CODE))["balanceCents"]
    return left


def from_elsewhere(order: AdviceOrder) -> AdviceOrder:
    return msgspec.structs.replace(order, store=ANOTHER_TILL)


# An advice names a redemption as it was booked


@pytest.mark.parametrize(("told", "left"), [(Told.REVERSE, 10_000), (Told.FINALISE, 6_000)])
async def test_an_advice_repeats_what_the_history_has_and_not_what_we_would_book_today(
    yoyo: Pair, told: Told, left: int
) -> None:
    await lost(yoyo)
    tell = yoyo.connector.reverse_redeem if told is Told.REVERSE else yoyo.connector.confirm_redeem
    order = from_elsewhere(advice_order(R2, sent_ms_ago=SETTLED))
    assert await tell(order, yoyo.call()) == Acknowledged()
    assert await balance(yoyo) == left
    assert (await yoyo.state(code=CODE))["events"][-1]["event"] == (
        "RELEASED 4000" if told is Told.REVERSE else "REDEEMED 4000"
    )


async def test_what_a_status_puts_into_refs_is_what_was_booked(yoyo: Pair) -> None:
    await lost(yoyo)
    asked = msgspec.structs.replace(redeem_status_order(SETTLED, 4_000), store=ANOTHER_TILL)
    found = await yoyo.connector.redeem_status(asked, yoyo.call())
    assert isinstance(found, Approved)
    assert found.refs == {"wiTrxId": "70001234"} | SENT
    confirmed = await yoyo.connector.confirm_redeem(advice_order(R2, found.refs), yoyo.call())
    assert confirmed == Acknowledged()


@pytest.mark.parametrize("op", ["reverseRedeem", "confirmRedeem"])
async def test_not_knowing_what_the_history_just_named_is_never_the_end(yoyo: Pair, op: str) -> None:
    """8804 to a reversal is "done" after the settle time, but here the value is certainly held."""
    await lost(yoyo)
    await yoyo.fault("decline", op=op, params={"code": "08804"})
    tell = yoyo.connector.reverse_redeem if op == "reverseRedeem" else yoyo.connector.confirm_redeem
    order = advice_order(R2, sent_ms_ago=SETTLED)
    waiting = await tell(order, yoyo.call())
    assert waiting == Pending(cause="a redemption that it just named is not known", alert="bad_answer")
    assert await balance(yoyo) == 6_000
    assert await tell(order, yoyo.call()) == Acknowledged()


async def test_a_part_that_its_own_provider_does_not_know_is_not_declined(yoyo: Pair) -> None:
    """Without a settle time too: the answer named the transaction a moment ago."""
    await sold(yoyo)
    await yoyo.profile(partial=True)
    await yoyo.fault("decline", op="reverseRedeem", params={"code": "8804"})
    hasty = yoyo.with_settings(settle_ms=0)
    outcome = await hasty.redeem(redeem_order(amount_cents=15_000), yoyo.call())
    assert isinstance(outcome, OutcomeUnknown)
    assert (outcome.alert, outcome.refs) == ("bad_answer", SENT)
    assert await balance(yoyo) == 0
    assert await hasty.reverse_redeem(advice_order(R2, outcome.refs), yoyo.call()) == Acknowledged()
    assert await balance(yoyo) == 10_000


@pytest.mark.parametrize("name", ["storeId", "basketId", "posId", "cashierId"])
@pytest.mark.parametrize("value", [None, "", "x" * 51, 7])
def test_a_history_without_whole_details_names_nothing_that_can_be_advised(name: str, value: object) -> None:
    told = {
        "wiTrxId": 70001234,
        "type": "PAYMENT",
        "state": "P",
        "totalAmountProcessed": 4_000,
        "storeTrxDetails": msgspec.json.decode(DETAILS_TEXT) | {name: value},
    }
    found = translate_pos.from_history(answer({"responseCode": "-1", "transaction": told}), R2)
    assert isinstance(found, OutcomeUnknown)
    assert found.alert == "bad_answer"


# The store that was sent


@pytest.mark.parametrize("kind", ["drop_after", "drop_before", "malformed", "vsp_timeout", "wrong_amount", "http"])
async def test_every_doubt_tells_what_was_sent(yoyo: Pair, kind: str) -> None:
    await sold(yoyo)
    await yoyo.fault(kind, op="redeem", params={"deltaCents": 1} if kind == "wrong_amount" else {})
    outcome = await yoyo.connector.redeem(redeem_order(), yoyo.call())
    assert isinstance(outcome, OutcomeUnknown)
    assert outcome.refs == SENT


async def test_a_lost_redemption_is_found_in_the_store_it_was_sent_for(yoyo: Pair) -> None:
    """The till moved to another outlet while nobody knew what had become of the redemption."""
    refs = (await lost(yoyo)).refs
    later = yoyo.with_settings(default_outlet="S002", outlet_map={"TERM0001": "S003"})
    asked = msgspec.structs.replace(redeem_status_order(SETTLED, 4_000), refs=refs)
    found = await later.redeem_status(asked, yoyo.call())
    assert isinstance(found, Approved)
    assert found.refs == {"wiTrxId": "70001234"} | SENT
    assert await later.reverse_redeem(advice_order(R2, refs, SETTLED), yoyo.call()) == Acknowledged()
    assert await balance(yoyo) == 10_000


async def test_a_confirmation_goes_to_the_store_that_was_sent(yoyo: Pair) -> None:
    refs = (await lost(yoyo)).refs
    later = yoyo.with_settings(default_outlet="S002")
    assert await later.confirm_redeem(advice_order(R2, refs, SETTLED), yoyo.call()) == Acknowledged()
    assert (await yoyo.state(code=CODE))["events"][-1]["event"] == "REDEEMED 4000"


async def test_without_word_of_the_store_not_found_proves_nothing_where_there_are_several(yoyo: Pair) -> None:
    """The worker died over the redemption, and the map may have changed since."""
    await lost(yoyo)
    later = yoyo.with_settings(default_outlet="S001", outlet_map={STORE.merchant_id: "S002"})
    elsewhere = "it may have been sent for another store"
    for advise in (later.reverse_redeem, later.confirm_redeem):
        assert await advise(advice_order(R2, sent_ms_ago=SETTLED), yoyo.call()) == Pending(cause=elsewhere)
    status = await later.redeem_status(redeem_status_order(SETTLED, 4_000), yoyo.call())
    assert status == OutcomeUnknown(provider_code="8804", provider_message=elsewhere)
    assert await balance(yoyo) == 6_000


async def test_without_word_of_the_store_it_is_asked_for_todays(yoyo: Pair) -> None:
    await lost(yoyo)
    several = yoyo.with_settings(outlet_map={"elsewhere": "S002"})
    assert isinstance(await several.redeem_status(redeem_status_order(SETTLED, 4_000), yoyo.call()), Approved)
    assert await several.reverse_redeem(advice_order(R2, sent_ms_ago=SETTLED), yoyo.call()) == Acknowledged()
    assert await balance(yoyo) == 10_000


@pytest.mark.parametrize("refs", [{}, SENT])
async def test_not_found_is_proof_where_the_store_is_certain(yoyo: Pair, refs: dict[str, str]) -> None:
    """Either it is the one that was sent, or all tills have the same one."""
    outlets = {STORE.merchant_id: "S002"} if refs else {STORE.merchant_id: "S001"}
    connector = yoyo.with_settings(outlet_map=outlets)
    asked = msgspec.structs.replace(redeem_status_order(SETTLED), refs=refs)
    assert isinstance(await connector.redeem_status(asked, yoyo.call()), NotSent)
    assert await connector.reverse_redeem(advice_order(R2, refs, SETTLED), yoyo.call()) == Acknowledged()
    assert isinstance(await connector.confirm_redeem(advice_order(R2, refs, SETTLED), yoyo.call()), Refused)
    # Not before the settle time, and not by a clock that was set back.
    for age in (29_999, -1):
        young = msgspec.structs.replace(asked, sent_ms_ago=age)
        assert isinstance(await connector.redeem_status(young, yoyo.call()), OutcomeUnknown)
        assert isinstance(await connector.reverse_redeem(advice_order(R2, refs, age), yoyo.call()), Pending)
        assert isinstance(await connector.confirm_redeem(advice_order(R2, refs, age), yoyo.call()), Pending)


@pytest.mark.parametrize("kept", ["", "{", "[]", '{"storeId":"S001"}', "\x00"])
def test_spoilt_refs_are_as_good_as_none(kept: str) -> None:
    assert translate_pos.sent({"storeTrxDetails": kept}, STORE) is None


# What is left on a card


def card(**more: object) -> HttpAnswer:
    shown = msgspec.json.decode(ISSUE_ANSWER)
    shown["giftcard"] |= {"balance": 6_000} | more
    return answer(shown)


@pytest.mark.parametrize(
    ("said", "left"),
    [
        (card(), 6_000),
        (card(wicode=None), 6_000),
        (card(balance=0), 0),
        (card(balance=6_001), None),  # more than the card's value without what was just taken
        (card(balance=-1), None),
        (card(balance="0"), None),
        (card(balance=None), None),
        (card(balance=0, id=900146), None),
        (card(balance=0, wicode="410020030041"), None),
        (answer({"responseCode": "9006", "giftcard": {"balance": 0}}), None),
        (answer({"responseCode": "-1"}), None),
        (answer(b"", 500), None),
    ],
)
def test_nothing_is_left_only_where_the_answer_proves_it(said: HttpAnswer, left: int | None) -> None:
    assert translate.balance_of(said, 900145, CODE, 4_000) == left


@pytest.mark.parametrize(
    "parts",
    [
        b"",
        b'{"type":"GIFTCARD","itemId":900145},{"type":"GIFTCARD","itemId":900146}',
        b'{"type":"GIFTCARD","itemId":900145},{"type":"COUPON","itemId":7}',
        b'{"type":"COUPON","itemId":900145}',
        b'{"type":"GIFTCARD"}',
    ],
)
def test_only_a_redemption_of_one_card_has_a_balance_to_ask_for(parts: bytes) -> None:
    shown = msgspec.json.decode(TRANSACTION_ANSWER)
    shown["redemptions"] = msgspec.json.decode(b"[" + parts + b"]")
    found = translate_pos.from_transaction(answer(shown), redeem_order(), DETAILS, RULES, allow_partial=False)
    assert isinstance(found, Redeemed)
    assert (found.item_id, found.outcome.balance_cents) == (None, None)


# Answers that name nothing


async def test_no_redemption_or_advice_shares_a_connection() -> None:
    """Their answers repeat nothing of the request: on a kept connection one that came twice would approve the next."""
    once = TRANSACTION_ANSWER
    smaller = once.replace(b"10000", b"4000").replace(b"70001234", b"70001235")
    told = [once, smaller, b'{"responseCode":"-1"}', b'{"responseCode":"-1"}']

    async def behave(heard: Heard, writer: asyncio.StreamWriter) -> bool:
        body = once if heard.request else told.pop(0)  # a second request here is answered with the first one's answer
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        await writer.drain()
        return True

    async with raw_server(behave) as server:
        settings = {
            "base_url": server.url,
            "api_id": "a",
            "api_password": "b",
            "pos_id": "c",
            "pos_password": "d",
            "default_outlet": "S001",
            "ask_balance": False,
        }
        connector = connect("yoyo", settings)
        pair = Pair(None, connector, connect, {})  # type: ignore[arg-type]
        first = await connector.redeem(redeem_order(), pair.call())
        second = await connector.redeem(redeem_order(amount_cents=4_000, request_id=an_id(1)), pair.call())
        assert isinstance(first, Approved)
        assert isinstance(second, Approved)
        assert (second.approved_cents, second.provider_ref) == (4_000, "70001235")
        assert await connector.confirm_redeem(advice_order(R2, first.refs), pair.call()) == Acknowledged()
        assert await connector.reverse_redeem(advice_order(an_id(1), second.refs), pair.call()) == Acknowledged()
        assert len(server.connections) == 4
        await connector.close()


# The settings' code map


def test_the_code_map_turns_no_listed_answer_to_an_advice_round() -> None:
    decline = Meaning(Family.DECLINED, ErrorType.TRANSACTION_DECLINED)
    rules = msgspec.structs.replace(RULES, code_map=dict.fromkeys(("8804", "8805", "8806", "9006", "401"), decline))
    early, late = advice_order(R2), advice_order(R2, sent_ms_ago=SETTLED)
    unknown, expired = answer({"responseCode": "8804"}), answer({"responseCode": "9006"})
    assert isinstance(translate_pos.from_advise(unknown, early, Told.REVERSE, rules), Pending)
    assert translate_pos.from_advise(unknown, late, Told.REVERSE, rules) == Acknowledged()
    undone = answer({"responseCode": "08806"})
    assert translate_pos.from_advise(undone, late, Told.REVERSE, rules) == Acknowledged()
    assert translate.from_delete(expired, advice_order(), rules) == Acknowledged()
    refused = translate.from_delete(answer(b"", 401), advice_order(), rules)
    assert isinstance(refused, Pending)
    assert refused.alert == "credentials_refused"


# Nothing that is kept in clear is a code


def test_a_reference_that_is_the_code_approves_nothing() -> None:
    finding = OutcomeUnknown(provider_message="a reference holds the voucher's code", alert="bad_answer")
    issued = translate.from_issue(card(balance=10_000, id=int(CODE)), provision_order(), CARD, USER_REF, RULES)
    assert issued == finding
    shown = msgspec.json.decode(TRANSACTION_ANSWER) | {"wiTrxId": int(CODE)}
    taken = translate_pos.from_transaction(answer(shown), redeem_order(), DETAILS, RULES, allow_partial=False)
    assert taken == finding
    for details in (DETAILS, msgspec.structs.replace(DETAILS, pos_id=CODE)):
        row = translate_pos.Recorded(int(CODE) if details is DETAILS else 1, "P", 10_000, details)
        asked = msgspec.structs.replace(redeem_status_order(), voucher_code=CODE)
        assert translate_pos.from_redeem_status(row, asked, RULES, allow_partial=False) == finding


async def test_no_leg_shows_a_code_that_an_answer_quotes_anywhere(yoyo: Pair) -> None:
    """The end of each test with this simulator looks for codes in all legs (check 19)."""
    await sold(yoyo)
    quoted = {"responseCode": "7777", "note": CODE, "smsMessage": f"Your code is {CODE}", "responseDesc": f"not {CODE}"}
    known = {"voucher_code": CODE}
    asked = msgspec.structs.replace(redeem_status_order(SETTLED), **known)
    advice = msgspec.structs.replace(advice_order(R2, sent_ms_ago=SETTLED), **known)
    item = msgspec.structs.replace(advice_order(refs={"kind": "giftcard", "id": "900145"}), **known)
    connector = yoyo.connector
    for op, send in (
        ("redeemStatus", lambda: connector.redeem_status(asked, yoyo.call())),
        ("redeemStatus", lambda: connector.reverse_redeem(advice, yoyo.call())),
        ("reverse", lambda: connector.reverse(item, yoyo.call())),
        ("lookup", lambda: connector.lookup(lookup_order(), yoyo.call())),
        ("redeem", lambda: connector.redeem(redeem_order(), yoyo.call())),
    ):
        await yoyo.fault("http", op=op, params={"status": 200, "body": quoted})
        outcome = await send()
        assert CODE not in repr(outcome)
        assert isinstance(outcome, OutcomeUnknown | Pending)
    del quoted["note"]  # of an issue nobody knows the code yet
    await yoyo.fault("http", op="provision", params={"status": 200, "body": quoted})
    assert CODE not in repr(await connector.provision(provision_order(), yoyo.call()))


# A date is not worth a voucher


@pytest.mark.parametrize(
    ("told", "expires"),
    [
        ("2029-03-01T23:59:59+0200", "2029-03-01T21:59:59.000Z"),
        ("2029-03-01T23:59:59", "2029-03-01T21:59:59.000Z"),
        ("2029-03-01", "2029-03-01T21:59:59.000Z"),
        ("soon", None),
        ("", None),
        (None, None),
        (1_866_837_599_000, None),
        ({"date": "2029-03-01"}, None),
    ],
)
def test_an_item_is_sold_whatever_its_expiry_looks_like(told: object, expires: str | None) -> None:
    said = card(balance=10_000, expiryDate=told)
    issued = translate.from_issue(said, provision_order(), CARD, USER_REF, RULES)
    assert isinstance(issued, Approved)
    assert issued.voucher is not None
    assert (issued.voucher.code, issued.voucher.expires_at) == (CODE, expires)


# When "not found" is proof


@pytest.mark.parametrize(
    ("sent_ms_ago", "settled_ms_ago", "expected"),
    [
        (SETTLED, 0, OutcomeUnknown),  # the last call may still be on its way in, however old the first one is
        (SETTLED, 29_999, OutcomeUnknown),
        (0, 30_000, NotSent),
        (SETTLED, -1, OutcomeUnknown),
    ],
)
async def test_a_retry_waits_for_the_last_call_to_settle(
    yoyo: Pair, sent_ms_ago: int, settled_ms_ago: int, expected: type
) -> None:
    order = provision_order(sent_ms_ago=sent_ms_ago, settled_ms_ago=settled_ms_ago)
    assert type(await yoyo.connector.retry(order, yoyo.call())) is expected


async def test_what_is_not_in_doubt_leaves_no_refs_of_one(yoyo: Pair) -> None:
    await sold(yoyo)
    too_much = await yoyo.connector.redeem(redeem_order(amount_cents=20_000), yoyo.call())
    assert isinstance(too_much, Declined)
    approved = await redeemed(yoyo, RedeemOrder(an_id(1), 4_000, "710", CODE, STORE))
    assert set(approved.refs) == {"wiTrxId", "storeTrxDetails"}
