"""Nothing that could be spent, and nobody, is shown in a trace; no PIN is ever sealed with a request."""

import json
from typing import Annotated, Any

import pytest
from msgspec import Struct

from support.interface_examples import MESSAGES, PROVISION_RESPONSE, TENDER_ADVICE, Json, Row, encoded, rows_of, sample
from voucherswitch.interface import models
from voucherswitch.interface.decode import decode, encode
from voucherswitch.interface.models import (
    DetailMessage,
    ErrorDetail,
    ErrorType,
    FormatError,
    ProvisionRequest,
    ProvisionResponse,
    TenderAdvice,
    Voucher,
    VoucherLookupQuery,
)
from voucherswitch.message.marks import MASKED, NEVER_KEPT, SEALED, card, last_four
from voucherswitch.security.masking import masked, without_pins

MASKED_FORMS = {"+27715550126": "***0126", "412345******6789": "412345******6789"}


def at(message: Any, row: Row) -> Any:
    """The value of a field, or of what stands in its place if something above it is hidden."""
    for key in row.keys:
        if message == "***":
            break
        message = message[key]
    return message


@pytest.mark.parametrize("model", MESSAGES)
def test_every_field_is_shown_as_its_log_code_says(model: str) -> None:
    body = sample(model)
    shown = json.loads(masked(decode(encoded(body), getattr(models, model))))
    rows = rows_of(model)
    never = [row.path for row in rows if row.code == "N"]
    for row in rows:
        if row.type.strip("[]{}") in models.__all__:
            continue  # an object's own fields tell
        value = at(body, row)
        if row.code == "P" and not row.path.startswith(tuple(never)):
            assert at(shown, row) == value, row.path
        else:
            assert at(shown, row) == MASKED_FORMS.get(str(value), "***"), row.path


@pytest.mark.parametrize("model", MESSAGES)
def test_what_is_sealed_is_the_whole_message_without_its_pins(model: str) -> None:
    body = sample(model)
    kept = without_pins(decode(encoded(body), getattr(models, model)))
    if "voucher" in body:
        del body["voucher"]["pin"]
    assert json.loads(kept) == body
    assert decode(kept, getattr(models, model))


def test_a_masked_response_keeps_what_operators_need() -> None:
    shown = json.loads(masked(decode(encoded(PROVISION_RESPONSE), ProvisionResponse)))
    expected: Json = json.loads(json.dumps(PROVISION_RESPONSE))
    expected["originator"]["operatorId"] = "***"
    expected["slipData"]["messageLines"] = [{"text": "***"}, {"text": "***", "fontWidthScaleFactor": 2}]
    expected["voucher"] |= {"code": "***", "redeemInstructions": "***"}
    expected["recipient"] = {"firstName": "***", "msisdn": "***0126"}
    assert shown == expected


def test_masking_leaves_the_message_itself_alone() -> None:
    message = decode(encoded(PROVISION_RESPONSE), ProvisionResponse)
    before = encode(message)
    masked(message)
    without_pins(message)
    assert encode(message) == before


def test_a_card_number_sent_in_clear_is_echoed_but_not_shown() -> None:
    advice = json.loads(json.dumps(TENDER_ADVICE))
    advice["tenders"][1]["cardNumber"] = "4123456789012345"
    message = decode(encoded(advice), TenderAdvice)
    assert b"4123456789012345" in encode(message)
    assert '"cardNumber":"412345******2345"' in masked(message)


def test_an_error_hides_its_voucher_and_shows_what_explains_it() -> None:
    error = ErrorDetail(
        id="7c1d03e2-5ab4-4f6e-8d90-1e2f3a4b5c6d",
        error_type=ErrorType.DUPLICATE_RECORD,
        error_message="Duplicate UUID.",
        detail_message=DetailMessage(
            voucher_id="7c1d03e2-5ab4-4f6e-8d90-1e2f3a4b5c6d",
            free_string="Known.",
            voucher=Voucher(code="771900435512", serial_number="SB-1"),
            format_errors=(FormatError(field="stan", msg="stan is wrong", value="1"),),
        ),
    )
    detail = json.loads(masked(error))["detailMessage"]
    assert detail == {
        "voucherId": "7c1d03e2-5ab4-4f6e-8d90-1e2f3a4b5c6d",
        "freeString": "Known.",
        "voucher": {"code": "***", "serialNumber": "SB-1"},
        "formatErrors": [{"field": "stan", "msg": "stan is wrong", "value": "1"}],
    }


def test_a_lookup_query_does_not_show_its_code() -> None:
    query = VoucherLookupQuery(voucher_code="771900435512", receiver_inst_id="7")
    assert masked(query) == '{"voucherCode":"***","receiverInstId":"7"}'


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("4123456789012345", "412345******2345"),
        ("412345******6789", "412345******6789"),
        ("41234567890", "412345*7890"),
        ("4123456789", "**********"),
        ("412345", "******"),
        ("4123459876543***", "412345******3***"),
    ],
)
def test_a_card_number_shows_its_first_six_and_last_four(number: str, shown: str) -> None:
    assert card(number) == shown


@pytest.mark.parametrize(
    ("number", "shown"), [("+27715550126", "***0126"), ("271555012", "***5012"), ("27155501", "***"), ("1234", "***")]
)
def test_a_telephone_number_shows_its_last_four(number: str, shown: str) -> None:
    assert last_four(number) == shown


class Ticket(Struct, omit_defaults=True):
    """A provider's own message: marks work on any struct."""

    pin: Annotated[str, NEVER_KEPT]
    number: Annotated[str, SEALED] | None = None
    holder: Annotated[list[str], MASKED] | None = None


class Book(Struct):
    """Marked structs below lists and maps."""

    tickets: list[Ticket]
    by_name: dict[str, Ticket]
    count: int = 1


def test_marks_work_on_any_struct_and_inside_lists_and_maps() -> None:
    book = Book(tickets=[Ticket(pin="1", number="2")], by_name={"a": Ticket(pin="3", holder=["x"])})
    assert json.loads(masked(book)) == {
        "tickets": [{"pin": "***", "number": "***"}],
        "by_name": {"a": {"pin": "***", "holder": "***"}},
        "count": 1,
    }
    assert json.loads(without_pins(book)) == {
        "tickets": [{"number": "2"}],
        "by_name": {"a": {"holder": ["x"]}},
        "count": 1,
    }


def test_a_message_without_marks_is_written_as_it_is() -> None:
    message = decode(encoded(sample("BasicAdvice")), models.BasicAdvice)
    assert masked(message) == encode(message).decode()


def test_an_unset_list_stays_unset() -> None:
    request = {name: value for name, value in sample("ProvisionRequest").items() if name != "thirdPartyIdentifiers"}
    assert "thirdPartyIdentifiers" not in masked(decode(encoded(request), ProvisionRequest))
