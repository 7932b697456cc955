"""Netcare's XML <-> our messages. Pure: no I/O, no clock, no log. Source: providers.md section 2 (Proposed).

Cents on both sides. A fault is judged by the code in its detail alone, under whatever HTTP status it comes. A success
that is not about what was asked, or that lacks the voucher, is OutcomeUnknown with the alert `bad_answer`.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from msgspec import Struct

from voucherswitch.message.codes import ZAR, ErrorType, ReversalReason
from voucherswitch.message.orders import AdviceOrder, LookupOrder, ProviderProduct, ProvisionOrder
from voucherswitch.message.outcomes import (
    Acknowledged,
    AdviceResult,
    Approved,
    Declined,
    NotSent,
    Outcome,
    OutcomeUnknown,
    Pending,
)
from voucherswitch.message.parties import Tender, Voucher
from voucherswitch.providers.contract.answers import (
    BadAnswer,
    Rules,
    bad_advice,
    bad_answer,
    check,
    check_references,
    rand,
    secrets_of,
)
from voucherswitch.providers.contract.provider_time import expiry_of
from voucherswitch.providers.contract.simulator.check_digits import luhn_mod_32
from voucherswitch.providers.contract.transport import soap
from voucherswitch.providers.contract.transport.http import HttpAnswer
from voucherswitch.providers.contract.transport.masking import MASK
from voucherswitch.providers.contract.transport.xml import Element, Markup, child, children, text_of
from voucherswitch.providers.netcare import messages
from voucherswitch.providers.netcare.errors import cancel_meaning_of, confirm_meaning_of, meaning_of
from voucherswitch.providers.netcare.messages import name

ACTIVE: Final = "ACTIVE"
REFERENCE: Final = "NetcareReference"  # the key of `refs`: the protocol's own word
TENDER_REQUIRED: Final = "Tender required before request"
MSISDN: Final = re.compile(r"27[0-9]{9}")

_STATES: Final = frozenset({"ISSUED", ACTIVE, "USED", "LAPSED", "CANCELLED", "EXPIRED"})
_REFERENCE: Final = re.compile(r"NV[0-9]{10}")
# A voucher number inside a text. It may be letters alone, which everywhere else is a word and stays.
_QUOTED_NUMBER: Final = re.compile(r"(?<![0-9A-Za-z])[2-9A-HJ-NP-Z]{12}(?![0-9A-Za-z])")
_CENTS: Final = re.compile(r"[0-9]{1,11}")
_TRUE: Final = frozenset({"true", "1"})  # as XML Schema writes it

T = TypeVar("T")


class Service(Struct, frozen=True):
    """One line of the catalogue."""

    code: str
    description: str
    price_cents: int
    suspended: bool


Catalogue = Mapping[str, Service]


# Orders -> bodies


def tender_refusal(order: ProvisionOrder) -> Declined | None:
    """What keeps a sale from being sent: the customer has not paid exactly the amount (providers.md B.5)."""
    paid = _paid(order)
    if paid and sum(tender.amount_cents for tender in paid) == order.amount_cents:
        return None
    return Declined(ErrorType.TRANSACTION_DECLINED, provider_message=TENDER_REQUIRED)


def _paid(order: ProvisionOrder) -> tuple[Tender, ...]:
    return tuple(tender for tender in order.tenders if tender.currency == ZAR)


def price_refusal(order: ProvisionOrder, catalogue: Catalogue) -> Declined | NotSent | None:
    """What the catalogue says against a sale; a suspended service is Netcare's own to refuse."""
    service = catalogue.get(order.product)
    if service is None:
        return NotSent(ErrorType.ROUTING_ERROR, provider_message="the service is not in the catalogue")
    if service.price_cents != order.amount_cents:
        text = f"the catalogue's price is R{rand(service.price_cents)}"
        return Declined(ErrorType.INVALID_AMOUNT, provider_message=text)
    return None


def issue_body(order: ProvisionOrder, site: str) -> Markup:
    """The sale, with the first tender's reference and type and the sum of all; `tender_refusal` must have passed it.

    Notes and coins have no reference of their own; the order's id names them then, which finds the payment as well.
    """
    paid = _paid(order)
    return messages.issue_voucher(
        reference=order.request_id,
        service=order.product,
        price_cents=order.amount_cents,
        site=site,
        tender_reference=paid[0].reference or order.request_id,
        tender_type=paid[0].type,
        tendered_cents=sum(tender.amount_cents for tender in paid),
        msisdn=order.msisdn if order.msisdn and MSISDN.fullmatch(order.msisdn) else None,
    )


def confirm_body(order: AdviceOrder) -> Markup | None:
    """The confirmation; None: without the voucher's number and reference there is no such message."""
    reference = order.refs.get(REFERENCE) or order.serial_number
    if not reference or not order.voucher_code:
        return None
    return messages.confirm_voucher(order.request_id, reference, order.voucher_code)


def cancel_body(order: AdviceOrder) -> Markup:
    """The cancellation; it finds the voucher by our reference alone when its number never reached us."""
    return messages.cancel_voucher(order.request_id, order.voucher_code, order.reason or ReversalReason.CANCELLED)


def is_number(code: str, pin_pattern: re.Pattern[str]) -> bool:
    """Whether this can be a voucher number: its shape, and its last character as check."""
    if not pin_pattern.fullmatch(code):
        return False
    try:
        return luhn_mod_32(code[:-1]) == code[-1]
    except ValueError:  # a character outside the alphabet, which another `pin_pattern` may allow
        return False


def without_numbers(text: str) -> str:
    """Text without anything that can be a voucher number."""
    return _QUOTED_NUMBER.sub(MASK, text)


# Answers -> outcomes


def from_issue(answer: HttpAnswer, order: ProvisionOrder, rules: Rules) -> Outcome:
    """Read the answer to a sale."""
    return _read(answer, messages.ISSUE, rules, (), lambda found: _issued(found, order, rules))


def from_lookup(answer: HttpAnswer, number: str, order: LookupOrder, rules: Rules) -> Outcome:
    """Read what a voucher is worth now: nothing unless it is ACTIVE."""
    return _read(answer, messages.BY_NUMBER, rules, secrets_of(order), lambda found: _found(found, number))


def from_catalogue(answer: HttpAnswer, rules: Rules) -> Catalogue | Declined | NotSent | OutcomeUnknown:
    """Read the services with their prices."""
    return _read(answer, messages.CATALOGUE, rules, (), _catalogue)


def products_of(catalogue: Catalogue) -> tuple[ProviderProduct, ...]:
    """The services that are sold now."""
    return tuple(
        ProviderProduct(service.code, service.description, fixed=True, amount_cents=service.price_cents)
        for service in catalogue.values()
        if not service.suspended
    )


def from_confirm(answer: HttpAnswer, order: AdviceOrder, rules: Rules) -> AdviceResult:
    """Read the answer to a confirmation; one of a voucher that is ACTIVE already is the same."""
    return _advised(answer, messages.CONFIRM, ACTIVE, order, rules)


def from_cancel(answer: HttpAnswer, order: AdviceOrder, rules: Rules) -> AdviceResult:
    """Read the answer to a cancellation."""
    return _advised(answer, messages.CANCEL, "CANCELLED", order, rules)


# What an answer proves


def _read(
    answer: HttpAnswer, operation: str, rules: Rules, secrets: tuple[str, ...], success: Callable[[Element], T]
) -> T | Declined | NotSent | OutcomeUnknown:
    """What `success` makes of a success, or what the fault means."""
    try:
        found = soap.read(answer, name(f"{operation}Response"))
        if isinstance(found, soap.Fault):
            code, text = _fault(found)
            return meaning_of(code, rules.code_map).outcome(code, text, secrets)
        return success(found)
    except BadAnswer as finding:
        if answer.status != 200:  # from something on the way, which knows no SOAP
            return OutcomeUnknown(provider_message=f"HTTP {answer.status}")
        return bad_answer(finding)


def _advised(answer: HttpAnswer, operation: str, state: str, order: AdviceOrder, rules: Rules) -> AdviceResult:
    try:
        found = soap.read(answer, name(f"{operation}Response"))
        if isinstance(found, soap.Fault):
            code, text = _fault(found)
            meaning_for = confirm_meaning_of if operation == messages.CONFIRM else cancel_meaning_of
            return meaning_for(code, rules.code_map).result(order, rules.settle_ms, code, text)
        check(_text(found, "ClientReference") == order.request_id, "the answer is about another request")
        check(_text(found, "Status") == state, f"the voucher is not {state}")
    except BadAnswer as finding:
        return Pending(f"HTTP {answer.status}") if answer.status != 200 else bad_advice(finding)
    return Acknowledged()


def _fault(fault: soap.Fault) -> tuple[str | None, str | None]:
    """A fault's own code and text, without a voucher number."""
    part = None if fault.detail is None else child(fault.detail, name("ServiceFault"))
    code = text = None
    if part is not None:
        code, text = text_of(part, name("Code")), text_of(part, name("Message"))
    return code and without_numbers(code), without_numbers(text or fault.text or "")


def _issued(found: Element, order: ProvisionOrder, rules: Rules) -> Approved:
    check(_text(found, "ClientReference") == order.request_id, "the answer is about another request")
    check(_cents(found, "PriceCents") == order.amount_cents, "the value is not the amount that was asked for")
    check(_text(found, "ServiceCode") == order.product, "the service is not the one that was asked for")
    check(_text(found, "Status") == "ISSUED", "the voucher is not ISSUED")
    reference, number = _text(found, "NetcareReference"), _text(found, "VoucherNumber")
    check(_REFERENCE.fullmatch(reference) is not None, "the reference has the wrong shape")
    check(is_number(number, rules.pin_pattern), "the voucher number has the wrong shape or check character")
    check_references(number, None, reference)
    return Approved(
        approved_cents=order.amount_cents,
        balance_cents=order.amount_cents,
        voucher=Voucher(code=number, serial_number=reference, expires_at=_expiry(found)),
        provider_ref=reference,
        refs={REFERENCE: reference},
    )


def _found(found: Element, number: str) -> Approved:
    check(_text(found, "VoucherNumber") == number, "the answer is about another voucher")
    state, cents = _text(found, "Status"), _cents(found, "PriceCents")
    check(state in _STATES, "the voucher's state is unknown to us")
    worth = cents if state == ACTIVE else 0
    return Approved(
        approved_cents=worth,
        balance_cents=worth,
        voucher=Voucher(code=number, expires_at=_expiry(found)),
        voucher_state=state,
    )


def _catalogue(found: Element) -> Catalogue:
    services = [
        Service(
            code=_text(part, "ServiceCode"),
            description=text_of(part, name("Description")) or "",
            price_cents=_cents(part, "PriceCents"),
            suspended=_text(part, "Suspended") in _TRUE,
        )
        for part in children(found, name("Service"))
    ]
    catalogue = {service.code: service for service in services}
    check(len(catalogue) == len(services), "the catalogue has a service twice")
    return catalogue


def _text(parent: Element, local: str) -> str:
    text = text_of(parent, name(local))
    if not text:
        raise BadAnswer(f"the answer has no {local}")
    return text


def _cents(parent: Element, local: str) -> int:
    text = _text(parent, local)
    check(_CENTS.fullmatch(text) is not None, f"{local} is no amount in cents")
    return int(text)


def _expiry(found: Element) -> str | None:
    return expiry_of(text_of(found, name("ValidTo")))
