"""Conversions and echo: interface.md §3.4, and the identifiers of §2.8."""

from typing import Any

import pytest

from support.expect import format_refused
from support.messages import (
    MOBITALK,
    REMOVED,
    SETTLEMENT,
    a_provision,
    a_redemption,
    a_reversal,
    a_tender_confirmation,
    changed,
    new_id,
    rand,
    references,
)
from support.originators import TILL
from support.till import Till


@pytest.mark.parametrize(
    ("path", "given", "echoed"),
    [
        ("amounts.requestAmount.currency", 710, "710"),
        ("stan", 42, "42"),
        ("stan", True, "true"),
        ("basketRef", False, "false"),
        ("amounts.requestAmount.amount", "10000", 10_000),
        ("amounts.requestAmount.amount", 10_000.0, 10_000),
        ("client.name", 1.50, "1.5"),
        ("originator.merchant.merchantType", 5411, "5411"),
    ],
)
async def test_3_4_what_may_be_converted_is(till: Till, path: str, given: Any, echoed: Any) -> None:
    request = a_provision()

    answer = await till.post("/vouchers", changed(request, path, given))

    assert answer.status == 201
    expected = changed(request, path, echoed)
    for name in ("amounts.requestAmount", "stan", "basketRef", "client", "originator"):
        here, there = answer.body, expected
        for step in name.split("."):
            here, there = here.get(step, {}), there.get(step, {})
        assert here == there


async def test_3_4_a_number_given_for_a_text_keeps_its_digits(till: Till) -> None:
    body = b'{"id":"%s","requestId":"%s","time":"%s","rrn":1.50,"reversalReason":"TIMEOUT"}'
    sale = await till.a_provisioned()
    advice = a_reversal(sale.id)

    answer = await till.post(
        "/vouchers/reversals", body % tuple(advice[name].encode() for name in ("id", "requestId", "time"))
    )

    assert (answer.status, answer.body) == (202, advice | {"rrn": "1.50"})


@pytest.mark.parametrize(
    ("path", "given", "message"),
    [
        ("amounts.requestAmount.currency", 36, 'amounts.requestAmount.currency must match "[0-9]{3}"'),
        ("amounts.requestAmount.amount", 10_000.5, "amounts.requestAmount.amount must be of type integer"),
        ("amounts.requestAmount.amount", "+10000", "amounts.requestAmount.amount must be of type integer"),
        ("amounts.requestAmount.amount", "1e4", "amounts.requestAmount.amount must be of type integer"),
        ("amounts.requestAmount.amount", True, "amounts.requestAmount.amount must be of type integer"),
        ("tranType", "goods_and_services", None),
        ("time", 20260312091502, "time must be of type string"),
    ],
)
async def test_3_4_nothing_else_is(till: Till, path: str, given: Any, message: str | None) -> None:
    request = changed(a_provision(), path, given)

    answer = await till.post("/vouchers", request)

    format_refused(answer, id=request["id"])
    assert message is None or answer.violations[0]["msg"] == message


TIMES = [
    ("2026-03-12T09:15:02.418Z", "2026-03-12T09:15:02.418Z"),
    ("2026-03-12T09:15:02Z", "2026-03-12T09:15:02.000Z"),
    ("2026-03-12T09:15:02.4Z", "2026-03-12T09:15:02.400Z"),
    ("2026-03-12T09:15:02.418999999Z", "2026-03-12T09:15:02.418Z"),
    ("2026-03-12T11:15:02.418+02:00", "2026-03-12T09:15:02.418Z"),
    ("2026-03-12T00:30:00.000+02:00", "2026-03-11T22:30:00.000Z"),
    ("2026-12-31T23:59:59.999-00:30", "2027-01-01T00:29:59.999Z"),
    ("2024-02-29T12:00:00.000Z", "2024-02-29T12:00:00.000Z"),
]


@pytest.mark.parametrize(("given", "echoed"), TIMES, ids=[given for given, _ in TIMES])
async def test_3_4_times_come_back_in_utc_to_the_millisecond(till: Till, given: str, echoed: str) -> None:
    provision = a_provision(time=given, voucher={"code": f"T-{new_id()[:13]}", "expiryDate": given})
    answer = await till.post("/vouchers", provision)
    confirmation = a_tender_confirmation(provision["id"], time=given)
    confirmed = await till.post("/vouchers/confirmations", confirmation)
    redemption = a_redemption(code=provision["voucher"]["code"], voucher=provision["voucher"], time=given)
    redeemed = await till.post("/redemptions", redemption)

    assert (answer.status, answer.body["time"], answer.body["voucher"]["expiryDate"]) == (201, echoed, echoed)
    assert (confirmed.status, confirmed.body) == (202, confirmation | {"time": echoed})
    assert (redeemed.status, redeemed.body["time"], redeemed.body["voucher"]["expiryDate"]) == (201, echoed, echoed)
    duplicate = await till.post("/vouchers", provision)
    assert duplicate.detail["requestTime"] == echoed


async def test_3_4_optional_fields_that_are_null_count_as_absent(till: Till) -> None:
    request = a_provision(
        settlementEntity=None, slipData=None, basketRef=None, tenders=None, voucher=None, recipient=None, posInfo=None
    )

    answer = await till.post("/vouchers", request)

    assert answer.status == 201
    assert not {"basketRef", "posInfo", "recipient", "tenders"} & set(answer.body)


async def test_3_4_letters_beyond_ascii_come_back(till: Till) -> None:
    request = a_provision(basketRef="Küche \N{PARTY POPPER} 密码", recipient={"firstName": "Zoë Ñandú"})

    answer = await till.post("/vouchers", request)

    assert (answer.body["basketRef"], answer.body["recipient"]) == (request["basketRef"], request["recipient"])


async def test_3_4_additional_amounts_come_back(till: Till) -> None:
    amounts = {"requestAmount": rand(10_000), "feeAmount": rand(150), "additionalAmounts": {"tip": rand(5)}}

    answer = await till.provision(amounts=amounts)

    assert {name: answer.body["amounts"][name] for name in amounts} == amounts


async def test_2_8_own_entries_follow_those_of_the_request(till: Till) -> None:
    request = a_provision()

    answer = await till.post("/vouchers", request)

    entries = answer.body["thirdPartyIdentifiers"]
    assert entries[:2] == request["thirdPartyIdentifiers"]
    assert [entry["institutionId"] for entry in entries[2:]] == [SETTLEMENT["id"], MOBITALK["id"]]
    assert entries[2]["transactionIdentifier"].startswith("VSW-")
    assert entries[3]["transactionIdentifier"].startswith("SBXV")


@pytest.mark.parametrize("given", [REMOVED, [], "one"])
async def test_2_8_no_entry_is_invented(till: Till, given: Any) -> None:
    entries = references(TILL)[:1] if given == "one" else given

    answer = await till.provision(thirdPartyIdentifiers=entries)

    assert answer.status == 201
    assert len(answer.body["thirdPartyIdentifiers"]) == (3 if given == "one" else 2)


async def test_2_8_explicit_null_is_a_violation(till: Till) -> None:
    request = a_provision(thirdPartyIdentifiers=None)

    answer = await till.post("/vouchers", request)

    format_refused(
        answer, id=request["id"], violations=[("thirdPartyIdentifiers", "thirdPartyIdentifiers may not be null")]
    )


async def test_2_8_the_settlement_entity_of_the_request_is_kept(till: Till) -> None:
    own = {"id": "31313131", "name": "Own Settlement"}

    answer = await till.provision(settlementEntity=own)

    assert answer.body["settlementEntity"] == own
    assert answer.body["thirdPartyIdentifiers"][2]["institutionId"] == own["id"]


async def test_2_8_movements_append_their_own_references(till: Till) -> None:
    sale = await till.a_refunded()
    assert sale.redemption_answer is not None
    assert sale.refund_answer is not None

    redeemed = sale.redemption_answer.body["thirdPartyIdentifiers"]
    refunded = sale.refund_answer.body["thirdPartyIdentifiers"]

    assert redeemed[3]["transactionIdentifier"].startswith("SBXR")
    assert refunded[3]["transactionIdentifier"].startswith("SBXF")
    ours = {entries[2]["transactionIdentifier"] for entries in (redeemed, refunded)}
    assert len(ours) == 2
