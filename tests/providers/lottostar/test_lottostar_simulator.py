"""The simulator by itself: strict about form and credentials, exact in its samples, honest in its books."""

from typing import Any

import msgspec
import pytest

from providers.lottostar.lottostar_support import CODE, ERROR_BODY, ISSUE_BODY, SAMPLE_EPOCH_S, VOUCHER_BODY, Lottostar
from providers.provider_support import A1, R1, R2, an_id
from voucherswitch.providers.contract.simulator.wires import Request
from voucherswitch.providers.lottostar.signing import signed_headers
from voucherswitch.providers.lottostar.simulator import KEY_ID, PORT, SECRET
from voucherswitch.providers.lottostar.simulator.provider import DENOMINATIONS_CENTS, LottostarProvider

VOID = {"adviceId": A1, "reason": "TIMEOUT"}


def issue(reference: str = R1, **changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = msgspec.json.decode(ISSUE_BODY) | {"clientTxnId": reference} | changes
    return {name: value for name, value in body.items() if value is not ...}


def error_of(answer: Any) -> tuple[int, str]:
    return answer.status, answer.json["error"]["code"]


def request(method: str, path: str, body: bytes, number: int, now_s: float) -> Request:
    target = f"/partner/v1{path}"
    headers = signed_headers(KEY_ID, SECRET, method, target, int(now_s * 1000), an_id(number), body)
    named = [(name.encode(), value.encode()) for name, value in headers.items()]
    if body:
        named.append((b"Content-Type", b"application/json"))
    return Request(method, target, named, body)


def test_the_samples_answers_byte_for_byte() -> None:
    assert PORT == 9103
    provider, now = LottostarProvider(), SAMPLE_EPOCH_S + 0.42
    sale = provider.answer(provider.read(request("POST", "/vouchers", ISSUE_BODY, 1, now)), now)
    assert (sale.status, sale.body) == (201, VOUCHER_BODY)
    replay = provider.answer(provider.read(request("POST", "/vouchers", ISSUE_BODY, 2, now)), now)
    assert (replay.status, replay.body) == (200, VOUCHER_BODY)
    found = provider.answer(provider.read(request("GET", f"/vouchers/by-client-ref/{R1}", b"", 3, now)), now)
    assert (found.status, found.body) == (200, VOUCHER_BODY)
    provider.world_event(CODE, "REDEEM", now)
    path = f"/vouchers/by-client-ref/{R1}/void"
    refused = provider.answer(provider.read(request("POST", path, msgspec.json.encode(VOID), 4, now)), now)
    assert (refused.status, refused.body) == (409, ERROR_BODY)


async def test_values_count_up_and_keep_their_check_digit(lottostar: Lottostar) -> None:
    seeded = await lottostar.control("POST", "/vouchers", {"valueCents": 1_000})
    assert seeded.status == 201
    answers = [await lottostar.raw("POST", "/vouchers", issue(an_id(n))) for n in range(3)]
    assert [one.json["code"] for one in answers] == ["73100246891352", "73100246891360", "73100246891378"]
    assert [one.json["serial"] for one in answers] == ["880000000001", "880000000002", "880000000003"]
    assert [one.json["voucherId"] for one in answers] == [f"LSV{n:012d}" for n in (1, 2, 3)]


# Credentials


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"X-LS-Key": ""}, (401, "UNKNOWN_KEY")),
        ({"X-LS-Key": "lsk-example"}, (401, "UNKNOWN_KEY")),
        # The key is looked at before anything else.
        ({"X-LS-Key": "LSK-OTHER", "X-LS-Timestamp": "0", "X-LS-Signature": "x"}, (401, "UNKNOWN_KEY")),
        ({"X-LS-Timestamp": ""}, (401, "STALE_TIMESTAMP")),
        ({"X-LS-Timestamp": "0", "X-LS-Signature": "x"}, (401, "STALE_TIMESTAMP")),
        ({"X-LS-Timestamp": "1e12"}, (401, "STALE_TIMESTAMP")),
        ({"X-LS-Signature": ""}, (401, "BAD_SIGNATURE")),
        ({"X-LS-Signature": "0" * 64}, (401, "BAD_SIGNATURE")),
        ({"X-LS-Nonce": an_id(1)}, (401, "BAD_SIGNATURE")),
    ],
)
async def test_credentials_are_exact(lottostar: Lottostar, headers: dict[str, str], expected: tuple[int, str]) -> None:
    assert error_of(await lottostar.raw("POST", "/vouchers", issue(), headers=headers)) == expected
    assert (await lottostar.totals())["vouchers"] == 0


@pytest.mark.parametrize(("off_ms", "status"), [(-121_000, 401), (-119_000, 201), (119_000, 201), (121_000, 401)])
async def test_a_timestamp_may_be_two_minutes_off(lottostar: Lottostar, off_ms: int, status: int) -> None:
    now_ms = int(lottostar.simulator.frame.clock.now() * 1000)
    answer = await lottostar.raw("POST", "/vouchers", issue(), timestamp_ms=now_ms + off_ms)
    assert answer.status == status


async def test_a_nonce_is_a_uuid_and_a_signature_covers_the_query(lottostar: Lottostar) -> None:
    assert error_of(await lottostar.raw("GET", "/denominations", nonce="1")) == (400, "INVALID_REQUEST")
    assert (await lottostar.raw("GET", "/denominations?a=%2F")).status == 200


async def test_a_nonce_is_burnt_also_by_a_request_that_is_refused_later(lottostar: Lottostar) -> None:
    wrong = issue(storeRef="S999")
    assert error_of(await lottostar.raw("POST", "/vouchers", wrong, nonce=an_id(1))) == (404, "STORE_UNKNOWN")
    assert error_of(await lottostar.raw("POST", "/vouchers", issue(), nonce=an_id(1))) == (401, "NONCE_REUSED")
    assert error_of(await lottostar.raw("POST", "/vouchers", issue(), nonce=an_id(1).upper())) == (401, "NONCE_REUSED")


# Form


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        issue(clientTxnId=...),
        issue(clientTxnId="x" * 37),
        issue(clientTxnId=""),
        issue(denominationCents="10000"),
        issue(denominationCents=100.5),
        issue(storeRef="x" * 21),
        issue(storeRef=""),
        issue(terminalRef=...),
        issue(terminalRef="x" * 21),
        issue(currency="ZAR"),
    ],
)
async def test_the_form_of_a_provision_is_exact(lottostar: Lottostar, body: object) -> None:
    assert error_of(await lottostar.raw("POST", "/vouchers", body)) == (400, "INVALID_REQUEST")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/vouchers/lookup", {"code": "731"}),
        ("POST", "/vouchers/lookup", {"serial": "880000000001"}),
        ("POST", f"/vouchers/by-client-ref/{R1}/void", {"adviceId": "short", "reason": "TIMEOUT"}),
        ("POST", f"/vouchers/by-client-ref/{R1}/void", {"adviceId": A1, "reason": "WHIM"}),
        ("POST", f"/vouchers/by-client-ref/{R1}/void", {"adviceId": A1}),
        ("GET", "/denominations", {}),
    ],
)
async def test_the_form_of_the_other_calls_is_exact(lottostar: Lottostar, method: str, path: str, body: object) -> None:
    assert error_of(await lottostar.raw(method, path, body)) == (400, "INVALID_REQUEST")


async def test_a_body_is_declared(lottostar: Lottostar) -> None:
    for content_type in ("", "text/plain", "application/json; charset=utf-8"):
        answer = await lottostar.raw("POST", "/vouchers", issue(), headers={"Content-Type": content_type})
        assert error_of(answer) == (400, "INVALID_REQUEST")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/vouchers"),
        ("POST", "/denominations"),
        ("DELETE", f"/vouchers/by-client-ref/{R1}"),
        ("GET", f"/vouchers/by-client-ref/{R1}/void"),
        ("GET", "/vouchers/by-client-ref/"),
        ("GET", f"/vouchers/by-client-ref/{R1}/void/x"),
    ],
)
async def test_other_calls_are_not_found(lottostar: Lottostar, method: str, path: str) -> None:
    assert error_of(await lottostar.raw(method, path)) == (404, "UNKNOWN_CALL")


# Business rules


async def test_checks_come_in_their_order(lottostar: Lottostar) -> None:
    both = issue(storeRef="S999", denominationCents=1)
    assert error_of(await lottostar.raw("POST", "/vouchers", both)) == (404, "STORE_UNKNOWN")
    await lottostar.control("POST", "/float", {"cents": 9_999})
    assert error_of(await lottostar.raw("POST", "/vouchers", issue(denominationCents=1))) == (400, "INVALID_AMOUNT")
    assert error_of(await lottostar.raw("POST", "/vouchers", issue())) == (402, "FLOAT_EXHAUSTED")
    # None of these used up the reference.
    await lottostar.control("POST", "/float", {"cents": 10_000})
    assert (await lottostar.raw("POST", "/vouchers", issue())).status == 201
    assert (await lottostar.totals())["floatCents"] == 0


@pytest.mark.parametrize("changes", [{"denominationCents": 5_000}, {"storeRef": "S002"}, {"terminalRef": "TERM0002"}])
async def test_a_known_reference_with_other_values_is_a_conflict(lottostar: Lottostar, changes: dict[str, Any]) -> None:
    await lottostar.raw("POST", "/vouchers", issue())
    answer = await lottostar.raw("POST", "/vouchers", issue(**changes))
    assert error_of(answer) == (409, "IDEMPOTENCY_MISMATCH")
    assert await lottostar.vouchers() == 1


@pytest.mark.parametrize("cents", DENOMINATIONS_CENTS)
async def test_every_denomination_is_sold(lottostar: Lottostar, cents: int) -> None:
    answer = await lottostar.raw("POST", "/vouchers", issue(denominationCents=cents))
    assert (answer.status, answer.json["valueCents"]) == (201, cents)


async def test_a_voucher_expires_after_thirty_six_months(lottostar: Lottostar) -> None:
    await lottostar.at("2028-02-29T23:30:00+02:00")
    answer = await lottostar.raw("POST", "/vouchers", issue())
    assert answer.json["expiresAt"] == "2031-02-28T23:59:59+02:00"
    await lottostar.at("2031-03-01T00:00:01+02:00")
    assert (await lottostar.raw("GET", f"/vouchers/by-client-ref/{R1}")).json["status"] == "EXPIRED"
    assert (await lottostar.raw("POST", "/vouchers", issue())).json["status"] == "EXPIRED"
    void = await lottostar.raw("POST", f"/vouchers/by-client-ref/{R1}/void", VOID)
    assert error_of(void) == (409, "VOID_WINDOW_CLOSED")


async def test_a_voucher_sold_elsewhere_is_found_and_not_ours(lottostar: Lottostar) -> None:
    seeded = (await lottostar.control("POST", "/vouchers", {"valueCents": 5_000, "state": "REDEEMED"})).json
    found = await lottostar.raw("POST", "/vouchers/lookup", {"code": seeded["code"]})
    assert (found.status, found.json["status"], found.json["valueCents"]) == (200, "REDEEMED", 5_000)
    chosen = await lottostar.control("POST", "/vouchers", {"valueCents": 1_000, "code": CODE, "productRef": "LS10"})
    assert chosen.json["code"] == CODE
    assert (await lottostar.raw("POST", "/vouchers", issue())).json["code"] == "73100246891360"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/vouchers", {"valueCents": 1}, 400),
        ("/vouchers", {"valueCents": 1_000, "productRef": "LS20"}, 400),
        ("/vouchers", {"valueCents": 1_000, "code": "12"}, 400),
        ("/vouchers", {"valueCents": 1_000, "state": "BLOCKED"}, 400),
        ("/vouchers/events", {"code": CODE, "event": "BLOCK"}, 409),
        ("/vouchers/events", {"code": "0", "event": "REDEEM"}, 404),
        ("/profile", {}, 404),
        ("/tokens/expire", {}, 404),
        ("/faults", {"op": "redeem", "kind": "delay"}, 400),
        ("/faults", {"op": "*", "kind": "no_such_kind"}, 400),
    ],
)
async def test_a_control_call_that_cannot_be_served_says_why(
    lottostar: Lottostar, path: str, body: dict[str, Any], status: int
) -> None:
    await lottostar.raw("POST", "/vouchers", issue())
    answer = await lottostar.control("POST", path, body)
    assert answer.status == status
    assert answer.json["error"]


async def test_the_world_acts_once(lottostar: Lottostar) -> None:
    await lottostar.raw("POST", "/vouchers", issue())
    for event, status in (("EXPIRE", 200), ("REDEEM", 409), ("EXPIRE", 409)):
        assert (await lottostar.control("POST", "/vouchers/events", {"code": CODE, "event": event})).status == status


async def test_the_journal_has_no_code_and_knows_what_took_effect(lottostar: Lottostar) -> None:
    await lottostar.raw("POST", "/vouchers", issue())
    await lottostar.raw("POST", "/vouchers/lookup", {"code": CODE})
    await lottostar.fault("nonce_replay")
    await lottostar.raw("POST", "/vouchers", issue(R2))
    await lottostar.fault("html_503")
    await lottostar.raw("POST", "/vouchers", issue(an_id(3)))
    journal = await lottostar.journal()
    assert [(entry["status"], entry["processed"]) for entry in journal] == [
        (201, True),
        (200, True),
        (401, True),
        (503, False),
    ]
    assert CODE not in str(journal)
