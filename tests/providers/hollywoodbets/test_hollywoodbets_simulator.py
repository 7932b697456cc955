"""The simulator by itself: strict about form and credentials, exact in its samples, honest in its books."""

from typing import Any

import msgspec
import pytest

from providers.hollywoodbets.hollywoodbets_support import (
    AUTHORIZATION,
    CONTENT_TYPE,
    HOUR_MS,
    ISSUE_BODY,
    PIN,
    REFUSAL_BODY,
    SAMPLE_EPOCH_S,
    VOUCHER_BODY,
    Hollywoodbets,
)
from providers.provider_support import A1, R1, R2, RawAnswer, an_id, http
from voucherswitch.providers.contract.simulator.wires import Request
from voucherswitch.providers.hollywoodbets.simulator import PORT
from voucherswitch.providers.hollywoodbets.simulator.provider import DENOMINATIONS_CENTS, HollywoodbetsProvider

BLOCK = {"adviceId": A1, "reason": "TIMEOUT"}


def issue(reference: str = R1, **changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = msgspec.json.decode(ISSUE_BODY) | {"partnerRef": reference} | changes
    return {name: value for name, value in body.items() if value is not ...}


def code_of(answer: RawAnswer) -> str:
    """The result code of an answer, which is HTTP 200 whatever it is."""
    assert answer.status == 200
    assert answer.headers["content-type"] == CONTENT_TYPE
    code: str = answer.json["resultCode"]
    return code


def request(method: str, path: str, body: bytes = b"") -> Request:
    headers = [(b"Authorization", AUTHORIZATION.encode())]
    if body:
        headers.append((b"Content-Type", CONTENT_TYPE.encode()))
    return Request(method, f"/retail-topup/v1{path}", headers, body)


def test_the_samples_answers_byte_for_byte() -> None:
    assert PORT == 9104
    provider, now = HollywoodbetsProvider(), SAMPLE_EPOCH_S
    for sent in (request("POST", "/issues", ISSUE_BODY), request("GET", f"/issues/{R1}")):
        reply = provider.answer(provider.read(sent), now)
        assert (reply.status, reply.body) == (200, VOUCHER_BODY)
    provider.world_event(PIN, "REDEEM", now)
    sent = request("POST", f"/issues/{R1}/block", msgspec.json.encode(BLOCK))
    refused = provider.answer(provider.read(sent), now)
    assert (refused.status, refused.body, refused.took_effect) == (200, REFUSAL_BODY, False)


async def test_values_count_up_and_keep_their_check_digit(hollywoodbets: Hollywoodbets) -> None:
    assert (await hollywoodbets.control("POST", "/vouchers", {"valueCents": 1_000})).status == 201
    answers = [await hollywoodbets.raw("POST", "/issues", issue(an_id(n))) for n in range(3)]
    assert [one.json["pin"] for one in answers] == ["00471203869", "00471203877", "00471203885"]
    assert [one.json["serialNumber"] for one in answers] == ["4100000001", "4100000002", "4100000003"]
    assert [one.json["voucherId"] for one in answers] == [51_000_001, 51_000_002, 51_000_003]


# Form


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        issue(partnerRef=...),
        issue(partnerRef="x" * 41),
        issue(partnerRef="a|b"),
        issue(outletCode="x" * 13),
        issue(outletCode=""),
        issue(faceValue=100),
        issue(faceValue="100"),
        issue(faceValue="100,00"),
        issue(faceValue="-100.00"),
        issue(requestedAt=...),
        issue(requestedAt="2026-03-02T14:15:16"),
        issue(requestedAt="now"),
        issue(currency="ZAR"),
    ],
)
async def test_the_form_of_a_provision_is_exact(hollywoodbets: Hollywoodbets, body: object) -> None:
    assert code_of(await hollywoodbets.raw("POST", "/issues", body)) == "HB50"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/pin-queries", {"pin": 471203869}),
        ("POST", "/pin-queries", {"pin": "471203869"}),
        ("POST", f"/issues/{R1}/block", {"adviceId": "short", "reason": "TIMEOUT"}),
        ("POST", f"/issues/{R1}/block", {"adviceId": A1, "reason": "WHIM"}),
        ("POST", f"/issues/{R1}/block", {"adviceId": A1}),
        ("GET", "/denominations", {}),
        ("GET", f"/issues/{R1}", {}),
    ],
)
async def test_the_form_of_the_other_calls_is_exact(
    hollywoodbets: Hollywoodbets, method: str, path: str, body: object
) -> None:
    assert code_of(await hollywoodbets.raw(method, path, body)) == "HB50"


async def test_a_body_is_declared(hollywoodbets: Hollywoodbets) -> None:
    for content_type in ("", "application/json", "text/plain"):
        answer = await hollywoodbets.raw("POST", "/issues", ISSUE_BODY, {"Content-Type": content_type})
        assert code_of(answer) == "HB50"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/issues"),
        ("GET", "/issues/"),
        ("POST", "/denominations"),
        ("DELETE", f"/issues/{R1}"),
        ("GET", f"/issues/{R1}/block"),
        ("GET", f"/pin-queries/{PIN}"),
    ],
)
async def test_other_calls_are_http_404(hollywoodbets: Hollywoodbets, method: str, path: str) -> None:
    assert (await hollywoodbets.raw(method, path)).status == 404
    assert (await http("GET", f"{hollywoodbets.simulator.url}/other")).status == 404


# Business rules


async def test_checks_come_in_their_order(hollywoodbets: Hollywoodbets) -> None:
    malformed = issue(outletCode="S999", faceValue="1")
    assert (await hollywoodbets.raw("POST", "/issues", malformed, {"Authorization": ""})).status == 401
    assert code_of(await hollywoodbets.raw("POST", "/issues", malformed)) == "HB50"
    assert code_of(await hollywoodbets.raw("POST", "/issues", issue(outletCode="S999", faceValue="1.00"))) == "HB10"
    await hollywoodbets.control("POST", "/float", {"cents": 0})
    assert code_of(await hollywoodbets.raw("POST", "/issues", issue(faceValue="1.00"))) == "HB11"
    assert code_of(await hollywoodbets.raw("POST", "/issues", issue(faceValue="200.00"))) == "HB12"
    assert code_of(await hollywoodbets.raw("POST", "/issues", issue())) == "HB16"
    # None of these used up the reference.
    await hollywoodbets.control("POST", "/float", {"cents": 10_000})
    assert code_of(await hollywoodbets.raw("POST", "/issues", issue())) == "HB00"
    assert (await hollywoodbets.totals())["floatCents"] == 0


@pytest.mark.parametrize("changes", [{"faceValue": "50.00"}, {"outletCode": "S002"}])
async def test_a_known_reference_with_other_data_is_a_conflict(
    hollywoodbets: Hollywoodbets, changes: dict[str, Any]
) -> None:
    await hollywoodbets.raw("POST", "/issues", issue())
    assert code_of(await hollywoodbets.raw("POST", "/issues", issue(**changes))) == "HB13"
    later = issue(requestedAt="2026-03-02T15:00:00.000+02:00")
    assert (await hollywoodbets.raw("POST", "/issues", later)).json["pin"] == PIN
    assert await hollywoodbets.vouchers() == 1


@pytest.mark.parametrize("cents", DENOMINATIONS_CENTS)
async def test_every_face_value_but_r200_is_sold(hollywoodbets: Hollywoodbets, cents: int) -> None:
    answer = await hollywoodbets.raw("POST", "/issues", issue(faceValue=f"{cents // 100}.00"))
    assert code_of(answer) == ("HB12" if cents == 20_000 else "HB00")


async def test_a_voucher_lapses_after_thirty_six_months(hollywoodbets: Hollywoodbets) -> None:
    await hollywoodbets.at("2028-02-29T23:30:00+02:00")
    sold = await hollywoodbets.raw("POST", "/issues", issue())
    assert (sold.json["expiryDate"], sold.json["batchNo"]) == ("28/02/2031", "B280229")
    await hollywoodbets.at("2031-03-01T00:00:01+02:00")
    found = await hollywoodbets.raw("POST", "/pin-queries", {"pin": sold.json["pin"]})
    assert found.json["state"] == "LAPSED"
    # Long forgotten by reference.
    assert code_of(await hollywoodbets.raw("GET", f"/issues/{R1}")) == "HB40"
    assert code_of(await hollywoodbets.raw("POST", f"/issues/{R1}/block", BLOCK)) == "HB40"


async def test_a_lapsed_voucher_is_not_blocked(hollywoodbets: Hollywoodbets) -> None:
    await hollywoodbets.raw("POST", "/issues", issue())
    await hollywoodbets.world(PIN, "EXPIRE")
    assert code_of(await hollywoodbets.raw("POST", f"/issues/{R1}/block", BLOCK)) == "HB15"


async def test_redeem_then_block_is_hb14(hollywoodbets: Hollywoodbets) -> None:
    await hollywoodbets.raw("POST", "/issues", issue())
    await hollywoodbets.world(PIN, "REDEEM")
    assert code_of(await hollywoodbets.raw("POST", f"/issues/{R1}/block", BLOCK)) == "HB14"


async def test_a_reference_is_told_for_ninety_days(hollywoodbets: Hollywoodbets) -> None:
    await hollywoodbets.raw("POST", "/issues", issue())
    for hours, code in ((24 * 90 - 1, "HB00"), (2, "HB40")):
        await hollywoodbets.advance(hours * HOUR_MS)
        assert code_of(await hollywoodbets.raw("GET", f"/issues/{R1}")) == code


async def test_a_voucher_sold_elsewhere_is_found_and_not_ours(hollywoodbets: Hollywoodbets) -> None:
    seeded = (await hollywoodbets.control("POST", "/vouchers", {"valueCents": 5_000, "state": "USED"})).json
    found = await hollywoodbets.raw("POST", "/pin-queries", {"pin": seeded["code"]})
    assert (found.json["state"], found.json["faceValue"]) == ("USED", "50.00")
    assert "pin" not in found.json
    chosen = await hollywoodbets.control("POST", "/vouchers", {"valueCents": 1_000, "code": PIN, "productRef": "10.00"})
    assert chosen.json["code"] == PIN
    assert (await hollywoodbets.raw("POST", "/issues", issue())).json["pin"] == "00471203877"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/vouchers", {"valueCents": 1}, 400),
        ("/vouchers", {"valueCents": 1_000, "productRef": "20.00"}, 400),
        ("/vouchers", {"valueCents": 1_000, "code": "12"}, 400),
        ("/vouchers", {"valueCents": 1_000, "state": "ACTIVE"}, 400),
        ("/vouchers", {"valueCents": 1_000, "code": PIN}, 409),
        ("/vouchers/events", {"code": "0", "event": "REDEEM"}, 404),
        ("/profile", {}, 404),
        ("/keys", {}, 404),
        ("/faults", {"op": "redeem", "kind": "delay"}, 400),
        ("/faults", {"op": "*", "kind": "clock_skew"}, 400),
    ],
)
async def test_a_control_call_that_cannot_be_served_says_why(
    hollywoodbets: Hollywoodbets, path: str, body: dict[str, Any], status: int
) -> None:
    await hollywoodbets.raw("POST", "/issues", issue())
    answer = await hollywoodbets.control("POST", path, body)
    assert answer.status == status
    assert answer.json["error"]


async def test_the_journal_has_no_pin_and_knows_what_took_effect(hollywoodbets: Hollywoodbets) -> None:
    await hollywoodbets.raw("POST", "/issues", issue())
    await hollywoodbets.raw("POST", "/pin-queries", {"pin": PIN})
    await hollywoodbets.raw("POST", "/issues", issue(faceValue="50.00"))
    await hollywoodbets.fault("in_progress")
    await hollywoodbets.raw("POST", "/issues", issue(R2))
    await hollywoodbets.fault("empty_body", params={"processed": False})
    await hollywoodbets.raw("POST", "/issues", issue(an_id(3)))
    await hollywoodbets.raw("GET", f"/issues/{an_id(3)}")
    journal = await hollywoodbets.journal()
    assert {entry["status"] for entry in journal} == {200}
    assert [entry["processed"] for entry in journal] == [True, True, False, True, False, False]
    assert PIN not in str(journal)
