"""Who speaks: N4 and N7 to N10 (interface.md §9)."""

import base64
import time
from statistics import median

import pytest

from support.client import BASE, Answer
from support.expect import format_refused, refused
from support.kinds import KINDS, Kind
from support.messages import AN_ID, a_confirmation, a_provision, a_reversal, new_id
from support.originators import DISABLED, DOES_NOT_EXIST, NON_ASCII, OTHER, TILL, Originator
from support.switch import Switch
from support.till import Till

BASIC = 'Basic realm="suv", charset="UTF-8"'
BEARER = 'Bearer realm="suv"'
BOTH = f"{BASIC}, {BEARER}"
WRONG_TOKEN = f'{BEARER}, error="invalid_token"'


def basic(text: str) -> str:
    """Credentials as they are sent."""
    return f"Basic {base64.b64encode(text.encode()).decode()}"


async def with_credentials(switch: Switch, authorization: str | None) -> Answer:
    """Ask for the products with an Authorization header of one's own."""
    headers = {} if authorization is None else {"authorization": authorization}
    return await switch.client.send("GET", f"{BASE}/products", by=None, headers=headers)


def not_identified(answer: Answer, challenge: str) -> None:
    """What everybody hears who is not identified."""
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == challenge
    assert answer.error_type == "AUTHENTICATION_ERROR"
    assert "id" not in answer.body
    assert "originalId" not in answer.body


async def test_n4_the_user_name_is_the_client_of_the_message(till: Till, switch: Switch) -> None:
    request = a_provision(TILL)

    refused(await switch.client.post("/vouchers", request, by=OTHER), 400, "AUTHENTICATION_ERROR", id=request["id"])

    assert (await switch.client.post("/vouchers", request, by=TILL)).status == 201


@pytest.mark.parametrize(
    "authorization",
    [
        basic(f"{DOES_NOT_EXIST.id}:{TILL.password}"),
        basic(f"{TILL.id}:wrong password"),
        basic(f"{TILL.id}:"),
        basic(f":{TILL.password}"),
        basic(f"{DISABLED.id}:{DISABLED.password}"),
        basic(TILL.id),
        "Basic",
        "Basic ====",
        f"Basic {base64.b64encode(bytes([0xFF, 0xFE, 0x3A])).decode()}",
    ],
    ids=[
        "unknown user",
        "wrong password",
        "empty password",
        "no user",
        "disabled",
        "no colon",
        "no credentials",
        "no base64",
        "no UTF-8",
    ],
)
async def test_n7_who_is_not_identified_is_answered_401(switch: Switch, authorization: str | None) -> None:
    answer = await with_credentials(switch, authorization)

    not_identified(answer, BOTH)


@pytest.mark.parametrize("token", ["4711", "", "a.b.c", "ey" * 4000, "a b", "\u00e4"])
async def test_n7_an_unknown_token_is_answered_401(switch: Switch, token: str) -> None:
    not_identified(await with_credentials(switch, f"Bearer {token}"), WRONG_TOKEN)


@pytest.mark.parametrize(
    "authorization",
    [None, f"Digest username={TILL.id}", basic(f"{TILL.id}:{TILL.password}").removeprefix("Basic ")],
    ids=["none", "other scheme", "no scheme"],
)
async def test_n7_whoever_tries_neither_way_is_told_both(switch: Switch, authorization: str | None) -> None:
    not_identified(await with_credentials(switch, authorization), BOTH)


async def test_n7_of_two_credentials_none_counts(switch: Switch) -> None:
    """Somebody in front of us may have looked at the other one."""
    head = switch.request_head("GET", f"{BASE}/products", by=TILL).decode()
    twice = head.replace("Content-Type", f"Authorization: {basic('a:b')}\r\nConnection: close\r\nContent-Type", 1)
    assert (await switch.raw(twice.encode())).startswith(b"HTTP/1.1 400 ")


async def test_n7_unknown_user_and_wrong_password_are_not_told_apart(switch: Switch) -> None:
    """Neither by the answer nor by how long it takes: without a decoy for unknown users they differ fiftyfold."""
    known = Originator(f"N7-{new_id()[:8]}", {"product_lookup": True})
    await switch.add_originator(known)
    durations: dict[str, list[float]] = {f"N7-{new_id()[:8]}": [], known.id: []}
    answers = set()
    for number in range(4):  # after the fifth failure nobody listens any more
        for user, taken in durations.items():
            started = time.perf_counter()
            answer = await with_credentials(switch, basic(f"{user}:wrong {number}"))
            taken.append(time.perf_counter() - started)
            answers.add((answer.status, answer.raw, answer.headers["www-authenticate"]))

    unknown, wrong = (median(taken) for taken in durations.values())
    assert len(answers) == 1
    assert 1 / 3 < unknown / wrong < 3, (unknown, wrong)


@pytest.mark.parametrize("scheme", ["basic", "BASIC", "bAsIc"])
async def test_n7_the_scheme_is_read_without_regard_to_case(switch: Switch, scheme: str) -> None:
    credentials = basic(f"{TILL.id}:{TILL.password}").replace("Basic", scheme)

    assert (await with_credentials(switch, credentials)).status == 200


async def test_n7_a_password_may_hold_any_letters(switch: Switch) -> None:
    """RFC 7617 with the charset of our challenge."""
    assert (await with_credentials(switch, basic(f"{NON_ASCII.id}:{NON_ASCII.password}"))).status == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/vouchers"),
        ("POST", f"/vouchers/{AN_ID}/retry"),
        ("POST", "/vouchers/confirmations"),
        ("POST", "/vouchers/reversals"),
        ("GET", "/vouchers"),
        ("POST", "/redemptions"),
        ("POST", "/redemptions/confirmations"),
        ("POST", "/redemptions/reversals"),
        ("GET", f"/redemptions/{AN_ID}"),
        ("POST", "/refunds"),
        ("POST", "/refunds/confirmations"),
        ("POST", "/refunds/reversals"),
        ("GET", "/products"),
    ],
)
async def test_n7_every_operation_asks_who_speaks(switch: Switch, method: str, path: str) -> None:
    body = b"{}" if method == "POST" else None

    answer = await switch.client.send(method, BASE + path, by=DOES_NOT_EXIST, body=body)

    assert (answer.status, answer.headers["www-authenticate"]) == (401, BOTH)


async def test_n8_the_client_is_compared_after_the_format_and_before_the_state(till: Till, switch: Switch) -> None:
    sale = await till.a_provisioned()

    malformed = await switch.client.post("/vouchers", sale.request | {"extra": 1}, by=OTHER)
    duplicate = await switch.client.post("/vouchers", sale.request, by=OTHER)

    format_refused(malformed, id=sale.id)
    refused(duplicate, 400, "AUTHENTICATION_ERROR", "Incorrect username", id=sale.id)


@KINDS
async def test_n9_the_user_is_the_client_of_advices_and_lookups(till: Till, other: Till, kind: Kind) -> None:
    request = await kind.request(till)
    assert (await till.post(kind.path, request)).status == 201

    theirs = await other.post(f"{kind.path}/confirmations", a_confirmation(request["id"]))
    ours = await till.post(f"{kind.path}/confirmations", a_confirmation(request["id"]))

    assert (theirs.status, ours.status) == (404, 202)


async def test_n10_a_new_password_orphans_nothing(switch: Switch) -> None:
    user = f"N10-{new_id()[:8]}"
    before = Originator(user, {"redemption": True}, password="the first password")
    after = Originator(user, {}, password="the second password")
    await switch.add_originator(before)
    till = Till(switch, before)
    sale = await till.a_redeemed()
    tombstone = a_reversal(new_id())
    assert (await till.post("/vouchers/reversals", tombstone)).status == 404

    await switch.set_password(after)

    changed = Till(switch, after)
    assert (await changed.confirm_redemption(sale.redemption_id)).status == 202
    assert (await changed.lookup_redemption(sale.redemption_id)).status == 200
    late = await changed.provision(id=tombstone["requestId"])
    assert late.error_type == "VOUCHER_ALREADY_REVERSED"
    assert (await till.lookup_redemption(sale.redemption_id)).status == 401
