"""The sandbox's life cycle, cell by cell as providers.md 11.3 prints it, and every note below that table."""

import msgspec
import pytest

from providers.provider_support import A1, R1, R2, R3, RawAnswer, an_id
from providers.sandbox_support import FIRST_CODE, Sandbox

STATES = ("none", "PROVISIONED", "CONFIRMED", "REDEEMED", "REDEEM_CONFIRMED", "REFUNDED", "REVERSED")
LOCATE = "404 UNABLE_TO_LOCATE_RECORD"
CONFIRMED_ALREADY = "409 VOUCHER_ALREADY_CONFIRMED"
NOT_REDEEMABLE = "409 VOUCHER_NOT_REDEEMABLE"
REDEEMED_ALREADY = "409 VOUCHER_ALREADY_REDEEMED"
NOT_REDEEMED = "409 VOUCHER_NOT_REDEEMED"
NOT_REFUNDED = "409 VOUCHER_NOT_REFUNDED"
R_CONFIRMED = "409 REDEMPTION_ALREADY_CONFIRMED"
F_CONFIRMED = "409 REFUND_ALREADY_CONFIRMED"
DUPLICATE = "409 DUPLICATE_RECORD"
GONE = "409 VOUCHER_ALREADY_REVERSED"

# operation -> a cell per state: status, then the refusal's code or the voucher's state afterwards; "-" cannot happen.
TABLE = {
    "provision": ("201 PROVISIONED", *[DUPLICATE] * 6),
    "retry": (
        "201 PROVISIONED",
        "200 PROVISIONED",
        "200 CONFIRMED",
        "200 REDEEMED",
        "200 REDEEM_CONFIRMED",
        "200 REFUNDED",
        GONE,
    ),
    "confirm": (
        LOCATE,
        "202 CONFIRMED",
        "202 CONFIRMED",
        "202 REDEEMED",
        "202 REDEEM_CONFIRMED",
        "202 REFUNDED",
        GONE,
    ),
    "reverse": (LOCATE, "202 REVERSED", *[CONFIRMED_ALREADY] * 4, "202 REVERSED"),
    "redeem": (
        NOT_REDEEMABLE,
        NOT_REDEEMABLE,
        "201 REDEEMED",
        REDEEMED_ALREADY,
        REDEEMED_ALREADY,
        REDEEMED_ALREADY,
        NOT_REDEEMABLE,
    ),
    "confirmRedeem": (LOCATE, "-", NOT_REDEEMED, "202 REDEEM_CONFIRMED", NOT_REDEEMED, NOT_REDEEMED, "-"),
    "reverseRedeem": (LOCATE, "-", "202 CONFIRMED", "202 CONFIRMED", R_CONFIRMED, R_CONFIRMED, "-"),
    "refund": (
        "404 INVALID_VOUCHER",
        NOT_REDEEMED,
        NOT_REDEEMED,
        "409 REDEMPTION_NOT_CONFIRMED",
        "201 REFUNDED",
        "409 VOUCHER_ALREADY_REFUNDED",
        NOT_REDEEMED,
    ),
    "confirmRefund": (LOCATE, "-", NOT_REFUNDED, NOT_REFUNDED, NOT_REFUNDED, "202 CONFIRMED", "-"),
    "reverseRefund": (LOCATE, "-", F_CONFIRMED, F_CONFIRMED, "202 REDEEM_CONFIRMED", "202 REDEEM_CONFIRMED", "-"),
}
CELLS = [(op, state, cell) for op, row in TABLE.items() for state, cell in zip(STATES, row, strict=True) if cell != "-"]
PROVISION = {
    "requestId": R1,
    "productId": "SBXANY",
    "amountCents": 10_000,
    "currency": "ZAR",
    "store": "S001",
    "terminal": "TERM0001",
}
REDEEM = {"requestId": R2, "code": FIRST_CODE, "amountCents": 10_000, "store": "S001", "terminal": "TERM0001"}
REFUND = {"requestId": R3, "code": FIRST_CODE, "amountCents": 0}
ADVICES = {
    "confirm": "/vouchers/{}/confirm",
    "reverse": "/vouchers/{}/reverse",
    "confirmRedeem": "/redemptions/{}/confirm",
    "reverseRedeem": "/redemptions/{}/reverse",
    "confirmRefund": "/refunds/{}/confirm",
    "reverseRefund": "/refunds/{}/reverse",
}
_advices = iter(range(1, 1 << 30))


async def advise(sandbox: Sandbox, op: str, request_id: str, advice_id: str | None = None) -> RawAnswer:
    body = {"adviceId": advice_id or an_id(next(_advices)), "reason": "TIMEOUT"}
    return await sandbox.raw("POST", ADVICES[op].format(request_id), body)


async def provision(sandbox: Sandbox, **changes: object) -> RawAnswer:
    return await sandbox.raw("POST", "/vouchers", PROVISION | changes)


async def redeem(sandbox: Sandbox, **changes: object) -> RawAnswer:
    return await sandbox.raw("POST", "/redemptions", REDEEM | changes)


async def refund(sandbox: Sandbox, **changes: object) -> RawAnswer:
    return await sandbox.raw("POST", "/refunds", REFUND | changes)


async def bring_to(sandbox: Sandbox, op: str, state: str) -> None:
    """A voucher R1 in a state, with a redemption R2 and a refund R3 where the operation is about one."""
    if state == "none":
        return
    assert (await provision(sandbox)).status == 201
    if state == "REVERSED":
        assert (await advise(sandbox, "reverse", R1)).status == 202
    if state in ("PROVISIONED", "REVERSED"):
        return
    assert (await advise(sandbox, "confirm", R1)).status == 202
    about_refund = op.endswith("Refund")
    if state == "CONFIRMED" and op.endswith("Redeem"):
        assert (await redeem(sandbox)).status == 201
        assert (await advise(sandbox, "reverseRedeem", R2)).status == 202
    if about_refund or state not in ("CONFIRMED",):
        assert (await redeem(sandbox)).status == 201
    if about_refund or state in ("REDEEM_CONFIRMED", "REFUNDED"):
        assert (await advise(sandbox, "confirmRedeem", R2)).status == 202
    if about_refund or state == "REFUNDED":
        assert (await refund(sandbox)).status == 201
    if about_refund and state in ("CONFIRMED", "REDEEMED"):
        assert (await advise(sandbox, "confirmRefund", R3)).status == 202
    if about_refund and state == "REDEEMED":
        assert (await redeem(sandbox, requestId=an_id(0x99))).status == 201
    if about_refund and state == "REDEEM_CONFIRMED":
        assert (await advise(sandbox, "reverseRefund", R3)).status == 202
    assert (await sandbox.state(reference=R1))["state"] == state


async def perform(sandbox: Sandbox, op: str) -> RawAnswer:
    match op:
        case "provision":
            return await provision(sandbox)
        case "retry":
            return await sandbox.raw("POST", f"/vouchers/{R1}/retry", PROVISION)
        case "redeem":
            return await redeem(sandbox, requestId=an_id(0x77))
        case "refund":
            return await refund(sandbox, requestId=an_id(0x78))
        case _:
            return await advise(sandbox, op, R3 if "Refund" in op else R2 if "Redeem" in op else R1)


@pytest.mark.parametrize(("op", "state", "cell"), CELLS, ids=[f"{op}-{state}" for op, state, _ in CELLS])
async def test_a_cell(sandbox: Sandbox, op: str, state: str, cell: str) -> None:
    status, word = cell.split()
    await bring_to(sandbox, op, state)
    before = await sandbox.state(reference=R1)
    answer = await perform(sandbox, op)
    assert answer.status == int(status), answer.body
    if answer.status < 300:
        assert (await sandbox.state(reference=R1))["state"] == word
        return
    error = answer.json["error"]
    assert error["code"] == word
    assert error["providerCode"] == f"SBX-{status}"
    assert error["message"]
    assert await sandbox.state(reference=R1) == before


# The same advice again


@pytest.mark.parametrize(
    ("op", "state", "request_id"),
    [
        ("confirm", "PROVISIONED", R1),
        ("reverse", "PROVISIONED", R1),
        ("confirmRedeem", "REDEEMED", R2),
        ("reverseRedeem", "REDEEMED", R2),
        ("confirmRefund", "REFUNDED", R3),
        ("reverseRefund", "REFUNDED", R3),
        ("reverse", "CONFIRMED", R1),
        ("confirm", "none", R1),
        ("reverseRedeem", "none", R2),
    ],
)
async def test_the_same_advice_gets_its_first_answer(sandbox: Sandbox, op: str, state: str, request_id: str) -> None:
    await bring_to(sandbox, op, state)
    first = await advise(sandbox, op, request_id, A1)
    assert [(await advise(sandbox, op, request_id, A1)).body for _ in range(2)] == [first.body, first.body]
    if state == "none" and op == "confirm":
        await provision(sandbox)
        assert (await advise(sandbox, op, request_id, A1)).body == first.body


async def test_an_advice_repeated_after_other_things_happened_gets_its_first_answer(sandbox: Sandbox) -> None:
    await bring_to(sandbox, "", "PROVISIONED")
    first = await advise(sandbox, "confirm", R1, A1)
    await redeem(sandbox)
    assert first.json == {"requestId": R1, "adviceId": A1, "state": "CONFIRMED"}
    assert (await advise(sandbox, "confirm", R1, A1)).json == first.json
    await advise(sandbox, "confirmRedeem", R2, an_id(5))
    assert (await advise(sandbox, "confirmRedeem", R2, an_id(5))).status == 202
    assert (await advise(sandbox, "confirmRedeem", R2, an_id(6))).json["error"]["code"] == "VOUCHER_NOT_REDEEMED"


# Tombstones


async def test_a_reversal_that_comes_first_refuses_the_provision(sandbox: Sandbox) -> None:
    assert (await advise(sandbox, "reverse", R1)).status == 404
    for answer in (await provision(sandbox), await sandbox.raw("POST", f"/vouchers/{R1}/retry", PROVISION)):
        assert (answer.status, answer.json["error"]["code"]) == (409, "VOUCHER_ALREADY_REVERSED")
    assert (await advise(sandbox, "reverse", R1)).json["state"] == "REVERSED"
    assert (await advise(sandbox, "confirm", R1)).json["error"]["code"] == "VOUCHER_ALREADY_REVERSED"
    assert (await sandbox.raw("GET", f"/vouchers/{R1}")).status == 404
    assert (await sandbox.totals())["vouchers"] == 0


async def test_a_reversal_that_comes_first_refuses_the_redemption_and_the_refund(sandbox: Sandbox) -> None:
    await bring_to(sandbox, "", "CONFIRMED")
    assert (await advise(sandbox, "reverseRedeem", R2)).status == 404
    late = await redeem(sandbox)
    assert (late.status, late.json["error"]["code"]) == (409, "REDEMPTION_ALREADY_REVERSED")
    await redeem(sandbox, requestId=an_id(1))
    await advise(sandbox, "confirmRedeem", an_id(1))
    assert (await advise(sandbox, "reverseRefund", R3)).status == 404
    late = await refund(sandbox)
    assert (late.status, late.json["error"]["code"]) == (409, "REFUND_ALREADY_REVERSED")
    assert (await advise(sandbox, "reverseRefund", R3)).status == 404
    assert (await sandbox.state(reference=R1))["state"] == "REDEEM_CONFIRMED"


# Balances, partial redemptions, refunds


async def test_a_balance_goes_down_at_once_and_comes_back_with_a_reversal(sandbox: Sandbox) -> None:
    await bring_to(sandbox, "", "CONFIRMED")
    done = await redeem(sandbox, amountCents=4_000)
    assert done.json["voucher"] == {"state": "REDEEMED", "balanceCents": 6_000, "serial": "SX00000001"}
    await advise(sandbox, "reverseRedeem", R2)
    assert (await sandbox.state(reference=R1))["balanceCents"] == 10_000


async def test_partial_redemptions_go_on_until_nothing_is_left(sandbox: Sandbox) -> None:
    await bring_to(sandbox, "", "CONFIRMED")
    await redeem(sandbox, amountCents=4_000)
    assert (await redeem(sandbox, requestId=an_id(1))).json["error"]["code"] == "VOUCHER_ALREADY_REDEEMED"
    confirmed = await advise(sandbox, "confirmRedeem", R2)
    assert confirmed.json["state"] == "CONFIRMED"
    assert (await sandbox.state(reference=R1))["state"] == "CONFIRMED"
    # The column CONFIRMED with a confirmed redemption.
    assert (await advise(sandbox, "confirmRedeem", R2)).json["error"]["code"] == "VOUCHER_NOT_REDEEMED"
    assert (await advise(sandbox, "reverseRedeem", R2)).json["error"]["code"] == "REDEMPTION_ALREADY_CONFIRMED"
    above = await redeem(sandbox, requestId=an_id(1), amountCents=6_001)
    assert (above.status, above.json["error"]["code"]) == (422, "INSUFFICIENT_FUNDS")
    rest = await redeem(sandbox, requestId=an_id(1), amountCents=0)
    assert (rest.json["approvedCents"], rest.json["providerRef"]) == (6_000, "SBXR00000002")
    await advise(sandbox, "confirmRedeem", an_id(1))
    assert (await sandbox.state(reference=R1))["state"] == "REDEEM_CONFIRMED"


async def test_an_older_movement_answers_by_its_own_state(sandbox: Sandbox) -> None:
    await bring_to(sandbox, "", "CONFIRMED")
    await redeem(sandbox, amountCents=4_000)
    await advise(sandbox, "reverseRedeem", R2)
    await redeem(sandbox, requestId=an_id(1))
    assert (await advise(sandbox, "reverseRedeem", R2)).status == 202
    assert (await advise(sandbox, "confirmRedeem", R2)).json["error"]["code"] == "VOUCHER_NOT_REDEEMED"
    assert (await sandbox.state(reference=R1))["state"] == "REDEEMED"


async def test_a_refund_adds_only_when_it_is_confirmed(sandbox: Sandbox) -> None:
    await bring_to(sandbox, "", "REDEEM_CONFIRMED")
    given = await refund(sandbox, redemptionRequestId=R2)
    assert (given.json["kind"], given.json["providerRef"], given.json["approvedCents"]) == (
        "REFUND",
        "SBXF00000001",
        10_000,
    )
    assert given.json["voucher"]["balanceCents"] == 0
    await advise(sandbox, "confirmRefund", R3)
    state = await sandbox.state(reference=R1)
    assert (state["state"], state["balanceCents"]) == ("CONFIRMED", 10_000)
    assert (await redeem(sandbox, requestId=an_id(1))).status == 201


async def test_a_refund_of_a_part_used_voucher_must_name_a_confirmed_redemption(sandbox: Sandbox) -> None:
    await bring_to(sandbox, "", "CONFIRMED")
    await redeem(sandbox, amountCents=4_000)
    await advise(sandbox, "confirmRedeem", R2)
    assert (await refund(sandbox)).json["error"]["code"] == "VOUCHER_NOT_REDEEMED"
    assert (await refund(sandbox, redemptionRequestId=an_id(9))).json["error"]["code"] == "VOUCHER_NOT_REDEEMED"
    assert (await refund(sandbox, redemptionRequestId=R2, amountCents=4_001)).json["error"] == {
        "code": "INVALID_AMOUNT",
        "providerCode": "SBX-422",
        "message": "Invalid amount",
    }
    assert (await refund(sandbox, redemptionRequestId=R2, amountCents=1_000)).status == 201
    assert (await advise(sandbox, "reverseRefund", R3)).status == 202
    assert (await sandbox.state(reference=R1))["state"] == "CONFIRMED"
    assert (await refund(sandbox, requestId=an_id(1), redemptionRequestId=R2, amountCents=1_000)).status == 201
    assert (await advise(sandbox, "confirmRefund", an_id(1))).status == 202
    # Of 4000 there are 3000 left to give back.
    rest = await refund(sandbox, requestId=an_id(2), redemptionRequestId=R2)
    assert rest.json["approvedCents"] == 3_000
    await advise(sandbox, "confirmRefund", an_id(2))
    nothing = await refund(sandbox, requestId=an_id(3), redemptionRequestId=R2)
    assert nothing.json["error"]["code"] == "VOUCHER_ALREADY_REFUNDED"
    assert (await sandbox.state(reference=R1))["balanceCents"] == 10_000


async def test_a_refund_must_name_its_redemption_when_there_are_several(sandbox: Sandbox) -> None:
    await bring_to(sandbox, "", "CONFIRMED")
    await redeem(sandbox, amountCents=4_000)
    await advise(sandbox, "confirmRedeem", R2)
    await redeem(sandbox, requestId=an_id(1), amountCents=6_000)
    await advise(sandbox, "confirmRedeem", an_id(1))
    unnamed = await refund(sandbox)
    assert (unnamed.status, unnamed.json["error"]["code"]) == (422, "TRANSACTION_DECLINED")
    assert (await refund(sandbox, redemptionRequestId=R2)).json["approvedCents"] == 4_000


async def test_a_voucher_with_a_pin_is_redeemed_with_it(sandbox: Sandbox) -> None:
    sold = (await provision(sandbox, productId="SBXPIN")).json["voucher"]
    assert len(sold["pin"]) == 4
    await advise(sandbox, "confirm", R1)
    for wrong in ({}, {"pin": "0000"}, {"pin": ""}):
        answer = await redeem(sandbox, **wrong)
        assert (answer.status, answer.json["error"]["code"]) == (404, "INVALID_VOUCHER")
    assert (await redeem(sandbox, pin=sold["pin"])).status == 201


async def test_a_voucher_that_is_used_whole_cannot_be_used_in_part(sandbox: Sandbox) -> None:
    await provision(sandbox, productId="SBXNOPARTIAL")
    await advise(sandbox, "confirm", R1)
    part = await redeem(sandbox, amountCents=9_999)
    assert (part.status, part.json["error"]["code"]) == (422, "INVALID_AMOUNT")
    assert (await redeem(sandbox)).status == 201


# Ids and codes that come again


async def test_the_same_redemption_again_is_answered_again(sandbox: Sandbox) -> None:
    await bring_to(sandbox, "", "CONFIRMED")
    first = await redeem(sandbox)
    again = await redeem(sandbox)
    assert (first.status, again.status, again.body) == (201, 200, first.body)
    other = await redeem(sandbox, amountCents=1)
    assert (other.status, other.json["error"]["code"]) == (409, "DUPLICATE_RECORD")
    await advise(sandbox, "confirmRedeem", R2)
    first = await refund(sandbox)
    again = await refund(sandbox)
    assert (first.status, again.status, again.body) == (201, 200, first.body)
    assert (await refund(sandbox, amountCents=1)).json["error"]["code"] == "DUPLICATE_RECORD"


async def test_with_rebind_an_id_is_new_whenever_the_voucher_allows(sandbox: Sandbox) -> None:
    await sandbox.profile(idReuse="rebind")
    await bring_to(sandbox, "", "CONFIRMED")
    await redeem(sandbox)
    assert (await redeem(sandbox)).status == 200  # the voucher does not allow a second one: a replay
    other = (await provision(sandbox, requestId=an_id(1))).json["voucher"]["code"]
    await advise(sandbox, "confirm", an_id(1))
    # Its amount is judged as that of a new request: a replay's conflict would leave the outcome unknown.
    too_much = await redeem(sandbox, code=other, amountCents=900_000)
    assert (too_much.status, too_much.json["error"]["code"]) == (422, "INSUFFICIENT_FUNDS")
    rebound = await redeem(sandbox, code=other)
    assert (rebound.status, rebound.json["providerRef"]) == (201, "SBXR00000002")
    # Advices find the newest.
    assert (await advise(sandbox, "confirmRedeem", R2)).status == 202
    assert (await sandbox.state(code=other))["state"] == "REDEEM_CONFIRMED"
    assert (await sandbox.state(code=FIRST_CODE))["state"] == "REDEEMED"
    assert (await refund(sandbox, code=other)).status == 201
    await advise(sandbox, "reverseRefund", R3)
    assert (await refund(sandbox, code=other)).json["providerRef"] == "SBXF00000002"
    assert (await provision(sandbox)).json["error"]["code"] == "DUPLICATE_RECORD"  # provision ids are never new


async def test_a_chosen_code_is_kept_and_is_taken_while_its_voucher_lives(sandbox: Sandbox) -> None:
    first = await provision(sandbox, voucherCode="MY-CODE-1")
    assert first.json["voucher"]["code"] == "MY-CODE-1"
    second = await provision(sandbox, requestId=an_id(1), voucherCode="MY-CODE-1")
    assert (second.status, second.json["error"]["code"]) == (409, "VOUCHER_ALREADY_PROVISIONED")
    await advise(sandbox, "reverse", R1)
    assert (await provision(sandbox, requestId=an_id(1), voucherCode="MY-CODE-1")).status == 201


async def test_with_rebind_the_new_voucher_takes_the_code_over(sandbox: Sandbox) -> None:
    await sandbox.profile(codeReuse="rebind")
    await provision(sandbox, voucherCode="MY-CODE-1")
    assert (await provision(sandbox, requestId=an_id(1), voucherCode="MY-CODE-1")).status == 201
    assert (await sandbox.state(code="MY-CODE-1"))["reference"] == an_id(1)
    assert (await sandbox.state(reference=R1))["code"] == "MY-CODE-1"


async def test_an_issued_code_never_meets_a_chosen_one(sandbox: Sandbox) -> None:
    await provision(sandbox, voucherCode=FIRST_CODE)
    assert (await provision(sandbox, requestId=an_id(1))).json["voucher"]["code"] != FIRST_CODE


async def test_a_retry_is_of_the_same_message(sandbox: Sandbox) -> None:
    await provision(sandbox)
    path = f"/vouchers/{R1}/retry"
    other = await sandbox.raw("POST", path, PROVISION | {"amountCents": 5_000})
    assert (other.status, other.json["error"]["code"]) == (409, "DUPLICATE_RECORD")
    assert (await sandbox.raw("POST", path, PROVISION | {"requestId": R2})).status == 400


# The world


@pytest.mark.parametrize(("event", "state"), [("EXPIRE", "EXPIRED"), ("BLOCK", "BLOCKED")])
async def test_expired_and_blocked_vouchers_are_not_redeemable_and_otherwise_as_before(
    sandbox: Sandbox, event: str, state: str
) -> None:
    await bring_to(sandbox, "", "PROVISIONED")
    await sandbox.world(FIRST_CODE, event)
    assert (await advise(sandbox, "confirm", R1)).status == 202
    assert (await sandbox.raw("GET", f"/vouchers/{R1}")).json["state"] == state
    answer = await redeem(sandbox)
    assert (answer.status, answer.json["error"]["code"]) == (409, "VOUCHER_NOT_REDEEMABLE")


async def test_a_voucher_expires_by_the_clock(sandbox: Sandbox) -> None:
    await bring_to(sandbox, "", "CONFIRMED")
    await sandbox.advance(37 * 31 * 24 * 3_600_000)
    assert (await redeem(sandbox)).json["error"]["code"] == "VOUCHER_NOT_REDEEMABLE"
    assert (await sandbox.raw("GET", f"/vouchers/{R1}")).json["state"] == "EXPIRED"


async def test_a_voucher_redeemed_elsewhere_can_be_refunded_but_not_reversed(sandbox: Sandbox) -> None:
    await bring_to(sandbox, "", "PROVISIONED")
    event = {"code": FIRST_CODE, "event": "REDEEM"}
    assert (await sandbox.control("POST", "/vouchers/events", event)).status == 409
    await advise(sandbox, "confirm", R1)
    assert (await sandbox.control("POST", "/vouchers/events", event)).json["state"] == "REDEEM_CONFIRMED"
    assert (await advise(sandbox, "reverse", R1)).json["error"]["code"] == "VOUCHER_ALREADY_CONFIRMED"
    assert (await refund(sandbox)).status == 201


# Order of checks (end of Part B): each request has every later fault too


async def test_checks_come_in_their_order(sandbox: Sandbox) -> None:
    await sandbox.control("POST", "/float", {"cents": 0})
    await provision(sandbox, requestId=R3)
    body = {
        "requestId": R3,
        "productId": "NOPRODUCT",
        "amountCents": 5,
        "currency": "ZAR",
        "store": "S999",
        "terminal": "T",
    }
    assert (await sandbox.raw("POST", "/vouchers", b"{", key="wrong")).status == 401
    assert (await sandbox.raw("POST", "/vouchers", b"{")).status == 400
    await sandbox.control("POST", "/float", {"cents": 10_000})
    await provision(sandbox, requestId=R3)
    expected = ["DUPLICATE_RECORD", "INVALID_MERCHANT", "ROUTING_ERROR", "INVALID_AMOUNT", "DO_NOT_HONOUR"]
    found = []
    for change in ({}, {"requestId": R1}, {"store": "S001"}, {"productId": "SBXANY"}, {"amountCents": 10_000}):
        body |= change
        found.append((await sandbox.raw("POST", "/vouchers", body)).json["error"]["code"])
    assert found == expected
    # A declined attempt does not use up its id.
    await sandbox.control("POST", "/float", {"cents": 10_000})
    assert (await sandbox.raw("POST", "/vouchers", body)).status == 201


@pytest.mark.parametrize(
    "change",
    [
        {"requestId": "short"},
        {"requestId": 5},
        {"productId": "x" * 21},
        {"productId": "a-b"},
        {"amountCents": "10000"},
        {"amountCents": 100.5},
        {"currency": "710"},
        {"voucherCode": ""},
        {"voucherCode": "x" * 41},
        {"voucherCode": "a b"},
        {"store": "x" * 21},
        {"terminal": ""},
    ],
)
async def test_a_message_of_another_form_is_refused(sandbox: Sandbox, change: dict[str, object]) -> None:
    answer = await provision(sandbox, **change)
    assert (answer.status, answer.json["error"]["code"]) == (400, "FORMAT_ERROR")


async def test_unknown_properties_are_ignored(sandbox: Sandbox) -> None:
    assert (await provision(sandbox, more={"x": 1})).status == 201


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"code": FIRST_CODE, "serial": "SX00000001"}, 400),
        ({"code": FIRST_CODE}, 200),
        ({"serial": "SX00000001"}, 200),
        ({"requestId": R1}, 200),
        ({"code": "X"}, 404),
        ({"serial": "SX1"}, 404),
        ({"serial": "SX0000000x"}, 404),
        ({"requestId": R2}, 404),
    ],
)
async def test_a_lookup_goes_by_one_name(sandbox: Sandbox, body: dict[str, str], status: int) -> None:
    await provision(sandbox)
    answer = await sandbox.raw("POST", "/vouchers/lookup", body)
    assert answer.status == status
    if status == 200:
        assert answer.json["voucher"]["code"] == (FIRST_CODE if "code" in body else "************1231")


async def test_a_reversed_sale_gives_the_float_back(sandbox: Sandbox) -> None:
    await provision(sandbox)
    assert (await sandbox.totals())["floatCents"] == 99_990_000
    await advise(sandbox, "reverse", R1)
    assert (await sandbox.totals())["floatCents"] == 100_000_000


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/vouchers"), ("PUT", "/vouchers"), ("POST", "/vouchers/x/y/z"), ("POST", "/nothing"), ("GET", "")],
)
async def test_another_call_is_not_found(sandbox: Sandbox, method: str, path: str) -> None:
    assert (await sandbox.raw(method, path, b"{}")).status == 404


async def test_what_a_simulator_says_is_json_with_a_date(sandbox: Sandbox) -> None:
    answer = await provision(sandbox)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["date"].endswith("GMT")
    assert msgspec.json.decode(answer.body)["productId"] == "SBXANY"
