"""Paths, methods and headers (interface.md §1)."""

import json
from typing import Any

import pytest

from support.client import BASE, Answer
from support.messages import (
    AN_ID,
    Json,
    a_confirmation,
    a_provision,
    a_redemption,
    a_refund,
    a_reversal,
    a_tender_confirmation,
    new_id,
)
from support.originators import PENDING_102
from support.providers import DOWN, at
from support.simulator import SimulatorControl
from support.switch import Switch
from support.till import Till

SLASHES = pytest.mark.parametrize("slash", ["", "/"], ids=["without slash", "with slash"])


async def _requests(till: Till) -> list[tuple[str, Json, int]]:
    """The eleven POST paths, each with a message that succeeds if they are sent in this order."""
    sale, spare = await till.a_provisioned(), await till.a_provisioned()
    redemption, refund, fresh = a_redemption(code=sale.code), a_refund(code=sale.code), a_provision()
    undone_redemption, undone_refund = a_redemption(code=sale.code), a_refund(code=sale.code)
    return [
        ("/vouchers", a_provision(), 201),
        (f"/vouchers/{fresh['id']}/retry", fresh, 201),
        (f"/vouchers/{fresh['id']}/retries", fresh, 201),
        ("/vouchers/reversals", a_reversal(spare.id), 202),
        ("/vouchers/confirmations", a_tender_confirmation(sale.id), 202),
        ("/redemptions", undone_redemption, 201),
        ("/redemptions/reversals", a_reversal(undone_redemption["id"]), 202),
        ("/redemptions", redemption, 201),
        ("/redemptions/confirmations", a_confirmation(redemption["id"]), 202),
        ("/refunds", undone_refund, 201),
        ("/refunds/reversals", a_reversal(undone_refund["id"]), 202),
        ("/refunds", refund, 201),
        ("/refunds/confirmations", a_confirmation(refund["id"]), 202),
    ]


@SLASHES
async def test_1_every_path_is_accepted_with_and_without_a_slash(till: Till, slash: str) -> None:
    for path, body, status in await _requests(till):
        answer = await till.post(path + slash, body)

        assert answer.status == status, (path, answer)
        if status == 201:
            assert answer.headers["location"] == f"{BASE}{path}{slash}"
        else:
            assert "location" not in answer.headers
            assert answer.body == body


@SLASHES
async def test_1_every_lookup_is_accepted_with_and_without_a_slash(till: Till, slash: str) -> None:
    sale = await till.a_redeemed()

    answers = [
        await till.get(f"/vouchers{slash}", voucherCode=sale.code),
        await till.get(f"/redemptions/{sale.redemption_id}{slash}"),
        await till.get(f"/products{slash}"),
    ]

    assert [answer.status for answer in answers] == [200, 200, 200]


async def test_1_location_is_the_request_without_its_query(switch: Switch) -> None:
    answer = await switch.client.send("POST", f"{BASE}/vouchers?shop=1&voucherCode=SECRET", body=a_provision())

    assert (answer.status, answer.headers["location"]) == (201, "/suv/v1/vouchers")


PATHS = ["/vouchers", "/vouchers/confirmations", "/vouchers/reversals", f"/vouchers/{AN_ID}/retry", "/redemptions",
    "/redemptions/confirmations", "/redemptions/reversals", f"/redemptions/{AN_ID}", "/refunds",
    "/refunds/confirmations", "/refunds/reversals", "/products"]  # fmt: skip
# GET of these two asks for a redemption with that id, which is none.
SHADOWED = ("/redemptions/confirmations", "/redemptions/reversals")
ALLOWED = {"/vouchers": {"GET", "POST"}, "/products": {"GET"}}


def allowed(path: str) -> set[str]:
    """The methods of a path."""
    if path.startswith("/redemptions/"):
        return {"GET", "POST"} if path in SHADOWED else {"GET"}
    return ALLOWED.get(path, {"POST"})


METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE")
NOT_ALLOWED = [(path, method) for path in PATHS for method in METHODS if method not in allowed(path)]


@SLASHES
@pytest.mark.parametrize(("path", "method"), NOT_ALLOWED)
async def test_1_another_method_is_405(switch: Switch, path: str, method: str, slash: str) -> None:
    body = b"{}" if method in ("POST", "PUT", "PATCH") else None

    answer = await switch.client.send(method, BASE + path + slash, body=body)

    assert answer.status == 405
    if method == "HEAD":
        assert answer.raw == b""
    else:
        assert (answer.error_type, "id" in answer.body) == ("FUNCTION_NOT_SUPPORTED", False)


@pytest.mark.parametrize("path", PATHS)
async def test_1_405_names_the_methods_that_there_are(switch: Switch, path: str) -> None:
    """RFC 9110, 15.5.6: Allow is generated from what the path has."""
    answer = await switch.client.send("DELETE", BASE + path)

    named = {method.strip() for method in answer.headers.get("allow", "").split(",")}
    assert named == allowed(path) or (named == {"POST"} and path in SHADOWED)


@pytest.mark.parametrize(
    "path",
    [
        "/suv/v1",
        "/suv/v1/",
        "/suv/v2/vouchers",
        "/vouchers",
        "/suv/v1/voucher",
        "/suv/v1/vouchers//",
        "/suv/v1/vouchers/confirmations/x",
        f"/suv/v1/vouchers/{AN_ID}",
        f"/suv/v1/vouchers/{AN_ID}/retrying",
        f"/suv/v1/refunds/{AN_ID}",
        f"/suv/v1/redemptions/{AN_ID}/confirmations",
        "/suv/v1/products/SBXANY",
        "/SUV/V1/vouchers",
        "/suv/v1/%76ouchers/x",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_1_an_unknown_path_is_404(switch: Switch, method: str, path: str) -> None:
    answer = await switch.client.send(method, path, body={} if method == "POST" else None)

    assert (answer.status, answer.error_type) == (404, "FUNCTION_NOT_SUPPORTED")
    assert "id" not in answer.body


@pytest.mark.parametrize(
    ("content_type", "accepted"),
    [
        ("application/json", True),
        ("application/json; charset=utf-8", True),
        ('Application/JSON;charset="UTF-8"', True),
        ("application/json; charset=iso-8859-1", False),
        ("application/json; charset=utf-16", False),
        ("text/plain", False),
        ("text/json", False),
        ("application/xml", False),
        ("application/x-www-form-urlencoded", False),
        ("application/jsonp", False),
    ],
)
async def test_1_the_content_type_is_json_in_utf_8(switch: Switch, content_type: str, accepted: bool) -> None:
    request = a_provision()

    answer = await switch.client.send("POST", f"{BASE}/vouchers", body=request, headers={"content-type": content_type})

    if accepted:
        assert answer.status == 201
        return
    assert (answer.status, answer.error_type, "id" in answer.body) == (415, "FORMAT_ERROR", False)
    assert await switch.record(request["id"]) is None


async def test_1_a_body_without_content_type_is_415(switch: Switch) -> None:
    answer = await switch.client.send("POST", f"{BASE}/vouchers", body=a_provision(), headers={"content-type": ""})

    assert (answer.status, answer.error_type) == (415, "FORMAT_ERROR")


async def test_1_503_says_when_to_come_back(till: Till) -> None:
    answer = await till.provision(**at(DOWN))

    assert answer.status == 503
    assert 1 <= int(answer.headers["retry-after"]) <= 60


async def test_5_1_every_status_of_the_table_is_sent(till: Till, other: Till, simulator: SimulatorControl) -> None:
    """One of each; 413 is in test_hostile.py, 500 and the store's 503 are in test_store.py."""
    sale = await till.a_redeemed()
    lost = a_provision()
    await simulator.fault("drop_after", "provision", lost["id"])
    answers: dict[int, Answer] = {
        200: await till.lookup(voucherCode=sale.code),
        201: await till.provision(),
        202: await till.confirm_redemption(sale.redemption_id),
        400: await till.post("/vouchers", sale.request),
        401: await till.switch.client.post("/vouchers", sale.request, user=till.by.id, password="wrong"),
        403: await other.lookup_redemption(sale.redemption_id),
        404: await till.reverse_voucher(new_id()),
        405: await till.switch.client.send("DELETE", f"{BASE}/vouchers"),
        415: await till.switch.client.send("POST", f"{BASE}/vouchers", body=b"x", headers={"content-type": "a/b"}),
        503: await till.provision(**at(DOWN)),
        504: await till.post("/vouchers", lost),
    }

    assert {expected: answer.status for expected, answer in answers.items()} == {
        expected: expected for expected in answers
    }


async def test_o6_an_originator_may_want_102_for_an_open_lookup(switch: Switch, simulator: SimulatorControl) -> None:
    """102 is an interim status to every HTTP client, so this reads the bytes as such an originator would."""
    till = Till(switch, PENDING_102)
    request = a_redemption(till.by, code=(await till.a_confirmed()).code)
    await simulator.fault("drop_after", "redeem", request["id"])
    assert (await till.post("/redemptions", request)).status == 504

    asked = switch.request_head("GET", f"{BASE}/redemptions/{request['id']}", by=PENDING_102)
    head = (await switch.raw(asked, until=b"\r\n\r\n")).decode().splitlines()

    assert head[0].startswith("HTTP/1.1 102")
    assert not any(line.lower().startswith(("content-type", "transfer-encoding")) for line in head)


async def test_1_the_docs_and_the_openapi_document_need_no_credentials(switch: Switch) -> None:
    document = await switch.client.send("GET", "/openapi.json", by=None)

    assert document.status == 200
    described: dict[str, Any] = document.body["paths"]
    assert sum(len(methods) for methods in described.values()) == 13
    assert json.loads(document.raw)["openapi"].startswith("3.1")
