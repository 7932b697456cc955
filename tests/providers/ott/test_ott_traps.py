"""What OTT's protocol lays out for the careless, one test by name for each (providers.md 6.1, 6.5, 6.7)."""

from collections.abc import Callable
from hashlib import sha256
from typing import Any, get_args

import msgspec
import pytest

from providers.ott.ott_support import (
    GET_VOUCHER,
    ISSUED,
    ISSUING,
    KEY,
    MOBILE,
    PIN,
    REDEEMED,
    REDEMPTION,
    REMIT_VOUCHER,
    SOLD,
    Ott,
    lookup_order,
    provision_order,
    redeem_order,
)
from providers.provider_support import R1, R2, SETTLED, Heard, advice_order, an_id, changed, raw_server, status_order
from voucherswitch.message.codes import ErrorType
from voucherswitch.message.orders import LookupOrder
from voucherswitch.message.outcomes import (
    Acknowledged,
    Approved,
    Declined,
    NotSent,
    OutcomeUnknown,
    Pending,
    Refused,
)
from voucherswitch.providers.contract.capabilities import Support
from voucherswitch.providers.ott.settings import OpName
from voucherswitch.providers.ott.signing import signed_form

CUTS = [
    ("drop_before", False),
    ("drop_after", True),
    ("hang_before", False),
    ("hang_after", True),
    ("rst_before", False),
    ("rst_after", True),
    ("malformed", True),
    ("truncate", True),
    ("http", False),
]


# The hash


def _with_byte(body: bytes, place: int) -> bytes:
    """One byte replaced by its neighbour of the same kind, so that only the value changes."""
    other = body[place] ^ 1
    return body[:place] + bytes([other]) + body[place + 1 :]


@pytest.mark.parametrize(
    ("path", "body"), [(f"{ISSUING}/GetVoucher", GET_VOUCHER), (f"{REDEMPTION}/RemitVoucher", REMIT_VOUCHER)]
)
async def test_the_worked_examples_are_taken_and_refused_with_any_byte_changed(
    ott: Ott, path: str, body: bytes
) -> None:
    if "Remit" in path:
        await ott.confirmed()
    before = await ott.totals()
    for place in range(len(body)):
        answer = await ott.send(path, _with_byte(body, place))
        assert answer.status in (400, 401), (place, answer)
    assert await ott.totals() == before
    assert (await ott.send(path, body)).status == 200


async def test_a_hash_over_values_in_the_order_of_arrival_is_refused(ott: Ott) -> None:
    right = signed_form({"vendorID": "22", "voucherPIN": PIN}, KEY)
    arrived = b"voucherPIN=100200300400&vendorID=22&hash="
    in_order_of_arrival = arrived + sha256(f"{KEY}{PIN}22".encode()).hexdigest().encode()
    wrong = await ott.send(f"{REDEMPTION}/CheckVoucher", in_order_of_arrival)
    assert (wrong.status, wrong.body, wrong.headers["content-type"]) == (401, b"Invalid hash", "text/plain")
    # The order in which they are sent does not matter.
    by_name = arrived + right.rpartition(b"=")[2]
    assert (await ott.send(f"{REDEMPTION}/CheckVoucher", by_name)).json["errorCode"] == "901"


# 201 and string booleans


async def test_a_business_failure_comes_as_201_and_is_no_approval(ott: Ott) -> None:
    assert await ott.provision(amount_cents=499) == Declined(ErrorType.INVALID_AMOUNT, "3", "No product for value")
    assert ott.legs[-1].status == 201
    assert await ott.vouchers() == 0


@pytest.mark.parametrize("op", ["provision", "redeem", "confirm", "status", "lookup"])
async def test_a_json_boolean_is_no_answer_of_ott(ott: Ott, op: str) -> None:
    await ott.confirmed()
    await ott.fault("json_booleans", op=op)
    match op:
        case "provision":
            outcome: Any = await ott.provision(request_id=an_id(1))
        case "redeem":
            outcome = await ott.redeem()
        case "confirm":
            outcome = await ott.connector.confirm(advice_order(), ott.call())
        case "status":
            outcome = await ott.connector.status(status_order(), ott.call())
        case _:
            outcome = await ott.connector.lookup(lookup_order(), ott.call())
    assert isinstance(outcome, OutcomeUnknown | Pending)
    assert outcome.alert == "bad_answer"


# The document inside a string


@pytest.mark.parametrize("kind", ["voucher_object", "voucher_unreadable"])
async def test_a_voucher_that_is_no_document_in_a_string_is_unknown(ott: Ott, kind: str) -> None:
    await ott.fault(kind)
    outcome = await ott.provision()
    assert isinstance(outcome, OutcomeUnknown)
    assert outcome.alert == "bad_answer"
    # It was sold, and asking finds it.
    assert await ott.connector.status(status_order(), ott.call()) == SOLD
    assert await ott.vouchers() == 1


async def test_the_document_is_masked_whole_as_text_and_as_an_object(ott: Ott) -> None:
    await ott.issued()
    assert ott.legs[-1].response == '{"success":"true","voucher":"***"}'
    await ott.fault("voucher_object")
    await ott.provision(request_id=R2)
    shown = ott.legs[-1].response or ""
    assert "50060070080" not in shown
    assert set(msgspec.json.decode(shown)["voucher"].values()) == {"***"}


# References are not unique


@pytest.mark.parametrize(("kind", "processed"), CUTS)
async def test_get_voucher_is_sent_once_whatever_happens_and_never_twice(ott: Ott, kind: str, processed: bool) -> None:
    connector = ott.impatient() if "hang" in kind else ott.connector
    await ott.fault(kind, op="provision")
    assert isinstance(await connector.provision(provision_order(), ott.call()), OutcomeUnknown)
    for sent_ms_ago in (1_000, SETTLED, SETTLED):
        retried = await connector.retry(provision_order(settled_ms_ago=sent_ms_ago), ott.call())
        asked = await connector.status(status_order(sent_ms_ago=sent_ms_ago), ott.call())
        if processed:
            assert retried == asked == SOLD
        else:
            assert type(retried) is type(asked) is (NotSent if sent_ms_ago == SETTLED else OutcomeUnknown)
    assert (await ott.heard_ops()).count("provision") == 1
    assert await ott.vouchers() == int(processed)


async def test_a_retry_while_the_sale_is_still_on_its_way_proves_nothing_and_sells_nothing(ott: Ott) -> None:
    await ott.fault("late_processing", op="provision", params={"ms": 20_000})
    assert isinstance(await ott.provision(), OutcomeUnknown)
    early = await ott.connector.retry(provision_order(settled_ms_ago=15_000), ott.call())
    assert isinstance(early, OutcomeUnknown)
    await ott.advance(20_000)
    assert await ott.connector.retry(provision_order(settled_ms_ago=35_000), ott.call()) == SOLD
    assert await ott.heard_ops() == ["provision", "status", "status"]
    assert await ott.vouchers() == 1


@pytest.mark.parametrize("kind", ["drop_before", "rst_after", "http"])
async def test_a_retry_whose_question_fails_says_nothing_about_the_sale(ott: Ott, kind: str) -> None:
    await ott.issued()
    await ott.fault(kind, op="status")
    outcome = await ott.connector.retry(provision_order(settled_ms_ago=SETTLED), ott.call())
    assert isinstance(outcome, OutcomeUnknown)
    assert await ott.connector.retry(provision_order(settled_ms_ago=SETTLED), ott.call()) == SOLD


async def test_a_second_get_voucher_sells_again_and_poisons_the_reference(ott: Ott) -> None:
    """What the connector must never do; a switch that did it could not even undo it."""
    sold = [await ott.send(f"{ISSUING}/GetVoucher", GET_VOUCHER) for _ in range(2)]
    pins = [msgspec.json.decode(one.json["voucher"])["pin"] for one in sold]
    assert pins == [PIN, "100200300401"]
    assert await ott.vouchers() == 2
    for op in ("CheckVoucher", "ConfirmVoucher", "RejectVoucher"):
        answer = await ott.raw(f"{ISSUING}/{op}", uniqueReference=R1)
        assert (answer.status, answer.json["errorCode"]) == (201, "1")
    assert (await ott.send(f"{ISSUING}/GetVoucher", GET_VOUCHER)).status == 200
    assert await ott.vouchers() == 3
    assert (await ott.totals())["floatCents"] == 100_000_000 - 30_000


# RemitVoucher


@pytest.mark.parametrize(("kind", "processed"), CUTS)
async def test_a_lost_remit_answer_is_asked_for_and_the_remit_never_resent(
    ott: Ott, kind: str, processed: bool
) -> None:
    await ott.confirmed()
    connector = ott.impatient() if "hang" in kind else ott.connector
    await ott.fault(kind, op="RemitVoucher")
    assert isinstance(await connector.redeem(redeem_order(), ott.call()), OutcomeUnknown)
    early = await connector.redeem_status(status_order(R2, sent_ms_ago=29_999), ott.call())
    late = await connector.redeem_status(status_order(R2, sent_ms_ago=30_000), ott.call())
    if processed:
        assert early == late == REDEEMED
    else:
        assert (type(early), type(late)) == (OutcomeUnknown, NotSent)
    assert (await ott.heard_ops()).count("redeem") == 1
    assert (await ott.totals())["remits"] == int(processed)


async def test_the_records_redeem_status_is_native_and_its_retry_emulated(ott: Ott) -> None:
    record = ott.connector.capabilities
    assert (record.redeem_status, record.retry, record.status) == (Support.NATIVE, Support.EMULATED, Support.NATIVE)
    assert (record.confirm_redeem, record.reverse_redeem) == (Support.CONSUME, Support.CONSUME)
    assert (record.refund, record.products, record.partial_redeem) == (Support.NONE, Support.LOCAL, True)


async def test_907_means_that_the_first_remit_took_the_money(ott: Ott) -> None:
    await ott.confirmed()
    assert await ott.redeem() == REDEEMED
    again = await ott.redeem()
    assert again == OutcomeUnknown(ErrorType.DUPLICATE_RECORD, "907", "Reference already used")
    assert (await ott.totals())["floatCents"] == 100_000_000
    assert await ott.connector.redeem_status(status_order(R2), ott.call()) == REDEEMED


async def test_a_reversal_of_a_redemption_only_asks(ott: Ott) -> None:
    """The record says `consume`; made `emulated` in the settings, the switch learns whether money is at risk."""
    await ott.confirmed()
    connector = ott.with_settings(capabilities={"reverseRedeem": "emulated"})
    assert connector.capabilities.reverse_redeem is Support.EMULATED
    before = await connector.reverse_redeem(advice_order(R2, sent_ms_ago=SETTLED), ott.call())
    assert before == Acknowledged()
    assert isinstance(await connector.reverse_redeem(advice_order(R2, sent_ms_ago=0), ott.call()), Pending)
    await ott.redeem()
    assert isinstance(await connector.reverse_redeem(advice_order(R2, sent_ms_ago=SETTLED), ott.call()), Refused)
    assert await ott.heard_ops() == ["provision", "confirm", "redeemStatus", "redeemStatus", "redeem", "redeemStatus"]
    assert await ott.state_of() == "REDEEMED"


# The key


async def test_get_api_key_is_never_called_because_it_changes_the_key(ott: Ott) -> None:
    connector = ott.connector
    await ott.issued()
    await connector.retry(provision_order(), ott.call())
    await connector.status(status_order(), ott.call())
    await connector.confirm(advice_order(), ott.call())
    await connector.lookup(lookup_order(), ott.call())
    await ott.redeem()
    await connector.redeem_status(status_order(R2), ott.call())
    await connector.reverse(advice_order(), ott.call())
    await connector.confirm_redeem(advice_order(R2), ott.call())
    await connector.reverse_redeem(advice_order(R2), ott.call())
    assert isinstance(await connector.products(ott.call()), OutcomeUnknown)
    assert not {"GetAPIKey", "GetBalance"} & set(await ott.heard_ops())
    assert "GetAPIKey" not in get_args(OpName)
    assert ott.provider.key == KEY


@pytest.mark.parametrize("rotate", ["call", "control"])
async def test_after_a_key_rotation_nothing_is_sent_until_the_settings_have_the_new_key(ott: Ott, rotate: str) -> None:
    await ott.issued()
    if rotate == "call":
        new = (await ott.raw(f"{ISSUING}/GetAPIKey", uniqueReference=an_id(9))).json["apiKey"]
    else:
        new = (await ott.control("POST", "/keys")).json["apiKey"]
    assert new == "EXAMPLE-KEY-0002"
    before = len(await ott.journal())
    outcome = await ott.provision(request_id=an_id(1))
    assert outcome == NotSent(ErrorType.ROUTING_ERROR, None, "HTTP 401", "credentials_refused")
    assert len(await ott.journal()) == before + 1  # no renewal, no second try
    confirmed = await ott.connector.confirm(advice_order(), ott.call())
    assert confirmed == Pending("HTTP 401", "credentials_refused")
    renewed = ott.with_settings(api_key=new)
    assert await renewed.confirm(advice_order(), ott.call()) == Acknowledged()
    assert isinstance(await renewed.redeem(redeem_order(), ott.call()), Approved)


# 401


@pytest.mark.parametrize("body", ["", "Unauthorised", "<html>"])
async def test_a_plain_text_401_is_not_sent_for_requests_and_waits_for_advices(ott: Ott, body: str) -> None:
    await ott.confirmed()
    await ott.fault("http", times=0, params={"status": 401, "body": body})
    refused = NotSent(ErrorType.ROUTING_ERROR, None, "HTTP 401", "credentials_refused")
    waits = Pending("HTTP 401", "credentials_refused")
    connector = ott.connector
    assert await ott.provision(request_id=an_id(1)) == refused
    assert await ott.redeem() == refused
    assert await connector.lookup(lookup_order(), ott.call()) == refused
    assert await connector.confirm(advice_order(sent_ms_ago=SETTLED), ott.call()) == waits
    assert await connector.reverse(advice_order(sent_ms_ago=SETTLED), ott.call()) == waits
    for ask in (connector.status, connector.redeem_status):
        asked = await ask(status_order(sent_ms_ago=SETTLED), ott.call())
        assert asked == OutcomeUnknown(ErrorType.ROUTING_ERROR, None, "HTTP 401", "credentials_refused")
    retried = await connector.retry(provision_order(settled_ms_ago=SETTLED), ott.call())
    assert isinstance(retried, OutcomeUnknown)


# Amounts


async def test_amounts_come_in_both_forms_and_are_read_alike(ott: Ott) -> None:
    seen = []
    for number in range(2):
        voucher = await ott.confirmed(an_id(number), amount_cents=123_450)
        check = await ott.raw(f"{REDEMPTION}/CheckVoucher", vendorID="22", voucherPIN=voucher.code)
        seen.append(check.json["value"])
        found = await ott.connector.lookup(lookup_order(voucher.code), ott.call())
        assert isinstance(found, Approved)
        assert found.approved_cents == 123_450
        taken = await ott.redeem(request_id=an_id(10 + number), code=voucher.code, amount_cents=100_000)
        assert isinstance(taken, Approved)
        assert (taken.approved_cents, taken.balance_cents) == (100_000, 0)
    remits = [leg.response or "" for leg in ott.legs if leg.operation == "redeem"]
    assert '"voucherAmount":"1,000.00","voucherBalance":"234.50"' in remits[0]
    assert '"voucherAmount":1000.0000,"voucherBalance":234.5000' in remits[1]
    check = await ott.raw(f"{ISSUING}/CheckVoucher", uniqueReference=an_id(0))
    amounts = [msgspec.json.decode(check.json["voucher"])["amount"]]
    check = await ott.raw(f"{ISSUING}/CheckVoucher", uniqueReference=an_id(0))
    amounts.append(msgspec.json.decode(check.json["voucher"])["amount"])
    assert amounts == [1234.5, "1,234.50"]


# Unconfirmed vouchers


async def test_an_unconfirmed_voucher_lapses_where_the_profile_says_so(ott: Ott) -> None:
    await ott.profile(autoRejectMin=10)
    await ott.issued()
    await ott.confirmed(R2)
    await ott.advance(9 * 60_000)
    assert await ott.connector.status(status_order(), ott.call()) == SOLD
    await ott.advance(61_000)
    assert [await ott.state_of(one) for one in (R1, R2)] == ["REJECTED", "CONFIRMED"]
    assert (await ott.totals())["floatCents"] == 100_000_000 - 10_000
    # A lapsed voucher resolves a doubt to "not sold", refuses its confirmation for good and takes its reversal.
    assert isinstance(await ott.connector.status(status_order(sent_ms_ago=SETTLED), ott.call()), NotSent)
    assert await ott.connector.confirm(advice_order(), ott.call()) == Refused("921", "Voucher was rejected")
    assert await ott.connector.reverse(advice_order(), ott.call()) == Acknowledged()
    assert isinstance(await ott.redeem(), Declined)


async def test_by_default_an_unconfirmed_voucher_stays(ott: Ott) -> None:
    await ott.issued()
    await ott.advance(365 * 86_400_000)
    assert await ott.state_of() == "ISSUED"


# Locally


async def test_products_are_ours_to_tell_so_the_connector_has_no_message_for_them(ott: Ott) -> None:
    assert ott.connector.capabilities.products is Support.LOCAL
    await ott.connector.products(ott.call())
    assert await ott.journal() == []


@pytest.mark.parametrize(
    ("send", "expected"),
    [
        (lambda c, call: c.provision(provision_order(currency="840"), call), Declined(ErrorType.INVALID_AMOUNT)),
        (lambda c, call: c.provision(provision_order(amount_cents=0), call), Declined(ErrorType.INVALID_AMOUNT)),
        (lambda c, call: c.provision(provision_order(product="netflix"), call), NotSent(ErrorType.ROUTING_ERROR)),
        (lambda c, call: c.provision(provision_order(product=""), call), NotSent(ErrorType.ROUTING_ERROR)),
        (lambda c, call: c.redeem(redeem_order(currency="840"), call), Declined(ErrorType.INVALID_AMOUNT)),
        (lambda c, call: c.redeem(redeem_order(code="10020030040"), call), Declined(ErrorType.INVALID_VOUCHER)),
        (lambda c, call: c.lookup(lookup_order("ABC"), call), Declined(ErrorType.INVALID_VOUCHER)),
        (
            lambda c, call: c.lookup(LookupOrder(serial_number="500600700800"), call),
            Declined(ErrorType.FUNCTION_NOT_SUPPORTED),
        ),
        (lambda c, call: c.lookup(LookupOrder(provision_id=R1), call), Declined(ErrorType.FUNCTION_NOT_SUPPORTED)),
    ],
)
async def test_what_ott_could_never_take_is_not_sent(ott: Ott, send: Callable[..., Any], expected: object) -> None:
    assert await send(ott.connector, ott.call()) == expected
    assert await ott.journal() == []


async def test_a_till_without_a_branch_is_not_sent(ott: Ott) -> None:
    connector = ott.with_settings(outlet_map={})
    assert await connector.provision(provision_order(), ott.call()) == NotSent(ErrorType.ROUTING_ERROR)
    assert await ott.journal() == []


# What goes over the wire


async def test_the_samples_go_over_the_wire_byte_for_byte(ott: Ott) -> None:
    async def answer(_heard: Heard, writer: Any) -> bool:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(ISSUED))
        writer.write(ISSUED)
        return True

    async with raw_server(answer) as server:
        connector = ott.with_settings(base_url=server.url)
        assert await connector.provision(provision_order(), ott.call()) == SOLD
        await connector.redeem(redeem_order(), ott.call())
        sale, remit = server.heard
    assert (sale.line, sale.body) == ("POST /api/reseller/v1/GetVoucher HTTP/1.1", GET_VOUCHER)
    assert (remit.line, remit.body) == ("POST /api/v1/RemitVoucher HTTP/1.1", REMIT_VOUCHER)
    assert [one.header("content-length") for one in (sale, remit)] == ["187", "184"]
    for one in (sale, remit):
        assert one.header("authorization") == "Basic c2ltLWFwaS11c2VyOmV4YW1wbGUtb3R0LXBhc3N3b3Jk"
        assert one.header("content-type") == "application/x-www-form-urlencoded"


async def test_the_mobile_is_named_as_the_settings_say(ott: Ott) -> None:
    def mobile() -> str | None:
        shown = ott.legs[-1].request.partition("mobile=")[2].partition("&")[0]
        return shown or None

    await ott.confirmed()
    default = ott.with_settings(default_mobile="27829999999")
    for connector, msisdn, expected in (
        (ott.connector, MOBILE, "***0001"),
        (ott.connector, None, None),
        (default, MOBILE, "***0001"),
        (default, None, "***9999"),
        (ott.with_settings(send_mobile=False, default_mobile="27829999999"), MOBILE, None),
    ):
        await connector.redeem(redeem_order(an_id(len(ott.legs)), msisdn=msisdn), ott.call())
        assert mobile() == expected


async def test_an_answer_that_holds_another_amount_in_its_document_is_no_approval(ott: Ott) -> None:
    body = changed(ISSUED, voucher=msgspec.json.decode(ISSUED)["voucher"].replace("100.0000", "10.0000"))
    await ott.fault("http", params={"status": 200, "body": msgspec.json.decode(body)})
    outcome = await ott.provision()
    assert isinstance(outcome, OutcomeUnknown)
    assert outcome.alert == "bad_answer"
