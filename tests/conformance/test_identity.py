"""Identity: I1 to I10 (interface.md §4.7)."""

from itertools import product

import pytest

from support.expect import refused
from support.kinds import KINDS, MOVEMENTS, PROVISION, REDEMPTION, REFUND, Kind, release, running
from support.messages import (
    a_confirmation,
    a_provision,
    a_reversal,
    a_tender_confirmation,
    new_id,
    now,
    rand,
)
from support.originators import STRICT
from support.simulator import SimulatorControl
from support.switch import Switch
from support.till import Till
from support.waiting import eventually


async def test_i1_third_party_identifiers_never_replace_the_uuid(till: Till) -> None:
    sale = await till.a_provisioned()
    own = sale.answer.body["thirdPartyIdentifiers"]
    foreign = [{"institutionId": "1", "transactionIdentifier": "somebody else's"}]

    wrong_id = await till.confirm_voucher(new_id(), thirdPartyIdentifiers=own)
    right_id = await till.confirm_voucher(sale.id, thirdPartyIdentifiers=foreign)

    assert (wrong_id.status, right_id.status) == (404, 202)


async def test_i1_uuids_are_compared_without_regard_to_case_and_echoed_as_received(
    till: Till, simulator: SimulatorControl
) -> None:
    request = a_provision(id=new_id().upper())

    answer = await till.post("/vouchers", request)
    again = await till.post("/vouchers", request | {"id": request["id"].lower()})
    confirmation = a_tender_confirmation(request["id"].lower(), id=new_id().upper())
    confirmed = await till.post("/vouchers/confirmations", confirmation)
    repeated = await till.post("/vouchers/confirmations", confirmation | {"id": confirmation["id"].lower()})

    assert (answer.status, answer.body["id"]) == (201, request["id"])
    refused(again, 400, "DUPLICATE_RECORD", id=request["id"].lower())
    assert (confirmed.status, confirmed.body) == (202, confirmation)
    assert (repeated.status, repeated.body["id"]) == (202, confirmation["id"].lower())
    await simulator.takes(request["id"].lower(), "confirm")


async def test_i1_any_uuid_shape_is_an_id(till: Till) -> None:
    """§11 O25: certification's ids are no version 4 UUIDs."""
    shape = new_id()

    assert (await till.provision(id=f"{shape[:14]}f{shape[15:19]}f{shape[20:]}")).status == 201


@MOVEMENTS
async def test_i2_a_declined_request_uses_its_id_up(strict: Till, simulator: SimulatorControl, kind: Kind) -> None:
    request = await kind.request(strict)
    await simulator.fault("decline", kind.op, request["id"], code="DO_NOT_HONOUR")
    assert (await strict.post(kind.path, request)).error_type == "DO_NOT_HONOUR"

    refused(await strict.post(kind.path, request), 400, "DUPLICATE_RECORD", id=request["id"])


async def test_i2_a_request_that_was_refused_before_it_was_recorded_does_not(till: Till) -> None:
    """§4.2: steps 1 to 7 use up no id: bad format, wrong user, no route, wrong amount."""
    request = a_provision()

    unrecorded = [
        await till.post("/vouchers", request | {"unknown": 1}),
        await till.post("/vouchers", request | {"client": {"id": "someone else", "name": "?"}}),
        await till.post("/vouchers", request | {"product": {"productId": "NO SUCH PRODUCT"}}),
        await till.post("/vouchers", request | {"amounts": {"requestAmount": rand(99)}}),
    ]

    assert [answer.error_type for answer in unrecorded] == [
        "FORMAT_ERROR",
        "AUTHENTICATION_ERROR",
        "ROUTING_ERROR",
        "INVALID_AMOUNT",
    ]
    assert (await till.post("/vouchers", request)).status == 201


async def test_i3_an_id_of_another_originator_is_taken_and_tells_nothing(
    till: Till, other: Till, simulator: SimulatorControl
) -> None:
    sale = await till.a_provisioned()

    answer = await other.post("/vouchers", a_provision(other.by, id=sale.id))

    refused(answer, 400, "DUPLICATE_RECORD", "Duplicate UUID.", id=sale.id)
    assert set(answer.detail) <= {"freeString", "voucherId"}
    assert sale.code not in answer.raw.decode()
    assert await simulator.ops(sale.id) == ["provision"]


@pytest.mark.parametrize(
    ("first", "second"),
    [pair for pair in product((PROVISION, REDEMPTION, REFUND), repeat=2) if pair[0] is not pair[1]],
    ids=lambda kind: kind.op,
)
async def test_i3_an_id_is_new_for_every_kind(
    till: Till, simulator: SimulatorControl, first: Kind, second: Kind
) -> None:
    """Even an originator whose ids may serve again needs a new one for another kind of request."""
    one = await first.request(till)
    assert (await till.post(first.path, one)).status == 201
    two = await second.request(till)

    answer = await till.post(second.path, two | {"id": one["id"]})

    refused(answer, 400, "DUPLICATE_RECORD", "Duplicate UUID.", id=one["id"])
    assert await simulator.ops(one["id"]) == [first.op]


@KINDS
async def test_i4_no_id_serves_twice_for_a_strict_originator(
    strict: Till, simulator: SimulatorControl, kind: Kind
) -> None:
    request = await kind.request(strict)
    assert (await strict.post(kind.path, request)).status == 201

    again = await kind.request(strict) | {"id": request["id"]}

    refused(await strict.post(kind.path, again), 400, "DUPLICATE_RECORD", id=request["id"])
    assert await simulator.ops(request["id"]) == [kind.op]


@MOVEMENTS
async def test_i5_an_approved_id_serves_again_and_the_later_record_supersedes(
    till: Till, switch: Switch, simulator: SimulatorControl, kind: Kind
) -> None:
    """As certification does it: one id over several vouchers, unconfirmed in between."""
    requests = [await kind.request(till) for _ in range(3)]
    shared = new_id()
    for request in requests:
        request["id"] = shared
        assert (await till.post(kind.path, request)).status == 201

    assert (await till.post(f"{kind.path}/confirmations", a_confirmation(shared))).status == 202

    rows = await switch.rows(
        "SELECT generation, state FROM transaction WHERE request_id = $1 ORDER BY generation", shared
    )
    assert [tuple(row) for row in rows] == [(0, 2), (1, 2), (2, 5)]
    states = [await switch.voucher_state(request["voucher"]["code"]) for request in requests]
    approved, confirmed = (
        ("REDEEMED", "CONFIRMED_REDEEMED") if kind is REDEMPTION else ("REFUNDED", "CONFIRMED_PROVISIONED")
    )
    assert states == [approved, approved, confirmed]


async def test_i5_the_lookup_finds_the_newest(till: Till) -> None:
    first = await till.a_redeemed()
    second = await till.a_confirmed()
    answer = await till.redeem(second.code, id=first.redemption_id)

    found = await till.lookup_redemption(first.redemption_id)

    assert (found.status, found.body) == (200, answer.body)


@pytest.mark.parametrize("history", ["confirmed", "declined"])
async def test_i5_every_final_id_serves_again(till: Till, history: str) -> None:
    request_id, sale = new_id(), await till.a_confirmed(cents=50_000)
    if history == "declined":
        assert (await till.redeem(sale.code, id=request_id, cents=16_601)).status == 400
    else:
        assert (await till.redeem(sale.code, id=request_id, cents=50_000)).status == 201
        assert (await till.confirm_redemption(request_id)).status == 202
        sale = await till.a_confirmed(cents=50_000)

    assert (await till.redeem(sale.code, id=request_id, cents=50_000)).status == 201


async def test_i5_an_id_that_is_still_open_does_not_serve_again(till: Till, simulator: SimulatorControl) -> None:
    request, answering = await running(till, simulator, REDEMPTION)
    another = await till.a_confirmed()

    refused(await till.redeem(another.code, id=request["id"]), 400, "DUPLICATE_RECORD", id=request["id"])

    assert (await release(simulator, answering)).status == 201


async def test_i5_a_reversed_id_does_not_serve_again(till: Till) -> None:
    sale, another = await till.a_redeemed(), await till.a_confirmed()
    await till.reverse_redemption(sale.redemption_id)

    answer = await till.redeem(another.code, id=sale.redemption_id)

    assert answer.error_type == "REDEMPTION_ALREADY_REVERSED"


async def test_i5_an_earlier_record_keeps_its_undelivered_advices(
    till: Till, switch: Switch, simulator: SimulatorControl
) -> None:
    """The sender is stopped: the first record's confirmation is owed when the second record comes, and goes first,
    because a provider that takes the id anew would take it for the second's."""
    shared = new_id()
    with switch.senders_stopped():
        first, second = await till.a_confirmed(), await till.a_confirmed()
        for sale in (first, second):
            assert (await till.redeem(sale.code, id=shared)).status == 201
            assert (await till.confirm_redemption(shared)).status == 202

        rows = await switch.rows(
            "SELECT generation, state FROM advice WHERE request_id = $1 ORDER BY generation", shared
        )
        assert [tuple(row) for row in rows] == [(0, 2), (1, 1)]
        assert await simulator.ops(shared) == ["redeem", "confirmRedeem", "redeem"]
    assert await switch.voucher_state(first.code) == "CONFIRMED_REDEEMED"
    assert await switch.voucher_state(second.code) == "CONFIRMED_REDEEMED"
    await simulator.hears(shared, "confirmRedeem", times=2)


async def test_i5_an_owed_confirmation_of_the_earlier_record_does_not_end_the_later(
    till: Till, switch: Switch, simulator: SimulatorControl
) -> None:
    """The later redemption is reversed, the earlier is confirmed, and the provider's books say the same."""
    shared = new_id()
    with switch.senders_stopped():
        first, second = await till.a_confirmed(), await till.a_confirmed()
        assert (await till.redeem(first.code, id=shared)).status == 201
        assert (await till.confirm_redemption(shared)).status == 202
        assert (await till.redeem(second.code, id=shared)).status == 201
        assert (await till.reverse_redemption(shared)).status == 202

    async def done() -> bool:
        return await switch.advices(shared) == [("CONFIRMATION", "DELIVERED"), ("REVERSAL", "DELIVERED")]

    await eventually(done, f"the delivery of both advices of {shared}")
    states = [await switch.voucher_state(sale.code) for sale in (first, second)]
    assert states == ["CONFIRMED_REDEEMED", "CONFIRMED_PROVISIONED"]
    at_provider = [await simulator.voucher_state(sale.id) for sale in (first, second)]
    assert at_provider == ["REDEEM_CONFIRMED", "CONFIRMED"]


async def test_i6_an_accepted_advice_is_acknowledged_again_whatever_the_state(
    till: Till, switch: Switch, simulator: SimulatorControl
) -> None:
    sale = await till.a_returned()
    assert sale.confirmation is not None
    assert sale.redemption_confirmation is not None
    assert sale.refund_confirmation is not None
    await till.a_redeemed(sale)

    for path, advice in (
        ("/vouchers/confirmations", sale.confirmation),
        ("/redemptions/confirmations", sale.redemption_confirmation),
        ("/refunds/confirmations", sale.refund_confirmation),
    ):
        for _ in range(2):
            answer = await till.post(path, advice)
            assert (answer.status, answer.body) == (202, advice)

    assert await switch.voucher_state(sale.code) == "REDEEMED"
    await simulator.takes(sale.refund_id, "confirmRefund")
    assert await simulator.ops(sale.id) == ["provision", "confirm"]
    assert await simulator.ops(sale.refund_id) == ["refund", "confirmRefund"]


@KINDS
async def test_i6_an_accepted_reversal_is_acknowledged_again(
    till: Till, simulator: SimulatorControl, kind: Kind
) -> None:
    request = await kind.request(till)
    assert (await till.post(kind.path, request)).status == 201
    reversal = a_reversal(request["id"])

    for _ in range(3):
        answer = await till.post(f"{kind.path}/reversals", reversal)
        assert (answer.status, answer.body) == (202, reversal)

    await simulator.takes(request["id"], kind.reverse_op)
    assert await simulator.ops(request["id"]) == [kind.op, kind.reverse_op]


async def test_i6_the_echo_is_of_the_body_that_came_and_not_of_the_one_on_file(till: Till) -> None:
    sale = await till.a_confirmed()
    assert sale.confirmation is not None
    repeated = sale.confirmation | {"time": now(), "stan": "000777"}

    answer = await till.post("/vouchers/confirmations", repeated)

    assert (answer.status, answer.body) == (202, repeated)


async def test_i6_a_refused_advice_is_judged_again(till: Till) -> None:
    request, sale = a_provision(), await till.a_provisioned()
    confirmation = a_tender_confirmation(request["id"])
    too_much = a_tender_confirmation(sale.id, amounts={"approvedAmount": rand(10_001)})
    assert (await till.post("/vouchers/confirmations", confirmation)).status == 404
    assert (await till.post("/vouchers/confirmations", too_much)).status == 400

    assert (await till.post("/vouchers", request)).status == 201
    del too_much["amounts"]

    assert (await till.post("/vouchers/confirmations", confirmation)).status == 202
    assert (await till.post("/vouchers/confirmations", too_much)).status == 202


async def test_i6_advices_of_one_id_at_once_have_one_effect(
    till: Till, switch: Switch, simulator: SimulatorControl
) -> None:
    sale = await till.a_provisioned()
    confirmation = a_tender_confirmation(sale.id)

    answers = await till.at_once(20, "/vouchers/confirmations", confirmation)

    assert {(answer.status, answer.body["id"]) for answer in answers} == {(202, confirmation["id"])}
    assert await switch.advices(sale.id) in (
        [("CONFIRMATION", "QUEUED")],
        [("CONFIRMATION", "DELIVERED")],
    )
    await simulator.takes(sale.id, "confirm")
    assert await simulator.ops(sale.id) == ["provision", "confirm"]


async def test_i6_confirmation_and_reversal_at_once_have_one_winner(till: Till, switch: Switch) -> None:
    for _ in range(10):
        sale = await till.a_provisioned()
        confirmation, reversal = a_tender_confirmation(sale.id), a_reversal(sale.id)

        confirmed, reversed_ = await till.both(
            ("/vouchers/confirmations", confirmation), ("/vouchers/reversals", reversal)
        )

        assert sorted((confirmed.status, reversed_.status)) == [202, 400]
        assert await switch.state(sale.id) == ("CONFIRMED" if confirmed.status == 202 else "REVERSED")


async def test_i7_an_advice_id_serves_one_request_and_one_operation(till: Till) -> None:
    sale, another = await till.a_used(), await till.a_provisioned()
    assert sale.confirmation is not None
    used_id = sale.confirmation["id"]

    for path, advice in (
        ("/vouchers/confirmations", a_tender_confirmation(another.id, id=used_id)),
        ("/vouchers/reversals", a_reversal(another.id, id=used_id)),
        ("/vouchers/reversals", a_reversal(sale.id, id=used_id)),
        ("/redemptions/confirmations", a_confirmation(sale.redemption_id, id=used_id)),
        ("/redemptions/reversals", a_reversal(sale.redemption_id, id=used_id)),
    ):
        refused(await till.post(path, advice), 400, "DUPLICATE_RECORD", id=used_id, original_id=advice["requestId"])

    assert (await till.confirm_voucher(another.id)).status == 202


async def test_i7_the_advice_id_of_another_originator_is_taken_too(till: Till, other: Till) -> None:
    sale, theirs = await till.a_confirmed(), await other.a_provisioned()
    assert sale.confirmation is not None
    advice = a_tender_confirmation(theirs.id, id=sale.confirmation["id"])

    refused(
        await other.post("/vouchers/confirmations", advice),
        400,
        "DUPLICATE_RECORD",
        id=advice["id"],
        original_id=theirs.id,
    )


async def test_i8_several_advices_of_one_type_have_one_net_effect(till: Till, simulator: SimulatorControl) -> None:
    bought, redeemed, refunded = await till.a_provisioned(), await till.a_redeemed(), await till.a_refunded()

    statuses = [
        [(await till.confirm_voucher(bought.id)).status for _ in range(3)],
        [(await till.reverse_redemption(redeemed.redemption_id)).status for _ in range(3)],
        [(await till.reverse_refund(refunded.refund_id)).status for _ in range(3)],
        [(await till.confirm_redemption((await till.a_redeemed(redeemed)).redemption_id)).status],
        [(await till.confirm_redemption(redeemed.redemption_id)).status for _ in range(2)],
    ]

    assert statuses == [[202, 202, 202], [202, 202, 202], [202, 202, 202], [202], [400, 400]]
    await simulator.takes(bought.id, "confirm")
    assert await simulator.ops(bought.id) == ["provision", "confirm"]
    await simulator.takes(refunded.refund_id, "reverseRefund")
    assert await simulator.ops(refunded.refund_id) == ["refund", "reverseRefund"]


async def test_i9_a_tombstone_refuses_only_its_own_originator_and_kind(till: Till, other: Till) -> None:
    request_id = new_id()
    assert (await till.reverse_voucher(request_id)).status == 404
    theirs, redeemable = a_provision(other.by, id=request_id), await till.a_confirmed()

    refused(await other.post("/vouchers", theirs), 400, "DUPLICATE_RECORD", id=request_id)
    refused(await till.redeem(redeemable.code, id=request_id), 400, "DUPLICATE_RECORD", id=request_id)
    own = await till.provision(id=request_id)

    assert own.error_type == "VOUCHER_ALREADY_REVERSED"


@KINDS
async def test_i9_the_newest_reversal_is_the_one_that_is_told(till: Till, kind: Kind) -> None:
    request = await kind.request(till)
    reversals = [a_reversal(request["id"]) for _ in range(3)]
    for reversal in reversals:
        assert (await till.post(f"{kind.path}/reversals", reversal)).status == 404

    answer = await till.post(kind.path, request)

    refused(
        answer,
        400,
        kind.reversed,
        id=request["id"],
        original_id=reversals[-1]["id"],
        reversalId=reversals[-1]["id"],
    )


@KINDS
@pytest.mark.parametrize("advice", ["confirmations", "reversals"])
async def test_i10_a_record_of_another_originator_is_like_none(
    till: Till, other: Till, switch: Switch, kind: Kind, advice: str
) -> None:
    request = await kind.request(till)
    assert (await till.post(kind.path, request)).status == 201
    message = (a_confirmation if advice == "confirmations" else a_reversal)(request["id"])

    answer = await other.post(f"{kind.path}/{advice}", message)

    refused(
        answer,
        404,
        "UNABLE_TO_LOCATE_RECORD",
        kind.no_record,
        id=message["id"],
        original_id=request["id"],
    )
    assert await switch.state(request["id"]) == "APPROVED"
    assert await switch.advices(request["id"]) == []
    assert (await till.post(f"{kind.path}/confirmations", a_confirmation(request["id"]))).status == 202


@pytest.mark.parametrize("advice", ["confirmations", "reversals"])
@pytest.mark.parametrize("path", ["/redemptions", "/refunds"])
async def test_i10_a_record_of_another_kind_is_like_none(till: Till, switch: Switch, path: str, advice: str) -> None:
    sale = await till.a_provisioned()
    message = (a_confirmation if advice == "confirmations" else a_reversal)(sale.id)

    answer = await till.post(f"{path}/{advice}", message)

    refused(answer, 404, "UNABLE_TO_LOCATE_RECORD", id=message["id"], original_id=sale.id)
    assert await switch.state(sale.id) == "APPROVED"
    assert (await till.confirm_voucher(sale.id)).status == 202


async def test_i10_the_newest_of_two_originators_is_not_found_by_code_either(
    till: Till, strict: Till, switch: Switch
) -> None:
    """What another originator sold may be redeemed (§4.9), but its redemption is not ours to confirm."""
    sale = await till.a_confirmed()
    redeemed = await strict.redeem(sale.code)
    assert redeemed.status == 201

    assert (await till.confirm_redemption(redeemed.body["id"])).status == 404
    assert (await strict.confirm_redemption(redeemed.body["id"])).status == 202
    record = await switch.record(redeemed.body["id"])
    assert record is not None
    assert record["originator_id"] == STRICT.id

    async def delivered() -> bool:
        return await switch.advices(redeemed.body["id"]) == [("CONFIRMATION", "DELIVERED")]

    await eventually(delivered, "the confirmation's delivery")
