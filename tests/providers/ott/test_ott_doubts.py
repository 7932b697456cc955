"""OTT where an answer or a mapped code could be taken for what it is not."""

import asyncio
import time
from typing import Any

import msgspec
import pytest

from providers.ott.ott_support import (
    FAILED,
    ISSUED,
    PIN,
    REMITTED,
    Ott,
    failure,
    issued_with,
    lookup_order,
    provision_order,
    redeem_order,
)
from providers.ott.test_ott_messages import RULES, rules
from providers.provider_support import (
    R2,
    SETTLED,
    Heard,
    advice_order,
    an_id,
    answer,
    changed,
    is_bad_answer,
    raw_server,
    status_order,
    voucher_of,
)
from voucherswitch.message.codes import ErrorType
from voucherswitch.message.outcomes import Acknowledged, Approved, Declined, NotSent, OutcomeUnknown, Pending, Refused
from voucherswitch.message.trace import Trace
from voucherswitch.providers.contract.connector import Call, ProviderSettingsError
from voucherswitch.providers.ott import translate
from voucherswitch.providers.ott.connector import connect
from voucherswitch.providers.ott.settings import ott_settings
from voucherswitch.providers.ott.simulator import CREDENTIALS

DECLINED = ["Declined", "INVALID_VOUCHER"]
TAKEN = {"success": "true", "voucherID": 7_000_001, "voucherAmount": "40.00", "voucherBalance": "60.00"}

# The settings' code_map: a code means something else in every operation


@pytest.mark.parametrize("code", ["1", "2", "6", "7", "8", "9", "941", "912"])
def test_a_bare_code_of_the_settings_declines_no_sale(code: str) -> None:
    """It was written for redemptions; of a sale it may be a system error, after which a voucher may exist."""
    mapped = rules(code_map={code: DECLINED})
    said = failure(code)
    assert translate.from_provision(said, provision_order(), mapped) == translate.from_provision(
        said, provision_order(), RULES
    )
    assert isinstance(translate.from_redeem(said, redeem_order(), mapped), Declined)
    assert isinstance(translate.from_lookup(said, lookup_order(), mapped), Declined)


def test_a_code_with_its_operation_counts_there_and_nowhere_else() -> None:
    mapped = rules(code_map={"RemitVoucher:1": DECLINED, "CheckVoucher:2": DECLINED, "GetVoucher:3": DECLINED})
    requests: dict[str, tuple[Any, Any]] = {
        "1": (translate.from_redeem, redeem_order()),
        "2": (translate.from_lookup, lookup_order()),
        "3": (translate.from_provision, provision_order()),
    }
    for code in requests:
        for own, (read, order) in requests.items():
            outcome = read(failure(code), order, mapped)
            assert (outcome == Declined(ErrorType.INVALID_VOUCHER, code, "No")) is (code == own)


def test_a_code_with_its_operation_wins_over_the_bare_one() -> None:
    mapped = rules(code_map={"1": DECLINED, "RemitVoucher:1": ["NotSent", "ROUTING_ERROR"]})
    assert isinstance(translate.from_redeem(failure("1"), redeem_order(), mapped), NotSent)
    assert isinstance(translate.from_lookup(failure("1"), lookup_order(), mapped), Declined)


@pytest.mark.parametrize(
    ("operation", "scope", "code", "early", "late"),
    [
        ("confirm", "ConfirmVoucher", "1", Refused, Refused),
        ("confirm", "ConfirmVoucher", "921", Refused, Refused),
        ("reverse", "RejectVoucher", "1", Pending, Acknowledged),
        ("reverse", "RejectVoucher", "922", Refused, Refused),
        ("reverse", "RejectVoucher", "923", Refused, Refused),
    ],
)
def test_code_map_turns_no_answer_to_an_advice_round(
    operation: str, scope: str, code: str, early: type, late: type
) -> None:
    for entry in (DECLINED, ["OutcomeUnknown", "UPSTREAM_UNAVAILABLE"]):
        mapped = rules(code_map={code: entry, f"{scope}:{code}": entry})
        for sent_ms_ago, kind in ((0, early), (-1, early), (SETTLED, late)):
            order = advice_order(sent_ms_ago=sent_ms_ago)
            assert type(translate.from_advice(failure(code), operation, order, mapped)) is kind


def test_code_map_settles_an_advice_only_under_its_own_name() -> None:
    order = advice_order(sent_ms_ago=SETTLED)
    for operation, scope in (("confirm", "ConfirmVoucher"), ("reverse", "RejectVoucher")):
        for key, kind in (("955", Pending), ("GetVoucher:955", Pending), (f"{scope}:955", Refused)):
            result = translate.from_advice(failure("955"), operation, order, rules(code_map={key: DECLINED}))
            assert type(result) is kind


@pytest.mark.parametrize("key", ["Remit:1", "CheckRemitVoucher:1", "remitvoucher:1", "RemitVoucher:", ":1"])
def test_a_code_under_a_name_that_maps_nothing_is_refused_at_start(key: str) -> None:
    settings = {"base_url": "https://ott.invalid", **CREDENTIALS}
    with pytest.raises(ProviderSettingsError) as refused:
        ott_settings("ott", settings | {"code_map": {"RemitVoucher:1": DECLINED, key: DECLINED}})
    assert str(refused.value).startswith(f"providers.ott.code_map.{key} names no operation")
    assert "RemitVoucher:" in str(refused.value).partition("set it to")[2]


# No answer repeats the reference it is about


@pytest.mark.parametrize("pause_s", [0, 0.002, 0.05])
async def test_an_answer_too_many_is_never_taken_for_that_of_the_next_message(pause_s: float) -> None:
    """On a kept connection it would be: a sale that was made would be NotSent, and made again elsewhere."""
    refused = changed(FAILED, errorCode="2")

    def written(status: str, body: bytes) -> bytes:
        return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status.encode(), len(body), body)

    async def behave(heard: Heard, writer: Any) -> None:
        if heard.connection == 0:
            writer.write(written("201 Created", FAILED))
            await asyncio.sleep(pause_s)
            writer.write(written("201 Created", refused))
        else:
            await asyncio.sleep(0.02)
            remit = b"RemitVoucher" in heard.head
            writer.write(written("200 OK", REMITTED if remit else ISSUED))

    async with raw_server(behave) as server:
        connector = connect("ott", {"base_url": server.url, "default_outlet": "S001", **CREDENTIALS})
        call = Call(Trace(), time.monotonic() + 10)
        assert isinstance(await connector.provision(provision_order(), call), Declined)
        assert isinstance(await connector.provision(provision_order(an_id(2)), call), Approved)
        assert isinstance(await connector.redeem(redeem_order(), call), Approved)
        assert isinstance(await connector.status(status_order(), call), Approved)
        await connector.close()
        assert [heard.connection for heard in server.heard] == [0, 1, 2, 3]


# A PIN is used up by any remit


@pytest.mark.parametrize("told", ["60.00", 60.0, "0.00", ...])
def test_a_part_redemption_leaves_nothing_on_the_pin(told: object) -> None:
    """The rest goes to the customer's wallet, so the voucher is spent whatever the answer says is left."""
    body = {name: value for name, value in (TAKEN | {"voucherBalance": told}).items() if value is not ...}
    expected = Approved(approved_cents=4_000, balance_cents=0, provider_ref="7000001", refs={"voucherID": "7000001"})
    assert translate.from_redeem(answer(body), redeem_order(amount_cents=4_000), RULES) == expected
    asked = status_order(R2, amount_cents=4_000)
    assert translate.from_redeem_status(answer(body), asked, RULES) == expected


async def test_what_a_part_redemption_left_cannot_be_redeemed(ott: Ott) -> None:
    voucher = await ott.confirmed()
    taken = await ott.redeem(code=voucher.code, amount_cents=4_000)
    assert isinstance(taken, Approved)
    assert (taken.approved_cents, taken.balance_cents) == (4_000, 0)
    again = await ott.redeem(request_id=an_id(9), code=voucher.code, amount_cents=6_000)
    assert isinstance(again, Declined)
    assert again.error_type is ErrorType.VOUCHER_ALREADY_REDEEMED


# A retry is a question: its "not found" counts from the last call


async def test_a_retry_proves_nothing_until_the_last_call_is_settled(ott: Ott) -> None:
    for age, settled, kind in (
        (SETTLED, 0, OutcomeUnknown),
        (SETTLED, 29_999, OutcomeUnknown),
        (SETTLED, -1, OutcomeUnknown),
        (-1, SETTLED, NotSent),
        (30_000, 30_000, NotSent),
    ):
        order = provision_order(sent_ms_ago=age, settled_ms_ago=settled)
        assert type(await ott.connector.retry(order, ott.call())) is kind
    assert (await ott.heard_ops()).count("provision") == 0


# A voucher that was paid for is not given up for the form of its date


@pytest.mark.parametrize(
    ("written", "expires_at"),
    [
        ("2029-03-02", "2029-03-02T21:59:59.000Z"),
        ("2029-03-02T23:59:59", "2029-03-02T21:59:59.000Z"),
        ("2029-03-02T23:59:59+02:00", "2029-03-02T21:59:59.000Z"),
        ("02/03/2029", None),
        ("", None),
        (20_290_302, None),
        ({"day": 2}, None),
    ],
)
def test_any_form_of_an_expiry_leaves_the_voucher_sold(written: object, expires_at: str | None) -> None:
    for outcome in (
        translate.from_provision(answer(issued_with(expiryDate=written)), provision_order(), RULES),
        translate.from_status(answer(issued_with(expiryDate=written)), status_order(), RULES),
    ):
        assert (voucher_of(outcome).code, voucher_of(outcome).expires_at) == (PIN, expires_at)


# References and texts are kept in clear


@pytest.mark.parametrize("name", ["voucherID", "saleID", "serialNumber"])
def test_a_reference_that_holds_the_pin_is_a_bad_answer(name: str) -> None:
    outcome = translate.from_provision(answer(issued_with(**{name: f"V-{PIN}"})), provision_order(), RULES)
    assert is_bad_answer(outcome)
    assert PIN not in repr(outcome)
    redeemed = answer(changed(REMITTED, voucherID=f"V-{PIN}"))
    assert is_bad_answer(translate.from_redeem(redeemed, redeem_order(), RULES))


@pytest.mark.parametrize("quoted", ["500400300200", "5004 0030 0200", "5004-0030-0200"])
async def test_a_refusal_that_quotes_another_voucher_shows_it_nowhere(ott: Ott, quoted: str) -> None:
    body = msgspec.json.encode({"success": "false", "errorCode": "902", "message": f"issued {quoted} before"})
    await ott.fault("http", op="redeem", params={"status": 201, "body": body.decode()})
    outcome = await ott.redeem()
    assert outcome == Declined(ErrorType.VOUCHER_ALREADY_REDEEMED, "902", "issued *** before")
    assert quoted not in repr(ott.legs)
