"""Netcare where an answer, a mapped code or a text could be taken for what it is not."""

import pytest

from providers.netcare.netcare_support import FIRST_NUMBER, FIRST_REFERENCE, ISSUED, PRICE_FAULT, a_sale, an_advice
from providers.netcare.test_netcare_translate import FOUND, RULES, found, issued
from providers.pair_support import Pair
from providers.provider_support import SETTLED, is_bad_answer, voucher_of
from voucherswitch.message.codes import ErrorType
from voucherswitch.message.outcomes import Acknowledged, Declined, OutcomeUnknown, Pending, Refused
from voucherswitch.message.parties import Voucher
from voucherswitch.providers.contract.answers import Rules
from voucherswitch.providers.contract.families import Family, Meaning
from voucherswitch.providers.contract.transport.http import HttpAnswer
from voucherswitch.providers.netcare import translate

VOUCHER = Voucher(code=FIRST_NUMBER, serial_number=FIRST_REFERENCE)
LETTERS = "ABCDEFGHJKLM"  # a voucher number's shape without a digit


def fault(code: str, text: str = "No") -> HttpAnswer:
    body = PRICE_FAULT.replace(b"NV-1002", code.encode()).replace(b"Expected 10000", text.encode())
    return HttpAnswer(500, body)


def mapped(code: str, family: Family = Family.DECLINED) -> Rules:
    return Rules(RULES.pin_pattern, {code: Meaning(family, ErrorType.LIMIT_EXCEEDED)}, RULES.settle_ms)


# The settings' code_map, which is written with requests in mind

ADVICES = [
    ("NV-1404", Refused, None, Pending, Acknowledged),
    ("NV-1410", Acknowledged, None, Refused, Refused),
    ("NV-1411", Refused, None, Refused, Refused),
    ("NV-1412", Refused, None, Acknowledged, Acknowledged),
    ("NV-1413", Refused, "dead_voucher", Acknowledged, Acknowledged),
    ("NV-1400", Pending, "message_refused", Pending, Pending),
    ("NV-1401", Pending, "credentials_refused", Pending, Pending),
    ("NV-1402", Pending, "message_refused", Pending, Pending),
    ("NV-1403", Pending, None, Pending, Pending),
    ("NV-1500", Pending, None, Pending, Pending),
]


@pytest.mark.parametrize("family", [Family.DECLINED, Family.NOT_SENT, Family.UNKNOWN])
@pytest.mark.parametrize(("code", "confirm", "alert", "early", "late"), ADVICES)
def test_code_map_turns_no_answer_to_an_advice_round(
    code: str, confirm: type, alert: str | None, early: type, late: type, family: Family
) -> None:
    rules = mapped(code, family)
    confirmed = translate.from_confirm(fault(code), an_advice(VOUCHER, sent_ms_ago=SETTLED), rules)
    assert type(confirmed) is confirm
    assert getattr(confirmed, "alert", None) == alert
    for sent_ms_ago, kind in ((0, early), (-1, early), (SETTLED, late)):
        order = an_advice(VOUCHER, sent_ms_ago=sent_ms_ago)
        assert type(translate.from_cancel(fault(code), order, rules)) is kind


@pytest.mark.parametrize("code", ["NV-1001", "NV-1004", "NV-7777"])
def test_code_map_settles_what_the_table_says_of_no_advice(code: str) -> None:
    order = an_advice(VOUCHER, sent_ms_ago=SETTLED)
    for read in (translate.from_confirm, translate.from_cancel):
        assert isinstance(read(fault(code), order, RULES), Pending)
        assert isinstance(read(fault(code), order, mapped(code)), Refused)


def test_code_map_still_wins_for_a_sale() -> None:
    outcome = translate.from_issue(fault("NV-1003"), a_sale(), mapped("NV-1003"))
    assert outcome == Declined(ErrorType.LIMIT_EXCEEDED, "NV-1003", "No")


# References are kept in clear


def test_a_reference_that_is_the_voucher_number_is_a_bad_answer() -> None:
    number = "NV2222222999"  # of a reference's shape, and its check character holds
    body = ISSUED.replace(FIRST_NUMBER.encode(), number.encode())
    assert voucher_of(issued(body)).code == number
    outcome = issued(body.replace(FIRST_REFERENCE.encode(), number.encode()))
    assert is_bad_answer(outcome)
    assert number not in repr(outcome)


# A voucher that was paid for is not given up for the form of its date


@pytest.mark.parametrize(
    ("written", "expires_at"),
    [
        ("ValidTo>2027-03-02T23:59:59<", "2027-03-02T21:59:59.000Z"),
        ("ValidTo>02/03/2027<", None),
        ("ValidTo>2027-02-30<", None),
        ("ValidTo><", None),
        ("Other>2027-03-02<", None),
    ],
)
def test_any_form_of_an_expiry_leaves_the_voucher_issued(written: str, expires_at: str | None) -> None:
    name = written.partition(">")[0]
    sale = ISSUED.decode().replace("ValidTo>2027-03-02<", written).replace("</nv:ValidTo>", f"</nv:{name}>")
    assert (voucher_of(issued(sale.encode())).code, voucher_of(issued(sale.encode())).expires_at) == (
        FIRST_NUMBER,
        expires_at,
    )
    shown = FOUND.decode().replace("ValidTo>2027-03-02<", written).replace("</ValidTo>", f"</{name}>")
    assert voucher_of(found(shown.encode())).expires_at == expires_at


# What is shown


@pytest.mark.parametrize("quoted", [LETTERS, FIRST_NUMBER, "234567892345"])
async def test_a_fault_that_quotes_a_voucher_number_shows_it_nowhere(netcare: Pair, quoted: str) -> None:
    body = fault("NV-1409", f"issued {quoted} before").body.decode()
    await netcare.connector.products(netcare.call())
    await netcare.fault("http", "provision", params={"status": 500, "body": body})
    outcome = await netcare.connector.provision(a_sale(), netcare.call())
    assert outcome == OutcomeUnknown(ErrorType.DUPLICATE_RECORD, "NV-1409", "issued *** before")
    assert quoted not in repr(netcare.legs)
    assert "issued *** before" in (netcare.legs[-1].response or "")


def test_a_fault_whose_code_is_a_voucher_number_does_not_show_it() -> None:
    order = an_advice(sent_ms_ago=SETTLED)
    for quoted in (LETTERS, FIRST_NUMBER):
        for outcome in (
            translate.from_issue(fault(quoted), a_sale(), RULES),
            translate.from_cancel(fault(quoted, quoted), order, RULES),
        ):
            assert quoted not in repr(outcome)
