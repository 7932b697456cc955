"""The trade API's JSON <-> our messages. Pure: no I/O, no clock, no log. Source: providers.md 8.6.

As in translate.py, a success that is not about what was asked, or that lacks the voucher, is OutcomeUnknown.
"""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from voucherswitch.message.orders import LookupOrder, Order, ProvisionOrder, RedeemOrder
from voucherswitch.message.outcomes import Approved, Outcome
from voucherswitch.message.parties import Voucher
from voucherswitch.providers.bluvoucher.errors import LOOKUP, PROVISION, REDEEM, trade_meaning
from voucherswitch.providers.bluvoucher.trade_messages import (
    ErrorAnswer,
    LookupAnswer,
    RedemptionAnswer,
    RedemptionRequest,
    SaleAnswer,
    SaleRequest,
    VendMetaData,
)
from voucherswitch.providers.bluvoucher.translate import spend_reference
from voucherswitch.providers.contract.answers import (
    BadAnswer,
    Rules,
    bad_answer,
    cents_of,
    check,
    check_references,
    decoded,
    secrets_of,
)
from voucherswitch.providers.contract.families import safe_code, safe_message, safe_reference
from voucherswitch.providers.contract.provider_time import expiry_of
from voucherswitch.providers.contract.transport.http import HttpAnswer

SUCCESS: Final = frozenset({200, 201})
_CENTS_MAX: Final = 10**15
_SPENDABLE: Final = frozenset({"ACTIVE", "VALID"})
_STATES: Final = _SPENDABLE | {"USED", "EXPIRED"}

_encode: Final = msgspec.json.Encoder().encode


# Orders -> bodies


def sale_body(order: ProvisionOrder, store: str, now: datetime) -> bytes:
    """`now` has the offset that is to be written."""
    meta = VendMetaData(now.isoformat(timespec="seconds"), store)
    return _encode(SaleRequest(order.request_id, order.product, order.amount_cents, meta))


def redemption_body(order: RedeemOrder) -> bytes:
    return _encode(RedemptionRequest(order.request_id, order.voucher_code, order.amount_cents))


# Answers -> outcomes


def from_sale(answer: HttpAnswer, order: ProvisionOrder, rules: Rules) -> Outcome:
    """Read the answer to a sale: PIN and amount must be what was asked for, and so the reference where it is echoed."""

    def read(body: bytes) -> Outcome:
        found = decoded(body, SaleAnswer)
        check(found.request_id in (None, order.request_id), "the answer is about another request")
        check(found.amount == order.amount_cents, "the value is not the amount that was asked for")
        voucher = _voucher(found.token, found.serial_number, found.expiry_date_time, rules, found.product_instructions)
        reference = safe_reference(found.reference)
        check_references(voucher.code, None, voucher.serial_number, reference)
        return Approved(
            approved_cents=found.amount, balance_cents=found.amount, voucher=voucher, provider_ref=reference
        )

    return _outcome(answer, PROVISION, order, rules, read)


def from_redemption(answer: HttpAnswer, order: RedeemOrder, rules: Rules) -> Outcome:
    """Read the answer to a redemption. What is left comes as a new voucher, which the customer must get."""

    def read(body: bytes) -> Outcome:
        found = decoded(body, RedemptionAnswer)
        check(found.request_id in (None, order.request_id), "the answer is about another request")
        # 0 asks for all there is: how much that was is only in the answer.
        asked_for = found.amount == order.amount_cents if order.amount_cents else found.amount > 0
        check(asked_for, "the value is not the amount that was asked for")
        rest = found.replacement_voucher
        change = None if rest is None else _voucher(rest.token, rest.serial_number, rest.expiry_date_time, rules)
        check(change is None or change.code != order.voucher_code, "the replacement is the voucher that was used")
        reference = spend_reference(found.reference, order.voucher_code)
        if change is not None:
            check_references(change.code, order.voucher_code, change.serial_number, reference)
        return Approved(
            approved_cents=found.amount,
            balance_cents=0,  # a voucher is used up whole; what is left of the value is in the replacement
            voucher=change,
            provider_ref=reference,
        )

    return _outcome(answer, REDEEM, order, rules, read)


def from_lookup(answer: HttpAnswer, order: LookupOrder, rules: Rules, *, in_rand: bool) -> Outcome:
    """Read a voucher's state and what it is worth."""

    def read(body: bytes) -> Outcome:
        found = decoded(body, LookupAnswer)
        check(found.status in _STATES, "the voucher's state is unknown to us")
        cents = cents_of(found.amount) if in_rand else _whole(found.amount)
        check(cents >= 0, "the value is negative")
        spendable = found.status in _SPENDABLE
        return Approved(
            approved_cents=cents if spendable else 0,
            balance_cents=0 if found.status == "USED" else cents,
            voucher=Voucher(code=order.voucher_code or ""),
            voucher_state=found.status,
        )

    return _outcome(answer, LOOKUP, order, rules, read)


def _outcome(
    answer: HttpAnswer, operation: str, order: Order, rules: Rules, read: Callable[[bytes], Outcome]
) -> Outcome:
    if answer.status in SUCCESS:
        try:
            return read(answer.body)
        except BadAnswer as finding:
            return bad_answer(finding)
    code, text = _error(answer.body)
    meaning = trade_meaning(operation, answer.status, code, rules.code_map)
    outcome = meaning.outcome(code, text, secrets_of(order))
    if outcome.provider_code is None:  # the status is all the code there is
        outcome = msgspec.structs.replace(outcome, provider_code=str(answer.status))
    return outcome


def _error(body: bytes) -> tuple[str, str | None]:
    """The code and the text of a refusal; empty where the body has none."""
    try:
        found = decoded(body, ErrorAnswer)
    except BadAnswer:
        return "", None
    several = found.errors if isinstance(found.errors, list) else [found.errors]
    places = (found.reason, found.error, found.message, found.description, found.detail, *several)
    text = next((place for place in places if isinstance(place, str) and place), None)
    code = found.code if isinstance(found.code, str) else ""
    return (code if safe_code(code) is not None else ""), safe_message(text)


def _voucher(token: str | None, serial: str | None, expiry: Any, rules: Rules, instructions: Any = None) -> Voucher:
    if token is None or not rules.pin_pattern.fullmatch(token):
        raise BadAnswer("the answer holds no PIN, or one of the wrong shape")
    return Voucher(
        code=token,
        serial_number=safe_reference(serial),
        expires_at=expiry_of(expiry) if isinstance(expiry, str) else None,
        instructions=(instructions,) if isinstance(instructions, str) and instructions else (),
    )


def _whole(amount: Decimal) -> int:
    """An amount of whole cents."""
    check(amount.is_finite() and abs(amount) <= _CENTS_MAX and amount % 1 == 0, "an amount is not in whole cents")
    return int(amount)
