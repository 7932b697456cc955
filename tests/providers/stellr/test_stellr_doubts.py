"""Stellr where an answer, a code or a text could be taken for what it is not."""

import pytest

from providers.pair_support import Pair
from providers.provider_support import is_bad_answer, voucher_of
from providers.stellr.stellr_support import (
    ALREADY_REDEEMED,
    FIRST_PIN,
    FIRST_SERIAL,
    PURCHASED,
    a_redemption,
    a_sale,
    sold,
)
from providers.stellr.test_stellr_translate import ENQUIRED, REDEEMED, RULES, enquired, purchased
from voucherswitch.message.codes import ErrorType
from voucherswitch.message.orders import LookupOrder
from voucherswitch.message.outcomes import Approved, Declined, OutcomeUnknown
from voucherswitch.providers.contract.transport.http import HttpAnswer
from voucherswitch.providers.stellr import translate

LETTERS = "ABCD-EFGH-JKLM-NPQR"  # an A16 PIN without a digit

# A voucher that is a link


async def test_a_link_voucher_is_not_redeemed_as_somebody_elses_pin(stellr: Pair) -> None:
    link = await stellr.connector.provision(a_sale(product="LINK0200", amount_cents=20_000), stellr.call())
    assert isinstance(link, Approved)
    serial = voucher_of(link).code
    theirs = await stellr.seed(20_000, code=serial, productRef="STORE001")
    assert theirs == serial
    order = a_redemption(serial, amount_cents=20_000, refs=link.refs)
    assert await stellr.connector.redeem(order, stellr.call()) == Declined(ErrorType.VOUCHER_NOT_REDEEMABLE)
    assert await stellr.heard_ops() == ["provision"]
    assert (await stellr.state(code=serial))["state"] == "ACTIVE"
    stellr.simulator.frame.reset()  # here a code may stand in the legs: it is a serial too


async def test_a_voucher_with_a_pin_is_redeemed_although_its_refs_hold_the_serial(stellr: Pair) -> None:
    outcome = await stellr.connector.provision(a_sale(), stellr.call())
    assert isinstance(outcome, Approved)
    assert outcome.refs["Serial"] == FIRST_SERIAL
    order = a_redemption(voucher_of(outcome).code, refs=outcome.refs)
    assert isinstance(await stellr.connector.redeem(order, stellr.call()), Approved)


async def test_a_code_that_was_sold_elsewhere_is_an_ordinary_one(stellr: Pair) -> None:
    code = await stellr.seed(10_000, productRef="GAME0100")
    assert isinstance(await stellr.connector.redeem(a_redemption(code), stellr.call()), Approved)


async def test_a_link_voucher_is_still_looked_up_by_its_serial(stellr: Pair) -> None:
    link = await sold(stellr, product="LINK0200", amount_cents=20_000)
    order = LookupOrder(voucher_code=link.code, serial_number=link.code, refs={"Serial": link.code})
    found = await stellr.connector.lookup(order, stellr.call())
    assert isinstance(found, Approved)
    assert found.approved_cents == 20_000


# References are kept in clear


@pytest.mark.parametrize("old", [FIRST_SERIAL, "000081234567"])
def test_a_pin_that_is_a_reference_too_is_a_bad_answer(old: str) -> None:
    """So a code that is its serial is always that of a link voucher."""
    outcome = purchased(PURCHASED.replace(old.encode(), FIRST_PIN.encode()))
    assert is_bad_answer(outcome)
    assert FIRST_PIN not in repr(outcome)


def test_an_answer_that_calls_a_pin_a_serial_is_a_bad_one() -> None:
    body = ENQUIRED.replace(FIRST_SERIAL.encode(), FIRST_PIN.encode())
    assert is_bad_answer(enquired(body))
    redemption = HttpAnswer(200, REDEEMED.replace(FIRST_SERIAL.encode(), FIRST_PIN.encode()))
    assert is_bad_answer(translate.from_redeem(redemption, a_redemption(), RULES))


# A voucher that was paid for is not given up for the form of its date


@pytest.mark.parametrize(
    ("written", "expires_at"),
    [
        (b"<ExpiryDate>2029-03-02T23:59:59</ExpiryDate>", "2029-03-02T21:59:59.000Z"),
        (b"<ExpiryDate>02/03/2029</ExpiryDate>", None),
        (b"<ExpiryDate>2029-02-30</ExpiryDate>", None),
        (b"<ExpiryDate/>", None),
        (b"", None),
    ],
)
def test_any_form_of_an_expiry_leaves_the_voucher_sold(written: bytes, expires_at: str | None) -> None:
    day = b"<ExpiryDate>2029-03-02</ExpiryDate>"
    sale = voucher_of(purchased(PURCHASED.replace(day, written)))
    assert (sale.code, sale.expires_at) == (FIRST_PIN, expires_at)
    assert voucher_of(enquired(ENQUIRED.replace(day, written))).expires_at == expires_at


# What is shown


@pytest.mark.parametrize("quoted", [LETTERS, LETTERS.replace("-", ""), "7KM4-QX9T-B2HV-3N5P", FIRST_PIN])
async def test_a_refusal_that_quotes_a_pin_shows_it_nowhere(stellr: Pair, quoted: str) -> None:
    body = ALREADY_REDEEMED.decode().replace("already redeemed", f"{quoted} is used")
    await stellr.fault("http", "redeem", params={"status": 200, "body": body})
    order = a_redemption("700600500400")  # another code than the one that is quoted
    outcome = await stellr.connector.redeem(order, stellr.call())
    assert outcome == Declined(ErrorType.VOUCHER_ALREADY_REDEEMED, "202", "Voucher *** is used")
    assert quoted not in repr(stellr.legs)
    assert "Voucher *** is used" in (stellr.legs[-1].response or "")


def test_a_duplicate_that_quotes_the_first_pin_is_unknown_and_does_not_show_it() -> None:
    body = PURCHASED.replace(b">000<", b">301<").replace(b"Approved", f"Issued {LETTERS}".encode())
    assert purchased(body) == OutcomeUnknown(ErrorType.DUPLICATE_RECORD, "301", "Issued ***")


async def test_instructions_that_hold_the_pin_are_not_recorded(stellr: Pair) -> None:
    dial = PURCHASED.decode().replace("Enter the PIN in your account.", f"Dial *136*{FIRST_PIN}#")
    await stellr.fault("http", "provision", params={"status": 200, "body": dial})
    outcome = await stellr.connector.provision(a_sale(), stellr.call())
    assert voucher_of(outcome).instructions == (f"Dial *136*{FIRST_PIN}#",)
    assert FIRST_PIN not in repr(stellr.legs)
