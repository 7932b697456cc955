"""Tenders: W1 to W9 (interface.md §7)."""

from typing import Any

import pytest

from support.expect import format_refused, refused
from support.messages import Json, a_provision, a_tender_confirmation, cash, changed, new_id, rand, without
from support.providers import TENDER_EXACT, TENDER_FIRST, at
from support.simulator import SimulatorControl
from support.switch import Switch
from support.till import Till

CARD: Json = {
    "amount": rand(6_000),
    "tenderType": "DEBIT_CARD",
    "accountType": "CHEQUE",
    "cardNumber": "412345******6789",
    "reference": "A83021",
}


async def test_w1_tenders_may_stand_in_the_request_and_in_the_confirmation(till: Till, switch: Switch) -> None:
    sale = await till.a_provisioned(tenders=[cash(10_000)])
    confirmation = a_tender_confirmation(sale.id, tenders=[cash(4_000), CARD])

    answer = await till.post("/vouchers/confirmations", confirmation)

    assert (answer.status, answer.body) == (202, confirmation)
    kept = await switch.value(
        "SELECT request FROM leg WHERE request_id = $1 AND advice_id = $2 AND direction = 1",
        sale.id,
        confirmation["id"],
    )
    assert '"DEBIT_CARD"' in kept
    assert "tenders" not in sale.answer.body


@pytest.mark.parametrize("tenders", ["absent", None, []])
async def test_w2_absent_null_or_empty_tenders_are_accepted(till: Till, tenders: Any) -> None:
    given = {} if tenders == "absent" else {"tenders": tenders}
    request = without(a_provision(tenders=[]), "tenders") | given
    sale = await till.post("/vouchers", request)
    assert sale.status == 201
    confirmation = without(a_tender_confirmation(request["id"]), "tenders") | given

    answer = await till.post("/vouchers/confirmations", confirmation)

    assert answer.status == 202
    assert answer.body == {name: value for name, value in confirmation.items() if value is not None}


@pytest.mark.parametrize(
    "missing",
    ["tenders[0].amount", "tenders[1].amount.currency", "tenders[1].amount.amount", "tenders[0].tenderType"],
)
@pytest.mark.parametrize("where", ["/vouchers", "/vouchers/confirmations"])
async def test_w3_each_tender_needs_amount_and_type(till: Till, where: str, missing: str) -> None:
    tenders = [cash(4_000), CARD]
    whole = a_provision(tenders=tenders) if where == "/vouchers" else a_tender_confirmation(new_id(), tenders=tenders)

    answer = await till.post(where, without(whole, missing))

    format_refused(answer, id=whole["id"], violations=[(missing, f"{missing} may not be null")])


async def test_w4_a_currency_may_be_a_number(till: Till) -> None:
    sale = await till.a_provisioned(tenders=[changed(cash(10_000), "amount.currency", 710)])
    confirmation = a_tender_confirmation(sale.id, tenders=[changed(cash(1_000), "amount.currency", 710)])

    answer = await till.post("/vouchers/confirmations", confirmation)

    assert answer.status == 202
    assert answer.body == changed(confirmation, "tenders[0].amount.currency", "710")


async def test_w5_an_account_type_is_none_of_a_gift_card_and_is_not_added(till: Till) -> None:
    sale = await till.a_provisioned()
    gift_card = a_tender_confirmation(sale.id, tenders=[cash(1) | {"accountType": "GIFT_CARD"}])
    plain = a_tender_confirmation(sale.id, tenders=[cash(10_000)])

    refused_ = await till.post("/vouchers/confirmations", gift_card)
    accepted = await till.post("/vouchers/confirmations", plain)

    listed = "DEFAULT, SAVINGS, CHEQUE, CREDIT, UNIVERSAL, ELECTRONIC_PURSE, STORED_VALUE"
    format_refused(
        refused_,
        id=gift_card["id"],
        violations=[("tenders[0].accountType", f"tenders[0].accountType must be one of [{listed}]")],
    )
    assert (accepted.status, accepted.body) == (202, plain)


@pytest.mark.parametrize(
    ("number", "kept"),
    [("4123456789016789", "412345******6789"), ("412345******6789", "412345******6789"), ("4123456789", "**********")],
)
async def test_w6_a_clear_card_number_is_echoed_and_kept_masked(
    till: Till, switch: Switch, number: str, kept: str
) -> None:
    tender = CARD | {"cardNumber": number, "amount": rand(10_000)}
    sale = await till.a_provisioned(tenders=[tender])
    confirmation = a_tender_confirmation(sale.id, tenders=[tender])

    answer = await till.post("/vouchers/confirmations", confirmation)

    assert (answer.status, answer.body) == (202, confirmation)
    legs = await switch.rows(
        "SELECT request, response FROM leg WHERE request_id = $1 AND direction = 1 ORDER BY leg_id", sale.id
    )
    assert len(legs) == 2
    assert all(f'"cardNumber":"{kept}"' in leg["request"] for leg in legs)
    assert f'"cardNumber":"{kept}"' in legs[1]["response"]


@pytest.mark.parametrize("number", ["41234", "41234567890167890123", "4123-4567-8901"])
async def test_w6_a_card_number_of_another_shape_is_refused_and_not_shown(till: Till, number: str) -> None:
    answer = await till.provision(tenders=[CARD | {"cardNumber": number}])

    (violation,) = answer.violations
    assert violation == {
        "field": "tenders[0].cardNumber",
        "msg": 'tenders[0].cardNumber must match "[0-9]{6}[0-9*]{0,13}"',
    }


async def test_w7_only_rounding_may_be_negative(till: Till, switch: Switch, simulator: SimulatorControl) -> None:
    rounding = {"amount": rand(-5), "tenderType": "ROUNDING"}
    negative = a_provision(tenders=[cash(10_005), cash(-5)])

    answer = await till.post("/vouchers", negative)

    refused(answer, 400, "INVALID_AMOUNT", id=negative["id"])
    assert await switch.record(negative["id"]) is None
    assert await simulator.ops(negative["id"]) == []
    sale = await till.a_provisioned(tenders=[cash(10_005), rounding])
    assert (await till.confirm_voucher(sale.id, tenders=[cash(-5)])).status == 202


@pytest.mark.parametrize(
    ("brand", "tenders", "accepted"),
    [
        (TENDER_FIRST, None, False),
        (TENDER_FIRST, [], False),
        (TENDER_FIRST, [cash(9_999)], False),
        (TENDER_FIRST, [cash(4_000), CARD], True),
        (TENDER_FIRST, [cash(10_001)], True),
        (TENDER_EXACT, [cash(10_001)], False),
        (TENDER_EXACT, [cash(10_005), {"amount": rand(-5), "tenderType": "ROUNDING"}], True),
    ],
)
async def test_w8_a_provider_that_wants_the_tender_first(
    till: Till, switch: Switch, simulator: SimulatorControl, brand: Any, tenders: Any, accepted: bool
) -> None:
    request = a_provision(**at(brand), tenders=tenders)

    answer = await till.post("/vouchers", request)

    if accepted:
        assert answer.status == 201
        return
    refused(answer, 400, "TRANSACTION_DECLINED", "Tender required before request", id=request["id"])
    assert await switch.record(request["id"]) is None
    assert await simulator.ops(request["id"]) == []


async def test_w8_other_providers_are_sent_no_tenders(till: Till, switch: Switch) -> None:
    sale = await till.a_provisioned(tenders=[cash(10_000)])

    sent = await switch.value("SELECT request FROM leg WHERE request_id = $1 AND direction = 2", sale.id)
    assert "ender" not in sent


async def test_w9_a_sum_that_differs_from_the_value_is_no_refusal(till: Till) -> None:
    sale = await till.a_provisioned(tenders=[cash(1)])

    answer = await till.confirm_voucher(sale.id, tenders=[cash(99_999), CARD])

    assert answer.status == 202
