"""Flash JSON <-> our messages. Pure: no I/O, no clock, no log. Source: providers.md section 9.

Money is cents on both sides. A success is HTTP 2xx with code 0 and an answer that is about what was asked; one that
falls short is OutcomeUnknown with the alert `bad_answer`, never a decline.
"""

import re
from collections.abc import Callable
from typing import Final, TypeAlias

import msgspec
from msgspec import Struct

from voucherswitch.message.codes import ErrorType
from voucherswitch.message.orders import (
    AdviceOrder,
    ProviderProduct,
    ProvisionOrder,
    RedeemOrder,
    RefundOrder,
)
from voucherswitch.message.outcomes import Acknowledged, AdviceResult, Approved, Declined, Outcome, OutcomeUnknown
from voucherswitch.message.parties import Voucher
from voucherswitch.providers.contract.answers import (
    BadAnswer,
    Rules,
    bad_advice,
    bad_answer,
    check,
    check_references,
    decoded,
    in_doubt,
    secrets_of,
)
from voucherswitch.providers.contract.families import safe_code, safe_message, safe_reference
from voucherswitch.providers.contract.provider_time import expiry_of
from voucherswitch.providers.contract.transport.http import HttpAnswer
from voucherswitch.providers.flash.errors import SUCCESS, advice_meaning_of, meaning_of
from voucherswitch.providers.flash.messages import (
    Answer,
    GiftPurchaseRequest,
    Metadata,
    ProductsAnswer,
    PurchaseRequest,
    RedeemRequest,
    RefundRequest,
    ReverseRequest,
    VoucherPart,
)

ONE_VOUCHER: Final = "1voucher"  # product reference of Flash's own voucher
ONE_VOUCHER_CODE: Final = 1  # its product code in lists and files
GIFT: Final = "gift:"  # followed by the product code of a gift voucher

PURCHASE_PATH: Final = "/1voucher/purchase"
GIFT_PURCHASE_PATH: Final = "/gift-vouchers/purchase"
REDEEM_PATH: Final = "/1voucher/redeem"
REFUND_PATH: Final = "/1voucher/refund"
REVERSE_PATH: Final = "/1voucher/reverse"

TERMINAL_CHARS_MAX: Final = 20

_GIFT = re.compile(r"gift:([0-9]{1,9})")
_MSISDN = re.compile(r"27[0-9]{9}")
_NOT_ALPHANUMERIC = re.compile(r"[^0-9A-Za-z]+")

# Words for a voucher's state, in lower case; Flash's own list was never seen. One that can no longer be used resolves a
# doubt to "declined": the customer holds nothing (providers.md B.7). A word of neither list resolves nothing.
_LIVE: Final = frozenset({"active", "used", "redeemed"})
_GONE: Final = frozenset({"expired", "lapsed", "released", "voided", "refunded", "cancelled", "blocked", "reversed"})

_encode: Final = msgspec.json.Encoder().encode


Creating: TypeAlias = ProvisionOrder | RedeemOrder | RefundOrder


class Message(Struct, frozen=True):
    """A request as it leaves: the path below `api_path`, and the body."""

    path: str
    body: bytes


# Orders -> messages


def purchase(order: ProvisionOrder, account: str, store: str) -> Message | None:
    """The purchase of the ordered product; None: the product reference is none of Flash's."""
    if order.product == ONE_VOUCHER:
        body = PurchaseRequest(
            reference=order.request_id,
            account_number=account,
            amount=order.amount_cents,
            metadata=Metadata(store),
        )
        return Message(PURCHASE_PATH, _encode(body))
    gift, terminal = _GIFT.fullmatch(order.product), _alphanumeric(order.store.terminal_id)
    if gift is None or not terminal:
        return None
    return Message(
        GIFT_PURCHASE_PATH,
        _encode(
            GiftPurchaseRequest(
                reference=order.request_id,
                account_number=account,
                amount=order.amount_cents,
                metadata=Metadata(store),
                product_code=int(gift[1]),
                store_id=store,
                terminal_id=terminal,
            )
        ),
    )


def redemption(order: RedeemOrder, account: str, store: str) -> Message:
    return Message(
        REDEEM_PATH,
        _encode(
            RedeemRequest(
                reference=order.request_id,
                account_number=account,
                pin=order.voucher_code,
                amount=order.amount_cents,
                # Optional, and a number of another shape would have the message refused.
                mobile_number=order.msisdn if _MSISDN.fullmatch(order.msisdn or "") else None,
                store_id=store,
                terminal_id=_alphanumeric(order.store.terminal_id) or None,
            )
        ),
    )


def refund(order: RefundOrder, account: str, store: str) -> Message:
    """Nothing in it names the redemption: Flash makes new value."""
    body = RefundRequest(
        reference=order.request_id,
        account_number=account,
        amount=order.amount_cents,
        metadata=Metadata(store),
    )
    return Message(REFUND_PATH, _encode(body))


def reversal(order: AdviceOrder) -> Message | None:
    """Proposed. None: there is no such message for a gift voucher, and 1Voucher's would find nothing to reverse."""
    if order.product is not None and order.product != ONE_VOUCHER:
        return None
    body = ReverseRequest(reference=order.advice_id, original_reference=order.request_id)
    return Message(REVERSE_PATH, _encode(body))


def products_path(account: str) -> str:
    return f"/accounts/{account}/products"


def _alphanumeric(text: str) -> str:
    """A till's id in the characters that Flash takes."""
    return _NOT_ALPHANUMERIC.sub("", text)[:TERMINAL_CHARS_MAX]


# Answers -> outcomes


def from_purchase(answer: HttpAnswer, order: ProvisionOrder, rules: Rules, first_sent_at: str) -> Outcome:
    """Read the answer to a first purchase."""
    return _outcome(answer, order, rules, lambda found: _issued(found, order, rules, first_sent_at))


def from_resent_purchase(answer: HttpAnswer, order: ProvisionOrder, rules: Rules, first_sent_at: str) -> Outcome:
    """Read the answer to a repeated purchase: the first one's, or that of a first one which never came.

    A resend that was not processed proves nothing about the first message, so it leaves the doubt (providers.md B.7).
    Between the first message and this one the voucher may have come to an end, which its state tells.
    """

    def replayed(found: Answer) -> Outcome:
        state = None if found.voucher is None else _state(found.voucher)
        if found.voucher is not None and state in _GONE:
            check(found.amount == order.amount_cents, "the value is not the amount that was asked for")
            return Declined(ErrorType.TRANSACTION_DECLINED, provider_message=safe_message(found.voucher.status))
        check(state is None or state in _LIVE, "the voucher's state is unknown to us")
        return _issued(found, order, rules, first_sent_at)

    return in_doubt(_outcome(answer, order, rules, replayed))


def from_redemption(answer: HttpAnswer, order: RedeemOrder, rules: Rules) -> Outcome:
    """Read the answer to a redemption. What of the value was not asked for comes back as another voucher."""
    return _outcome(answer, order, rules, lambda found: _redeemed(found, order, rules))


def from_refund(answer: HttpAnswer, order: RefundOrder, rules: Rules) -> Outcome:
    """Read the answer to a refund: the value comes as a fresh voucher."""

    def refunded(found: Answer) -> Outcome:
        check(found.amount == order.amount_cents, "the value is not the amount that was asked for")
        return Approved(
            approved_cents=order.amount_cents,
            voucher=_voucher(found.voucher, order.amount_cents, rules, found.transaction_id),
            provider_ref=safe_reference(found.transaction_id),
        )

    return _outcome(answer, order, rules, refunded)


def from_reversal(answer: HttpAnswer, order: AdviceOrder, rules: Rules) -> AdviceResult:
    """Read the answer to a reversal. Proposed."""
    try:
        found = _told(answer, order.advice_id)
    except BadAnswer as finding:
        return bad_advice(finding)
    if _succeeded(answer, found):
        return Acknowledged()
    code = "" if found is None else str(found.response_code)
    meaning = advice_meaning_of(answer.status, code, rules.code_map)
    return meaning.result(order, rules.settle_ms, code or None, _text(answer, found))


def from_products(answer: HttpAnswer) -> tuple[ProviderProduct, ...] | OutcomeUnknown:
    """Read the product list; only active products are sold."""
    if not 200 <= answer.status < 300:
        found = _read(answer)
        code = "" if found is None else str(found.response_code)
        alert = meaning_of(answer.status, code, {}).alert
        message = safe_message(_text(answer, found))
        return OutcomeUnknown(provider_code=safe_code(code), provider_message=message, alert=alert)
    try:
        listed = decoded(answer.body, ProductsAnswer)
        if listed.response_code != SUCCESS:
            code, message = str(listed.response_code), safe_message(listed.response_message)
            alert = meaning_of(answer.status, code, {}).alert
            return OutcomeUnknown(provider_code=safe_code(code), provider_message=message, alert=alert)
        for product in listed.products:
            check(0 <= product.minimum_amount <= product.maximum_amount, "a product's limits cannot be")
    except BadAnswer as finding:
        return bad_answer(finding)
    return tuple(
        _product(product.product_code, product.product_name, product.minimum_amount, product.maximum_amount)
        for product in listed.products
        if product.status == "Active"
    )


# What an answer proves


def _outcome(answer: HttpAnswer, order: Creating, rules: Rules, approve: Callable[[Answer], Outcome]) -> Outcome:
    try:
        found = _told(answer, order.request_id)
        if found is not None and _succeeded(answer, found):
            return approve(found)
    except BadAnswer as finding:
        return bad_answer(finding)
    code = "" if found is None else str(found.response_code)
    return meaning_of(answer.status, code, rules.code_map).outcome(code, _text(answer, found), secrets_of(order))


def _told(answer: HttpAnswer, reference: str) -> Answer | None:
    """The answer's content; None: an HTTP error that holds none.

    Raises:
        BadAnswer: a success without content, or with that of another request.
    """
    if not 200 <= answer.status < 300:
        return _read(answer)
    found = decoded(answer.body, Answer)
    # A refusal of the message may not have got as far as reading its reference.
    about_ours = found.reference == reference or (found.reference is None and found.response_code != SUCCESS)
    check(about_ours, "the answer is about another request")
    return found


def _read(answer: HttpAnswer) -> Answer | None:
    try:
        return decoded(answer.body, Answer)
    except BadAnswer:
        return None


def _succeeded(answer: HttpAnswer, found: Answer | None) -> bool:
    return 200 <= answer.status < 300 and found is not None and found.response_code == SUCCESS


def _text(answer: HttpAnswer, found: Answer | None) -> str:
    """What to tell operators of a refusal."""
    return (found.response_message if found is not None else None) or f"HTTP {answer.status}"


def _issued(found: Answer, order: ProvisionOrder, rules: Rules, first_sent_at: str) -> Approved:
    check(found.amount == order.amount_cents, "the value is not the amount that was asked for")
    voucher = _voucher(found.voucher, order.amount_cents, rules, found.transaction_id)
    reference = safe_reference(found.transaction_id)
    refs = {"firstSentAt": first_sent_at}
    if reference is not None:
        refs["transactionId"] = reference
    return Approved(approved_cents=order.amount_cents, voucher=voucher, provider_ref=reference, refs=refs)


def _redeemed(found: Answer, order: RedeemOrder, rules: Rules) -> Approved:
    check(found.amount == order.amount_cents, "the value is not the amount that was asked for")
    check_references(order.voucher_code, order.voucher_pin, found.transaction_id)
    part = found.voucher
    change = None
    if part is not None and (part.amount or part.pin):
        change_cents = part.amount or 0
        check(change_cents > 0, "the change voucher has no value")
        change = _voucher(part, change_cents, rules, found.transaction_id)
        change = msgspec.structs.replace(change, value_cents=change_cents)
    return Approved(
        approved_cents=order.amount_cents,
        balance_cents=0,  # a voucher is used up whole; what is left of the value is in the change voucher
        voucher=change,
        provider_ref=safe_reference(found.transaction_id),
    )


def _voucher(part: VoucherPart | None, cents: int, rules: Rules, transaction_id: str | None) -> Voucher:
    if part is None:
        raise BadAnswer("the answer holds no voucher")
    check(part.amount == cents, "the voucher's value is not the amount that was asked for")
    if part.pin is None or not rules.pin_pattern.fullmatch(part.pin):
        raise BadAnswer("the answer holds no PIN, or one of the wrong shape")
    check(_state(part) not in _GONE, "the voucher can no longer be used")
    check_references(part.pin, None, transaction_id, part.serial_number)
    instructions = part.content.redemption_instructions if part.content is not None else None
    return Voucher(
        code=part.pin,
        serial_number=safe_reference(part.serial_number),
        expires_at=expiry_of(part.expiry_date) if isinstance(part.expiry_date, str) else None,
        instructions=(instructions,) if instructions else (),
    )


def _state(part: VoucherPart) -> str | None:
    """The voucher's state as our lists have it; None: the answer tells none."""
    return (part.status or "").strip().lower() or None


def _product(code: int, name: str, min_cents: int, max_cents: int) -> ProviderProduct:
    product = ONE_VOUCHER if code == ONE_VOUCHER_CODE else f"{GIFT}{code}"
    if min_cents == max_cents:
        return ProviderProduct(product=product, name=name, fixed=True, amount_cents=min_cents)
    return ProviderProduct(product=product, name=name, fixed=False, min_cents=min_cents, max_cents=max_cents)
