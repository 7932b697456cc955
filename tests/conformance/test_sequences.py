"""The sequences that certification runs end to end (interface.md §4.10)."""

from support.expect import refused
from support.messages import a_provision, a_reversal, cash, changed, new_id, now
from support.till import Till


async def test_sequence_1_from_provision_to_a_second_redemption(till: Till) -> None:
    sale = await till.a_provisioned()
    voucher = {name: sale.answer.body["voucher"][name] for name in ("code", "expiryDate")}
    paid = changed({"tenders": [cash(1_000)]}, "tenders[0].amount.currency", 710)

    confirmed = await till.confirm_voucher(sale.id, **paid)
    redeemed = await till.redeem(sale.code, voucher=voucher)
    redemption_confirmed = await till.confirm_redemption(redeemed.body["id"])
    refunded = await till.refund(sale.code, voucher=voucher)
    refund_confirmed = await till.confirm_refund(refunded.body["id"])
    again = await till.redeem(sale.code, voucher=voucher)

    answers = (confirmed, redeemed, redemption_confirmed, refunded, refund_confirmed, again)
    assert [answer.status for answer in answers] == [202, 201, 202, 201, 202, 201]
    assert [answer.body["voucher"] for answer in (redeemed, refunded, again)] == [voucher] * 3


async def test_sequence_2_reversal_then_provision(till: Till) -> None:
    request = a_provision()
    reversal = a_reversal(request["id"])

    assert (await till.post("/vouchers/reversals", reversal)).status == 404
    late = await till.post("/vouchers", request)

    refused(late, 400, "VOUCHER_ALREADY_REVERSED", id=request["id"], original_id=reversal["id"])


async def test_sequence_3_provision_reverse_confirm_provision(till: Till) -> None:
    sale = await till.a_provisioned()

    reversed_ = await till.reverse_voucher(sale.id)
    confirmed = await till.confirm_voucher(sale.id)
    again = await till.post("/vouchers", sale.request)

    assert reversed_.status == 202
    assert (confirmed.status, confirmed.error_type) == (400, "VOUCHER_ALREADY_REVERSED")
    refused(again, 400, "DUPLICATE_RECORD", id=sale.id)
    assert again.detail["voucher"]["code"] == sale.code


async def test_sequence_4_redeem_before_confirm_reverse_redeem(till: Till) -> None:
    sale, redemption_id = await till.a_provisioned(), new_id()

    early = await till.redeem(sale.code, id=redemption_id)
    confirmed = await till.confirm_voucher(sale.id)
    reversed_ = await till.reverse_redemption(redemption_id)
    late = await till.redeem(sale.code, id=redemption_id)

    assert early.error_type == "VOUCHER_NOT_REDEEMABLE"
    assert (confirmed.status, reversed_.status) == (202, 404)
    assert late.error_type == "REDEMPTION_ALREADY_REVERSED"


async def test_sequence_5_redeem_reverse_redeem(till: Till) -> None:
    sale = await till.a_redeemed()

    assert (await till.reverse_redemption(sale.redemption_id)).status == 202
    assert (await till.redeem(sale.code)).status == 201


async def test_sequence_6_refund_before_and_after_the_confirmation(till: Till) -> None:
    sale = await till.a_redeemed()

    early = await till.refund(sale.code)
    confirmed = await till.confirm_redemption(sale.redemption_id)
    refunded = await till.refund(sale.code)
    again = await till.refund(sale.code)

    assert early.error_type == "REDEMPTION_NOT_CONFIRMED"
    assert (confirmed.status, refunded.status) == (202, 201)
    assert again.error_type == "VOUCHER_ALREADY_REFUNDED"


async def test_sequence_7_nothing_undoes_a_confirmed_refund(till: Till) -> None:
    sale = await till.a_returned()

    reversed_ = await till.reverse_refund(sale.refund_id)
    again = await till.refund(sale.code)

    assert (reversed_.error_type, again.error_type) == ("REFUND_ALREADY_CONFIRMED", "VOUCHER_NOT_REDEEMED")


async def test_sequence_8_nothing_undoes_a_confirmed_redemption(till: Till) -> None:
    sale = await till.a_used()

    again = await till.confirm_redemption(sale.redemption_id)
    reversed_ = await till.reverse_redemption(sale.redemption_id)

    assert (again.error_type, reversed_.error_type) == ("VOUCHER_NOT_REDEEMED", "REDEMPTION_ALREADY_CONFIRMED")


async def test_sequence_9_reversal_then_refund(till: Till) -> None:
    sale, refund_id = await till.a_used(), new_id()

    reversed_ = await till.reverse_refund(refund_id)
    late = await till.refund(sale.code, id=refund_id)

    assert (reversed_.status, late.error_type) == (404, "REFUND_ALREADY_REVERSED")


async def test_certification_uses_one_redemption_id_over_many_vouchers(till: Till) -> None:
    """§11 O14: final means answered, so a fixed id is used again while the earlier redemption is unconfirmed."""
    redemption_id, refund_id = new_id(), new_id()

    for _ in range(3):
        sale = await till.a_confirmed()
        redeemed = await till.redeem(sale.code, id=redemption_id, time=now())
        assert redeemed.status == 201
    assert (await till.confirm_redemption(redemption_id)).status == 202
    refunded = await till.refund(sale.code, id=refund_id)
    assert refunded.status == 201
    assert (await till.confirm_refund(refund_id)).status == 202
    once_more = await till.a_used()
    assert (await till.refund(once_more.code, id=refund_id)).status == 201
