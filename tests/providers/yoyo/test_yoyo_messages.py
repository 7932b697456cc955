"""Yoyo's messages without a simulator: samples byte for byte, the code table, settings, hostile bytes."""

import asyncio
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.provider_support import R1, R2, STORE, Heard, answer, raw_server
from providers.yoyo.yoyo_support import (
    CODE,
    CVS_HEADERS,
    FINALISE_BODY,
    ISSUE_ANSWER,
    ISSUE_BODY,
    ITEM_REFS,
    KEPT_TEXT,
    POS_HEADERS,
    RULES,
    TRANSACTION_ANSWER,
    TRANSACTION_BODY,
    VOUCHER,
    advice_order,
    lookup_order,
    provision_order,
    redeem_order,
    redeem_status_order,
    status_order,
)
from voucherswitch.message.codes import ErrorType
from voucherswitch.message.outcomes import Acknowledged, Approved, Declined, NotSent, OutcomeUnknown, Pending, Refused
from voucherswitch.message.trace import Trace
from voucherswitch.providers.contract.capabilities import Support
from voucherswitch.providers.contract.connector import Call, Connector, ProviderSettingsError
from voucherswitch.providers.contract.families import Family, Meaning
from voucherswitch.providers.contract.transport.http import HttpAnswer
from voucherswitch.providers.yoyo import translate, translate_lists, translate_pos
from voucherswitch.providers.yoyo.connector import connect
from voucherswitch.providers.yoyo.errors import Told, by_number
from voucherswitch.providers.yoyo.products import (
    CAMPAIGNS_KEPT_MAX,
    VALUE_KEPT_S,
    CampaignRef,
    CampaignValues,
    Kind,
    campaign_of,
)
from voucherswitch.providers.yoyo.signing import password_header
from voucherswitch.providers.yoyo.translate_lists import Found, Nothing, Page
from voucherswitch.providers.yoyo.translate_pos import Partial, Recorded, Redeemed, Unrecorded

CARD = CampaignRef(Kind.GIFT_CARD, 3001)
COUPON = CampaignRef(Kind.COUPON, 2001)
USER_REF = f"vsw-{R1}"
DETAILS = translate_pos.details_of(R2, "S001", STORE)
SETTINGS = {
    "base_url": "http://127.0.0.1:1",
    "api_id": "sim-api",
    "api_password": "example-cvs-password",
    "pos_id": "sim-pos",
    "pos_password": "example-pos-password",
    "default_outlet": "S001",
}

# The table of the specification, 7.4: code -> family, errorType, alert of a request.
REQUESTS: dict[str, tuple[str, str, str | None]] = {
    "9001": ("NotSent", "ROUTING_ERROR", None),
    "9002": ("NotSent", "DO_NOT_HONOUR", None),
    "9003": ("Declined", "INVALID_AMOUNT", None),
    "9004": ("Declined", "LIMIT_EXCEEDED", None),
    "9005": ("Declined", "LIMIT_EXCEEDED", None),
    "9006": ("OutcomeUnknown", "UNABLE_TO_LOCATE_RECORD", None),
    "9008": ("NotSent", "DO_NOT_HONOUR", "float_exhausted"),
    "2107": ("OutcomeUnknown", "VOUCHER_STATUS_UNKNOWN", None),
    "2108": ("NotSent", "ROUTING_ERROR", None),
    "2112": ("NotSent", "ROUTING_ERROR", None),
    "2117": ("Declined", "FUNCTION_NOT_SUPPORTED", None),
    "2118": ("Declined", "FUNCTION_NOT_SUPPORTED", None),
    "2119": ("Declined", "FUNCTION_NOT_SUPPORTED", None),
    "2120": ("Declined", "INVALID_VOUCHER", None),
    "2128": ("Declined", "FUNCTION_NOT_SUPPORTED", None),
    "2129": ("Declined", "DO_NOT_HONOUR", None),
    "8801": ("Declined", "VOUCHER_ALREADY_REDEEMED", None),
    "8802": ("Declined", "VOUCHER_NOT_REDEEMABLE", None),
    "8803": ("Declined", "INSUFFICIENT_FUNDS", None),
    # Of these the table says something for advices only.
    "9007": ("OutcomeUnknown", "UPSTREAM_UNAVAILABLE", None),
    "8804": ("OutcomeUnknown", "UPSTREAM_UNAVAILABLE", None),
    "8805": ("OutcomeUnknown", "UPSTREAM_UNAVAILABLE", None),
    "8806": ("OutcomeUnknown", "UPSTREAM_UNAVAILABLE", None),
    "7777": ("OutcomeUnknown", "UPSTREAM_UNAVAILABLE", None),
}
# Advice and code -> what is made of it before and after the settle time.
ADVICES: dict[tuple[Told, str], tuple[type, type]] = {
    (Told.DELETE, "9006"): (Acknowledged, Acknowledged),
    (Told.DELETE, "9007"): (Refused, Refused),
    (Told.DELETE, "9001"): (Pending, Pending),
    (Told.REVERSE, "8804"): (Pending, Acknowledged),
    (Told.FINALISE, "8804"): (Refused, Refused),
    (Told.FINALISE, "8805"): (Acknowledged, Acknowledged),
    (Told.REVERSE, "8805"): (Refused, Refused),
    (Told.FINALISE, "8806"): (Refused, Refused),
    (Told.REVERSE, "8806"): (Acknowledged, Acknowledged),
    (Told.REVERSE, "2107"): (Pending, Pending),
    (Told.FINALISE, "2120"): (Pending, Pending),
    (Told.FINALISE, "7777"): (Pending, Pending),
}


def result(code: object, **more: Any) -> HttpAnswer:
    return answer({"responseCode": code, "responseDesc": "Text", **more})


def changed(body: bytes, path: str, value: object) -> HttpAnswer:
    """A sample with one value changed; `...` removes it."""
    shown: Any = msgspec.json.decode(body)
    *way, last = path.split(".")
    holder = shown
    for name in way:
        holder = holder[name]
    if value is ...:
        del holder[last]
    else:
        holder[last] = value
    return answer(shown)


# Samples


async def exchange(answer_body: bytes, send: Any, **more: object) -> tuple[Any, list[Heard]]:
    """What one operation sends to a server that answers with these bytes, and what it makes of them."""

    async def behave(_heard: Heard, writer: asyncio.StreamWriter) -> bool:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(answer_body)}\r\n\r\n"
        writer.write(head.encode() + answer_body)
        await writer.drain()
        return True

    async with raw_server(behave) as server:
        connector: Connector = connect("yoyo", SETTINGS | {"base_url": server.url} | more)
        loop = asyncio.get_running_loop()
        outcome = await send(connector, Call(Trace(), loop.time() + 10))
        await connector.close()
        return outcome, server.heard


async def test_the_sample_of_an_issue_is_sent_and_read_byte_for_byte() -> None:
    outcome, heard = await exchange(ISSUE_ANSWER, lambda one, call: one.provision(provision_order(), call))
    assert [one.line for one in heard] == ["POST /cvs-issuer/rest/giftcards?issueWiCode=true HTTP/1.1"]
    assert heard[0].body == ISSUE_BODY
    assert heard[0].header("Content-Length") == "104"
    assert {name: heard[0].header(name) for name in CVS_HEADERS} == CVS_HEADERS
    assert heard[0].header("Content-Type") == "application/json"
    assert heard[0].header("password") is None
    assert outcome == Approved(
        approved_cents=10_000, balance_cents=10_000, voucher=VOUCHER, provider_ref="900145", refs=ITEM_REFS
    )


async def test_the_sample_of_a_redemption_is_sent_and_read_byte_for_byte() -> None:
    outcome, heard = await exchange(
        TRANSACTION_ANSWER, lambda one, call: one.redeem(redeem_order(), call), ask_balance=False
    )
    assert heard[0].line == "POST /wigroup-transactionengine/pos-providers/transaction HTTP/1.1"
    assert heard[0].body == TRANSACTION_BODY
    assert heard[0].header("Content-Length") == "278"
    assert {name: heard[0].header(name) for name in POS_HEADERS} == POS_HEADERS
    assert heard[0].header("apiPassword") is None
    assert outcome == Approved(
        approved_cents=10_000,
        provider_ref="70001234",
        refs={"wiTrxId": "70001234", "storeTrxDetails": KEPT_TEXT},
    )


async def test_the_sample_of_an_advice_is_sent() -> None:
    refs = {"wiTrxId": "70001234", "storeTrxDetails": KEPT_TEXT}
    done = b'{"responseCode":"-1","responseDesc":"Success"}'
    outcome, heard = await exchange(done, lambda one, call: one.confirm_redeem(advice_order(R2, refs), call))
    assert outcome == Acknowledged()
    assert heard[0].line == "POST /wigroup-transactionengine/pos-providers/advise HTTP/1.1"
    assert msgspec.json.decode(heard[0].body) == FINALISE_BODY
    assert list(msgspec.json.decode(heard[0].body)["originalTrx"]) == ["wiTrxId", "type", "storeTrxDetails"]


def test_the_worked_example_of_the_password() -> None:
    assert password_header("example-pos-password") == "993ac0c2948b58bc53c86204e2d0a64e204c097b"
    assert password_header("example-pos-passwore") != password_header("example-pos-password")


def test_no_operator_has_the_default_name() -> None:
    store = msgspec.structs.replace(STORE, operator_id=None)
    assert translate_pos.details_of(R2, "S001", store).cashier_id == "C00"


def test_refs_come_back_as_they_were_kept() -> None:
    kept = translate_pos.booked(translate_pos.refs_of(70001234, DETAILS), STORE)
    assert kept == translate_pos.Booked(70001234, DETAILS)
    assert translate.issued_item(ITEM_REFS) == (Kind.GIFT_CARD, 900145)
    for refs in (
        {},
        {"wiTrxId": "x"},
        {"wiTrxId": "1"},
        {"wiTrxId": "1", "storeTrxDetails": "{"},
        {"wiTrxId": "9" * 30},
    ):
        assert translate_pos.booked(refs, STORE) is None
    for refs in ({}, {"kind": "wallet", "id": "1"}, {"kind": "coupon", "id": "0x1"}, {"kind": "coupon"}):
        assert translate.issued_item(refs) is None


# Codes


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("code", REQUESTS)
def test_every_code_of_a_request(code: str, padded: bool) -> None:
    """Codes are compared as whole numbers: `02120` is 2120."""
    family, error_type, alert = REQUESTS[code]
    said = result(code.zfill(5) if padded else code)
    issued = translate.from_issue(said, provision_order(), CARD, USER_REF, RULES)
    redeemed = translate_pos.from_transaction(said, redeem_order(), DETAILS, RULES, allow_partial=False)
    for outcome in (issued, redeemed):
        assert isinstance(outcome, Declined | NotSent | OutcomeUnknown)
        assert (type(outcome).__name__, outcome.error_type.value) == (family, error_type)
        assert (outcome.provider_code, outcome.provider_message) == (code, "Text")
        assert getattr(outcome, "alert", None) == alert


def test_refused_credentials_are_the_http_status() -> None:
    expected = NotSent(ErrorType.ROUTING_ERROR, "401", "credentials refused", alert="credentials_refused")
    for said in (answer(b"", 401), answer(b"<html>", 401)):
        assert translate.from_issue(said, provision_order(), CARD, USER_REF, RULES) == expected
        pending = translate_pos.from_advise(said, advice_order(R2), Told.REVERSE, RULES)
        assert pending == Pending(cause="401 credentials refused", alert="credentials_refused")


@pytest.mark.parametrize(("told", "code"), ADVICES)
def test_every_code_of_an_advice(told: Told, code: str) -> None:
    for sent_ms_ago, expected in zip((29_999, 30_000), ADVICES[told, code], strict=True):
        order = advice_order(sent_ms_ago=sent_ms_ago)
        if told is Told.DELETE:
            found = translate.from_delete(result(code.zfill(6)), order, RULES)
        else:
            found = translate_pos.from_advise(result(code), order, told, RULES)
        assert type(found) is expected


@pytest.mark.parametrize("code", ["", "text only", "٢١٢٠", "1e3", "9" * 12, None, 10**40, " 2120", "--1"])
def test_what_is_no_number_is_no_code(code: object) -> None:
    outcome = translate.from_issue(result(code), provision_order(), CARD, USER_REF, RULES)
    assert outcome == OutcomeUnknown(provider_message="Text")


def test_a_code_that_is_a_number_in_json_is_read_too() -> None:
    assert isinstance(translate.from_delete(result(-1), advice_order(), RULES), Acknowledged)
    assert isinstance(translate.from_delete(result(9007), advice_order(), RULES), Refused)


def test_the_code_map_wins_and_may_be_padded() -> None:
    limit = Meaning(Family.DECLINED, ErrorType.LIMIT_EXCEEDED)
    rules = msgspec.structs.replace(RULES, code_map=by_number({"02107": limit, "ODD": limit}))
    outcome = translate_pos.from_transaction(result("2107"), redeem_order(), DETAILS, rules, allow_partial=False)
    assert outcome == Declined(ErrorType.LIMIT_EXCEEDED, "2107", "Text")
    assert isinstance(translate_pos.from_advise(result("2107"), advice_order(), Told.FINALISE, rules), Refused)


def test_the_value_stores_own_code_is_only_information() -> None:
    said = changed(TRANSACTION_ANSWER, "vsp.responseCode", "2107")
    outcome = translate_pos.from_transaction(said, redeem_order(), DETAILS, RULES, allow_partial=False)
    assert isinstance(outcome, Redeemed)


# Checks of a success


@pytest.mark.parametrize(
    ("path", "value", "finding"),
    [
        ("giftcard.userRef", f"vsw-{R2}", "the answer is about another request"),
        ("giftcard.userRef", R1, "the answer is about another request"),
        ("giftcard.userRef", USER_REF.upper(), "the answer is about another request"),
        ("giftcard.campaignId", 3002, "the answer is about another campaign"),
        ("giftcard.issuedAmount", 10_001, "the balance of a new item is not its value"),
        ("giftcard.balance", 9_999, "the balance of a new item is not its value"),
        ("giftcard.balance", 10_001, "the balance is not between nothing and the value"),
        ("giftcard.balance", -1, "the balance is not between nothing and the value"),
        ("giftcard.stateId", "D", "the item is not active"),
        ("giftcard.wicode", ..., "the answer holds no code, or one of the wrong shape"),
        ("giftcard.wicode", "#10020030040", "the answer holds no code, or one of the wrong shape"),
        ("giftcard.wicode", "410020\u0000030040", "the answer holds no code, or one of the wrong shape"),
        ("giftcard.wicode", "123456", "the answer holds no code, or one of the wrong shape"),
        ("giftcard.wicode", "1" * 17, "the answer holds no code, or one of the wrong shape"),
        ("giftcard.wicode", 410020030040, "the answer cannot be read"),
        ("giftcard.issuedAmount", "10000", "the answer cannot be read"),
        ("giftcard.issuedAmount", 10000.5, "the answer cannot be read"),
        ("giftcard.id", 0, "the answer cannot be read"),
        ("giftcard.id", 10**30, "the answer cannot be read"),
        ("giftcard", ..., "the answer cannot be read"),
    ],
)
def test_a_success_that_proves_nothing_is_a_doubt_with_an_alert(path: str, value: object, finding: str) -> None:
    outcome = translate.from_issue(changed(ISSUE_ANSWER, path, value), provision_order(), CARD, USER_REF, RULES)
    assert outcome == OutcomeUnknown(provider_message=finding, alert="bad_answer")


def test_a_consistent_answer_of_another_value_is_a_doubt() -> None:
    said = msgspec.json.decode(ISSUE_ANSWER)
    said["giftcard"] |= {"issuedAmount": 10_001, "balance": 10_001}
    outcome = translate.from_issue(answer(said), provision_order(), CARD, USER_REF, RULES)
    assert outcome == OutcomeUnknown(
        provider_message="the value is not the amount that was asked for", alert="bad_answer"
    )


def coupon_answer(cents: int = 5_000, **more: Any) -> HttpAnswer:
    coupon = {
        "id": 900145,
        "campaignId": 2001,
        "campaignName": "Coupon",
        "campaignType": "COUPON",
        "userRef": USER_REF,
        "createDate": "2026-03-02T14:15:16+0200",
        "redeemFromDate": "2026-03-02T14:15:16+0200",
        "redeemToDate": "2026-05-31T23:59:59+0200",
        "wiCode": "410020030",
        "wiQr": "QR",
        "voucherAmount": cents,
    }
    return result("-1", coupon=coupon | more)


def test_a_gift_card_has_a_wicode_and_a_coupon_a_wi_code() -> None:
    """The two spellings are the protocol's; the other one of each is no code."""
    card: Any = msgspec.json.decode(ISSUE_ANSWER)
    card["giftcard"]["wiCode"] = card["giftcard"].pop("wicode")
    no_code = OutcomeUnknown(provider_message="the answer holds no code, or one of the wrong shape", alert="bad_answer")
    assert translate.from_issue(answer(card), provision_order(), CARD, USER_REF, RULES) == no_code
    order = provision_order("coupon:2001", 5_000)
    issued = translate.from_issue(coupon_answer(), order, COUPON, USER_REF, RULES)
    assert isinstance(issued, Approved)
    assert issued.voucher is not None
    assert (issued.voucher.code, issued.voucher.expires_at) == ("410020030", "2026-05-31T21:59:59.000Z")
    misspelt = coupon_answer(wiCode=None, wicode="410020030")
    assert translate.from_issue(misspelt, order, COUPON, USER_REF, RULES) == no_code


@pytest.mark.parametrize("cents", [4_999, 5_001, 0])
def test_a_coupon_of_another_value_is_neither_approved_nor_declined(cents: int) -> None:
    """It exists, so a decline would hide it; nobody paid for it, so an approval would sell it."""
    outcome = translate.from_issue(coupon_answer(cents), provision_order("coupon:2001", 5_000), COUPON, USER_REF, RULES)
    assert outcome == OutcomeUnknown(
        provider_message="the value is not the amount that was asked for", alert="bad_answer"
    )


@pytest.mark.parametrize(
    ("state", "expected"),
    [("A", Approved), ("D", Declined), ("E", Declined), ("R", OutcomeUnknown), ("", OutcomeUnknown)],
)
def test_an_items_state_decides_what_its_status_proves(state: str, expected: type) -> None:
    said = changed(ISSUE_ANSWER, "giftcard.stateId", state)
    outcome = translate.from_item(said, status_order(), CARD, 900145, RULES)
    assert type(outcome) is expected
    if isinstance(outcome, Declined):
        assert outcome.error_type is ErrorType.TRANSACTION_DECLINED
    if isinstance(outcome, OutcomeUnknown):
        assert outcome.alert == "bad_answer"


def test_a_gone_item_of_somebody_else_declines_nothing() -> None:
    said = changed(changed(ISSUE_ANSWER, "giftcard.stateId", "E").body, "giftcard.userRef", f"vsw-{R2}")
    assert isinstance(translate.from_item(said, status_order(), CARD, 900145, RULES), OutcomeUnknown)


def test_an_item_that_the_history_has_and_nobody_finds_is_a_doubt_for_ever() -> None:
    outcome = translate.from_item(result("9006"), status_order(10**9), CARD, 900145, RULES)
    assert outcome == OutcomeUnknown(ErrorType.UNABLE_TO_LOCATE_RECORD, "9006", "Text")
    other = translate.from_item(answer(ISSUE_ANSWER), status_order(), CARD, 900146, RULES)
    assert other == OutcomeUnknown(provider_message="the answer is about another item", alert="bad_answer")


# The history of issues


def row(number: int = 1, kind: str = "ISSUE", **more: Any) -> dict[str, Any]:
    told = {"id": number, "giftcardId": 900145, "campaignId": 3001, "userRef": USER_REF, "transactionType": kind}
    return {name: value for name, value in (told | more).items() if value is not None}


def judged(*rows: dict[str, Any]) -> Any:
    page = translate_lists.from_history_page(result("-1", transactions=rows), CARD, USER_REF)
    return translate_lists.judge(page.rows, Kind.GIFT_CARD) if isinstance(page, Page) else page


def test_what_a_history_proves() -> None:
    assert judged(row()) == Found(900145)
    assert judged(row(), row(2, "REDEEM")) == Found(900145)
    assert isinstance(judged(), Nothing)
    two = judged(row(), row(2, giftcardId=900146))
    assert two == OutcomeUnknown(provider_message="several items were issued for the request", alert="bad_answer")


@pytest.mark.parametrize(
    "rows",
    [
        (row(1, "REDEEM"),),
        (row(giftcardId=None),),
        (row(giftcardId=None, couponId=900145),),
        (row(userRef="vsw-other"),),
        (row(campaignId=3002),),
        (row(), row(2, userRef="vsw-other")),
        (row(giftcardId="900145"),),
        (row(id=None),),
    ],
)
def test_a_history_that_contradicts_itself_proves_nothing(rows: tuple[dict[str, Any], ...]) -> None:
    found = judged(*rows)
    assert isinstance(found, OutcomeUnknown)
    assert found.alert == "bad_answer"


def test_a_refused_search_proves_nothing_but_not_found_does() -> None:
    assert isinstance(translate_lists.from_history_page(result("9006"), CARD, USER_REF), Nothing)
    for code in ("9001", "9003", "9008", "7777"):
        found = translate_lists.from_history_page(result(code), CARD, USER_REF)
        assert isinstance(found, OutcomeUnknown)
        assert (found.error_type, found.provider_code) == (ErrorType.UPSTREAM_UNAVAILABLE, code)


# Redemptions


@pytest.mark.parametrize(
    ("cents", "allow_partial", "expected"),
    [
        (10_000, False, Redeemed),
        (10_000, True, Redeemed),
        (9_999, False, Partial),
        (9_999, True, Redeemed),
        (0, False, Partial),
        (0, True, Partial),
        (10_001, True, OutcomeUnknown),
        (-1, True, OutcomeUnknown),
    ],
)
def test_how_much_was_redeemed_decides(cents: int, allow_partial: bool, expected: type) -> None:
    said = changed(TRANSACTION_ANSWER, "totalAmountProcessed", cents)
    outcome = translate_pos.from_transaction(said, redeem_order(), DETAILS, RULES, allow_partial=allow_partial)
    assert type(outcome) is expected
    if isinstance(outcome, Redeemed):
        assert outcome.outcome.approved_cents == cents
    if isinstance(outcome, OutcomeUnknown):
        assert outcome.alert == "bad_answer"


def recorded(**more: Any) -> HttpAnswer:
    told = {
        "wiTrxId": 70001234,
        "type": "PAYMENT",
        "state": "P",
        "totalAmountProcessed": 10_000,
        "storeTrxDetails": {"storeId": "S001", "basketId": R2, "trxId": R2, "posId": "TERM0001", "cashierId": "C07"},
    }
    return result("-1", transaction=told | more)


@pytest.mark.parametrize(
    ("state", "cents", "allow_partial", "expected"),
    [
        ("P", 10_000, False, Approved),
        ("S", 10_000, False, Approved),
        ("F", 0, False, Declined),
        ("R", 10_000, False, Declined),
        ("R", 4_000, False, Declined),
        ("P", 4_000, False, OutcomeUnknown),
        ("S", 4_000, False, OutcomeUnknown),
        ("P", 4_000, True, Approved),
        ("P", 0, True, OutcomeUnknown),
        ("P", 10_001, True, OutcomeUnknown),
        ("P", -1, True, OutcomeUnknown),
    ],
)
def test_what_the_history_says_of_a_redemption(state: str, cents: int, allow_partial: bool, expected: type) -> None:
    found = translate_pos.from_history(recorded(state=state, totalAmountProcessed=cents), R2)
    assert found == Recorded(70001234, state, cents, DETAILS)
    outcome = translate_pos.from_redeem_status(found, redeem_status_order(10**9), RULES, allow_partial=allow_partial)
    assert type(outcome) is expected
    if isinstance(outcome, Declined):
        assert outcome.error_type is ErrorType.TRANSACTION_DECLINED
    if isinstance(outcome, Approved):
        assert outcome.refs == {"wiTrxId": "70001234", "storeTrxDetails": KEPT_TEXT}


@pytest.mark.parametrize(
    "more",
    [
        {"state": "X"},
        {"state": None},
        {"type": "DEPOSIT"},
        {"storeTrxDetails": {"trxId": R1}},
        {"storeTrxDetails": {}},
        {"wiTrxId": 0},
        {"totalAmountProcessed": "10000"},
    ],
)
def test_a_history_of_something_else_proves_nothing(more: dict[str, Any]) -> None:
    found = translate_pos.from_history(recorded(**more), R2)
    assert isinstance(found, OutcomeUnknown)
    assert found.alert == "bad_answer"


@pytest.mark.parametrize(
    ("told", "state", "expected"),
    [
        (Told.FINALISE, "P", None),
        (Told.FINALISE, "S", Acknowledged),
        (Told.FINALISE, "F", Refused),
        (Told.FINALISE, "R", Refused),
        (Told.REVERSE, "P", None),
        (Told.REVERSE, "S", None),
        (Told.REVERSE, "F", Acknowledged),
        (Told.REVERSE, "R", Acknowledged),
    ],
)
def test_what_the_history_settles_for_an_advice(told: Told, state: str, expected: type | None) -> None:
    row = Recorded(1, state, 10_000, DETAILS)
    found = translate_pos.from_history_to_advice(row, advice_order(R2), told, RULES)
    assert found is None if expected is None else type(found) is expected


@pytest.mark.parametrize(("told", "settled"), [(Told.FINALISE, Refused), (Told.REVERSE, Acknowledged)])
def test_a_redemption_that_the_history_lacks(told: Told, settled: type) -> None:
    found = translate_pos.from_history(result("08804"), R2)
    assert isinstance(found, Unrecorded)
    early = translate_pos.from_history_to_advice(found, advice_order(R2, sent_ms_ago=29_999), told, RULES)
    late = translate_pos.from_history_to_advice(found, advice_order(R2, sent_ms_ago=30_000), told, RULES)
    assert isinstance(early, Pending)
    assert type(late) is settled


# Lookups


def token_info(*stores: dict[str, Any], code: str = CODE) -> HttpAnswer:
    return result("-1", token={"id": code, "type": "WICODE"}, vspInfo=stores)


def test_a_lookup_tells_the_balance_of_the_one_value_store() -> None:
    one = translate_pos.from_token_info(token_info({"balance": 4_000}), lookup_order(), RULES)
    assert isinstance(one, Approved)
    assert (one.approved_cents, one.balance_cents) == (4_000, 4_000)
    for untold in (token_info({"balance": 4_000}, {"balance": 1}), token_info({})):
        outcome = translate_pos.from_token_info(untold, lookup_order(), RULES)
        assert outcome == OutcomeUnknown(provider_message="the voucher has no one balance")
    for said in (token_info({"balance": 1}, code="410020030041"), token_info(), token_info({"balance": -1})):
        outcome = translate_pos.from_token_info(said, lookup_order(), RULES)
        assert isinstance(outcome, OutcomeUnknown)
        assert outcome.alert == "bad_answer"


# Products and settings


def test_what_product_references_name() -> None:
    assert campaign_of("giftcard:3001") == CARD
    assert campaign_of("coupon:2001") == COUPON
    for text in (None, "", "3001", "giftcard:", "giftcard:0", "giftcard:x", "wallet:1", "giftcard:3001 ", "giftcard:٣"):
        assert campaign_of(text) is None
    assert campaign_of("giftcard:" + "9" * 19) is None


def test_what_a_campaign_was_worth_is_kept_for_a_while_and_within_bounds() -> None:
    values = CampaignValues()
    assert values.allows(2001, 5_000, 0)
    values.note(2001, 5_000, 100)
    assert values.allows(2001, 5_000, 100)
    assert not values.allows(2001, 6_000, 100 + VALUE_KEPT_S - 1)
    assert values.allows(2001, 6_000, 100 + VALUE_KEPT_S)
    for campaign_id in range(10_000, 10_000 + CAMPAIGNS_KEPT_MAX):
        values.note(campaign_id, 1, 100)
    assert values.allows(2001, 6_000, 100)
    assert len(values._seen) == CAMPAIGNS_KEPT_MAX


def test_settings_change_the_record() -> None:
    unique = connect("yoyo", SETTINGS).capabilities
    assert (unique.retry, unique.status, unique.confirm, unique.reverse) == (
        "emulated",
        "emulated",
        "consume",
        "emulated",
    )
    assert (unique.redeem_status, unique.refund, unique.partial_redeem) == (Support.NATIVE, Support.NONE, True)
    customer = connect("yoyo", SETTINGS | {"user_ref_mode": "customer"}).capabilities
    assert (customer.retry, customer.status, customer.reverse) == ("none", "none", "emulated")
    consuming = connect("yoyo", SETTINGS | {"capabilities": {"reverse": "consume"}}).capabilities
    assert consuming.reverse is Support.CONSUME


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"api_id": ...}, "api_id is missing"),
        ({"pos_password": ...}, "pos_password is missing"),
        ({"pos_base_url": "http://pos.example"}, "pos_base_url is without TLS"),
        ({"pos_base_url": "https://pos.example/"}, "pos_base_url has more than scheme, host and port"),
        ({"user_ref_mode": "both"}, "user_ref_mode"),
        ({"cvs_path": "/cvs/"}, "cvs_path"),
        ({"pin_pattern": "("}, "pin_pattern is not a regular expression"),
        ({"api_pasword": "x"}, "api_pasword is not a setting"),
    ],
)
def test_a_wrong_setting_is_named_and_not_quoted(change: dict[str, Any], key: str) -> None:
    given = {name: value for name, value in (SETTINGS | change).items() if value is not ...}
    with pytest.raises(ProviderSettingsError) as refusal:
        connect("yoyo", given)
    assert f"providers.yoyo.{key}" in str(refusal.value)
    assert "example-" not in str(refusal.value)


# Hostile bytes

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["-1", USER_REF, "A", CODE]),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["giftcard", "id", "transactions"]), inner)
    ),
    max_leaves=20,
)
PARTS = ("giftcard", "coupon", "transactions", "campaigns", "transaction", "token", "vspInfo", "wiTrxId")
SHAPED = st.fixed_dictionaries(
    {"responseCode": st.sampled_from(["-1", "02120", "9006", -1, None, ""]) | JSON_VALUES},
    optional=dict.fromkeys(PARTS, JSON_VALUES),
)
BODIES = st.binary() | SHAPED.map(lambda value: msgspec.json.encode(value, enc_hook=repr))


@given(BODIES, st.sampled_from([200, 401, 500, 503]))
def test_no_bytes_make_a_reader_raise_or_approve(body: bytes, status: int) -> None:
    said = HttpAnswer(status, body)
    outcomes: list[Any] = [
        translate.from_issue(said, provision_order(), CARD, USER_REF, RULES),
        translate.from_issue(said, provision_order("coupon:2001", 5_000), COUPON, USER_REF, RULES),
        translate.from_item(said, status_order(), CARD, 900145, RULES),
        translate_lists.from_history_page(said, CARD, USER_REF),
        translate_lists.from_campaigns(said, Kind.COUPON),
        translate.from_delete(said, advice_order(), RULES),
        translate.coupon_value(said),
        translate.balance_of(said, 900145, CODE, 0),
        translate_pos.from_transaction(said, redeem_order(), DETAILS, RULES, allow_partial=True),
        translate_pos.from_token_info(said, lookup_order(), RULES),
        translate_pos.from_history(said, R2),
        translate_pos.from_advise(said, advice_order(R2), Told.REVERSE, RULES),
    ]
    assert not any(isinstance(outcome, Approved | Redeemed | Found) for outcome in outcomes)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"responseCode":"-1","giftcard":' + b'{"a":' * 50_000,
        b'{"responseCode":"-1","wiTrxId":' + b"9" * 5_000 + b"}",
        b'{"responseCode":"-1","totalAmountProcessed":1e999}',
        b'\x00{"responseCode":"-1"}',
        b'{"responseCode":"\xff"}',
    ],
)
def test_hostile_answers_are_doubts_with_an_alert(body: bytes) -> None:
    for outcome in (
        translate.from_issue(answer(body), provision_order(), CARD, USER_REF, RULES),
        translate_pos.from_transaction(answer(body), redeem_order(), DETAILS, RULES, allow_partial=True),
    ):
        assert isinstance(outcome, OutcomeUnknown)
        assert outcome.alert == "bad_answer"
