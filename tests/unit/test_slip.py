"""The customer's slip: of what was bought, and of the change that a redemption gives as a new voucher."""

from voucherswitch.interface.models import SlipData, SlipLine
from voucherswitch.interface.models.base import LINES_MAX
from voucherswitch.interface.slip import slip, with_change
from voucherswitch.message.answers import Answer
from voucherswitch.message.parties import Institution, Voucher

CODE = "1111222233334444"
CHANGE = Voucher(code=CODE, serial_number="FS2", expires_at="2029-03-02T21:59:59.000Z", value_cents=6_000)


def an_answer(voucher: Voucher | None) -> Answer:
    party = Institution(id="80000009", name="Flash")
    return Answer(
        receiver=party,
        settlement=party,
        switch_ref="VSW-000000000001",
        provider_ref="9000000001",
        approved_cents=4_000,
        currency="710",
        voucher=voucher,
    )


def lines(shown: SlipData | None) -> list[str]:
    assert shown is not None
    return [line.text or "" for line in shown.message_lines or ()]


def test_a_sold_voucher_is_on_its_slip_in_groups_of_four() -> None:
    assert lines(slip(an_answer(CHANGE))) == [
        "Flash R40.00",
        "1111 2222 3333 4444",
        "Serial FS2",
        "Valid until 2029-03-02",
    ]


def test_a_redemption_without_change_keeps_the_originators_slip() -> None:
    own = SlipData(message_lines=(SlipLine(text="Thank you"),))

    assert with_change(own, an_answer(None)) is own
    assert with_change(None, an_answer(None)) is None


def test_change_is_printed_after_the_originators_own_lines() -> None:
    own = SlipData(message_lines=(SlipLine(text="Thank you"),), slip_width=40)

    shown = with_change(own, an_answer(CHANGE))

    assert lines(shown)[:3] == ["Thank you", "Flash: your new voucher R60.00", "1111 2222 3333 4444"]
    assert shown is not None
    assert shown.slip_width == 40


def test_change_is_printed_where_the_originator_sent_no_slip() -> None:
    assert lines(with_change(None, an_answer(CHANGE)))[0] == "Flash: your new voucher R60.00"


def test_change_has_its_place_on_a_slip_that_is_full() -> None:
    own = SlipData(message_lines=tuple(SlipLine(text=str(number)) for number in range(LINES_MAX)))

    shown = lines(with_change(own, an_answer(CHANGE)))

    assert len(shown) == LINES_MAX
    assert "1111 2222 3333 4444" in shown
