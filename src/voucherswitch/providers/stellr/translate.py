"""Stellr's XML <-> our messages. Pure: no I/O, no clock, no log. Source: providers.md section 1 (Proposed).

Rand decimals and South African time on the wire, cents and UTC here. A success that is not about what was asked, or
that lacks the voucher, is OutcomeUnknown with the alert `bad_answer`: only the daily file can settle it.
"""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Final, TypeVar

from voucherswitch.message.codes import ErrorType
from voucherswitch.message.orders import LookupOrder, ProviderProduct, ProvisionOrder, RedeemOrder
from voucherswitch.message.outcomes import Approved, Declined, NotSent, Outcome, OutcomeUnknown
from voucherswitch.message.parties import Voucher
from voucherswitch.providers.contract.answers import (
    BadAnswer,
    Rules,
    bad_answer,
    cents_of,
    check,
    check_references,
    rand,
    secrets_of,
)
from voucherswitch.providers.contract.provider_time import SAST, expiry_of
from voucherswitch.providers.contract.transport.http import HttpAnswer
from voucherswitch.providers.contract.transport.masking import MASK
from voucherswitch.providers.contract.transport.xml import Element, child, children, own_text, parse, text_of
from voucherswitch.providers.stellr.errors import APPROVED, meaning_of
from voucherswitch.providers.stellr.messages import (
    Head,
    enquiry_request,
    product_list_request,
    purchase_request,
    redeem_request,
)

ACTIVE: Final = "ACTIVE"
TRANSACTION_ID: Final = "TransactionId"  # keys of `refs`: the protocol's own words
SERIAL: Final = "Serial"

_STATES: Final = frozenset({ACTIVE, "REDEEMED", "EXPIRED", "BLOCKED"})
_TWELVE_DIGITS: Final = re.compile(r"[0-9]{12}")
_RESULT_CODE: Final = re.compile(r"[0-9]{3}")
_GROUPS: Final = re.compile(r"([2-9A-HJ-NP-Z]{4})" * 4)  # an A16 PIN that somebody wrote without its hyphens

# An A16 PIN inside a text. It may be letters alone, which everywhere else is a word and stays.
_QUOTED_PIN: Final = re.compile(r"(?<![0-9A-Za-z])(?:[2-9A-HJ-NP-Z]{4}-?){3}[2-9A-HJ-NP-Z]{4}(?![0-9A-Za-z])")
_LINK: Final = re.compile(r"https?://[!-~]{1,190}")

T = TypeVar("T")


# Orders -> bodies


def time_text(now: float) -> str:
    """A moment (seconds since the epoch) as requests write it: South African, `20260302141516`."""
    return datetime.fromtimestamp(now, SAST).strftime("%Y%m%d%H%M%S")


def pin_text(code: str) -> str:
    """A PIN as Stellr writes it; one of sixteen letters and digits gets the hyphens that are a part of it."""
    found = _GROUPS.fullmatch(code)
    return code if found is None else "-".join(found.groups())


def without_pins(text: str) -> str:
    """Text without anything that can be an A16 PIN."""
    return _QUOTED_PIN.sub(MASK, text)


def link_refusal(order: RedeemOrder) -> Declined | None:
    """What keeps a redemption from being sent: the voucher is a link, and its code is no PIN but its serial.

    Sent as a PIN it would be the PIN of somebody else's voucher, if there is one. Only the sale's own `refs` tell; of a
    voucher that was sold elsewhere every code is an ordinary one.
    """
    if order.voucher_code == order.refs.get(SERIAL):
        return Declined(ErrorType.VOUCHER_NOT_REDEEMABLE)
    return None


def purchase_body(order: ProvisionOrder, head: Head, store: str) -> bytes:
    return purchase_request(head, order.product, rand(order.amount_cents), store, order.store.terminal_id)


def redeem_body(order: RedeemOrder, head: Head, store: str) -> bytes:
    return redeem_request(head, pin_text(order.voucher_code), rand(order.amount_cents), store, order.store.terminal_id)


def enquiry_body(order: LookupOrder, head: Head) -> bytes | None:
    """The question about a voucher; None: the order has nothing that Stellr could find it by."""
    serial = order.serial_number or order.refs.get(SERIAL)
    # A voucher that is a link has its serial for a code, and no PIN to be asked by.
    if order.voucher_code is not None and order.voucher_code != serial:
        return enquiry_request(head, pin=pin_text(order.voucher_code))
    return None if serial is None else enquiry_request(head, serial=serial)


def products_body(head: Head) -> bytes:
    return product_list_request(head)


# Answers -> outcomes


def from_purchase(answer: HttpAnswer, order: ProvisionOrder, rules: Rules) -> Outcome:
    """Read the answer to a purchase."""
    return _read(
        answer, "PurchaseResponse", order.request_id, rules, (), lambda root: _issued(root, order.amount_cents, rules)
    )


def from_redeem(answer: HttpAnswer, order: RedeemOrder, rules: Rules) -> Outcome:
    """Read the answer to a redemption, which takes the whole value or nothing."""
    secrets = (*secrets_of(order), pin_text(order.voucher_code))
    return _read(answer, "RedeemResponse", order.request_id, rules, secrets, lambda root: _redeemed(root, order))


def from_enquiry(answer: HttpAnswer, order: LookupOrder, request_id: str, rules: Rules) -> Outcome:
    """Read what a voucher is worth now: nothing unless it is ACTIVE."""
    secrets = () if order.voucher_code is None else (order.voucher_code, pin_text(order.voucher_code))
    return _read(answer, "VoucherEnquiryResponse", request_id, rules, secrets, lambda root: _found(root, order))


def from_products(answer: HttpAnswer, request_id: str, rules: Rules) -> tuple[ProviderProduct, ...] | OutcomeUnknown:
    """Read the product list; what cannot be bought now is left out."""
    found = _read(answer, "ProductListResponse", request_id, rules, (), _products)
    match found:
        case Declined() | NotSent():
            return OutcomeUnknown(
                provider_code=found.provider_code,
                provider_message=found.provider_message,
                alert=found.alert if isinstance(found, NotSent) else None,
            )
    return found


# What an answer proves


def _read(
    answer: HttpAnswer,
    response: str,
    request_id: str,
    rules: Rules,
    secrets: tuple[str, ...],
    success: Callable[[Element], T],
) -> T | Declined | NotSent | OutcomeUnknown:
    """What `success` makes of an approval, or what the refusal means."""
    if answer.status != 200:  # the application always answers 200; anything else is from something on the way
        return OutcomeUnknown(provider_message=f"HTTP {answer.status}")
    try:
        root = parse(answer.body)
        code = text_of(root, "ResultCode") or ""
        check(_RESULT_CODE.fullmatch(code) is not None, "the answer has no result code")
        echo = text_of(root, "RequestId")
        if code != APPROVED:
            # A message that Stellr could not read may have no id to repeat.
            check(echo in (None, "", request_id), "the answer is about another request")
            text = without_pins(text_of(root, "ResultText") or "")
            return meaning_of(code, rules.code_map).outcome(code, text, secrets)
        check(root.tag == response, "the answer is another message than the one asked for")
        check(echo == request_id, "the answer is about another request")
        return success(root)
    except BadAnswer as finding:
        return bad_answer(finding)


def _issued(root: Element, amount_cents: int, rules: Rules) -> Approved:
    part = _voucher_part(root)
    check(cents_of(_text(part, "Value")) == amount_cents, "the value is not the amount that was asked for")
    transaction_id, serial = _number(root, "TransactionId"), _number(part, "Serial")
    instructions = [own_text(line) for line in children(part, "Instructions")]
    code, url = text_of(part, "Pin"), text_of(part, "RedeemUrl")
    if code:
        check(rules.pin_pattern.fullmatch(code) is not None, "the PIN has the wrong shape")
        check_references(code, None, transaction_id, serial)  # so only a link voucher's code is its serial
    else:
        # Not every voucher is a PIN: this one is a link, and its serial is what it is called.
        check(url is not None and _LINK.fullmatch(url) is not None, "the answer holds no PIN and no link")
        code = serial
        instructions.append(url or "")
    voucher = Voucher(code=code, serial_number=serial, expires_at=_expiry(part), instructions=tuple(instructions))
    return Approved(
        approved_cents=amount_cents,
        balance_cents=amount_cents,
        voucher=voucher,
        provider_ref=transaction_id,
        refs={TRANSACTION_ID: transaction_id, SERIAL: serial},
    )


def _redeemed(root: Element, order: RedeemOrder) -> Approved:
    check(cents_of(_text(root, "Amount")) == order.amount_cents, "the value is not the amount that was asked for")
    transaction_id, serial = _number(root, "TransactionId"), _number(root, "Serial")
    check(order.refs.get(SERIAL, serial) == serial, "the answer is about another voucher")
    check_references(pin_text(order.voucher_code), None, transaction_id, serial)
    return Approved(
        approved_cents=order.amount_cents,
        balance_cents=0,
        provider_ref=transaction_id,
        refs={TRANSACTION_ID: transaction_id, SERIAL: serial},
    )


def _found(root: Element, order: LookupOrder) -> Approved:
    part = _voucher_part(root)
    serial, state, cents = _number(part, "Serial"), _text(part, "Status"), cents_of(_text(part, "Value"))
    asked_for = order.serial_number or order.refs.get(SERIAL)
    check(asked_for in (None, serial), "the answer is about another voucher")
    check(state in _STATES, "the voucher's state is unknown to us")
    check(cents >= 0, "the value is negative")
    worth = cents if state == ACTIVE else 0
    voucher = None
    if order.voucher_code is not None:  # Stellr shows no PIN, so only who sent it has it
        if order.voucher_code != asked_for:  # a link voucher's code is its serial
            check_references(pin_text(order.voucher_code), None, serial)
        voucher = Voucher(code=order.voucher_code, serial_number=serial, expires_at=_expiry(part))
    return Approved(approved_cents=worth, balance_cents=worth, voucher=voucher, voucher_state=state)


def _products(root: Element) -> tuple[ProviderProduct, ...]:
    return tuple(_product(part) for part in children(root, "Product") if _text(part, "Available") != "N")


def _product(part: Element) -> ProviderProduct:
    product, name, kind = _text(part, "ProductCode"), _text(part, "Name"), _text(part, "Type")
    if kind == "FIXED":
        return ProviderProduct(product, name, fixed=True, amount_cents=cents_of(_text(part, "Value")))
    check(kind == "RANGE", "a product is neither FIXED nor RANGE")
    low, high = cents_of(_text(part, "MinValue")), cents_of(_text(part, "MaxValue"))
    return ProviderProduct(product, name, fixed=False, min_cents=low, max_cents=high)


def _voucher_part(root: Element) -> Element:
    part = child(root, "Voucher")
    if part is None:
        raise BadAnswer("the answer holds no voucher")
    return part


def _text(parent: Element, name: str) -> str:
    text = text_of(parent, name)
    if not text:
        raise BadAnswer(f"the answer has no {name}")
    return text


def _number(parent: Element, name: str) -> str:
    """A reference of twelve digits; what else stands there might be a PIN, and references are kept in clear."""
    text = _text(parent, name)
    check(_TWELVE_DIGITS.fullmatch(text) is not None, f"{name} has not twelve digits")
    return text


def _expiry(part: Element) -> str | None:
    return expiry_of(text_of(part, "ExpiryDate"))
