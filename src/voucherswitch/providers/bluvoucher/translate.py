"""AEON events <-> our messages. Pure: no I/O, no clock, no log. Source: providers.md 8.1 to 8.5.

Money is rand decimals on the wire, cents here. Every `from_…` returns only what the answer proves: a success that is
not about what was asked, or that lacks the voucher, is OutcomeUnknown with the alert `bad_answer`, never a decline.
"""

from typing import Final

from msgspec import Struct

from voucherswitch.message.codes import ErrorType
from voucherswitch.message.orders import (
    AdviceOrder,
    LookupOrder,
    Order,
    ProviderProduct,
    ProvisionOrder,
    RedeemOrder,
    StatusOrder,
)
from voucherswitch.message.outcomes import (
    Acknowledged,
    AdviceResult,
    Approved,
    Declined,
    NotSent,
    Outcome,
    OutcomeUnknown,
    Pending,
    Refused,
)
from voucherswitch.message.parties import Voucher
from voucherswitch.providers.bluvoucher import messages
from voucherswitch.providers.bluvoucher.errors import SESSION_UNKNOWN, TRANSACTION_UNKNOWN, aeon_advice, aeon_meaning
from voucherswitch.providers.bluvoucher.messages import Answer, Fields, answer_to
from voucherswitch.providers.bluvoucher.settings import BluVoucherSettings
from voucherswitch.providers.contract.answers import (
    BadAnswer,
    Rules,
    bad_advice,
    bad_answer,
    cents_of,
    check,
    check_references,
    not_found,
    rand,
    secrets_of,
)
from voucherswitch.providers.contract.families import UNLISTED, Family, safe_code, safe_message, safe_reference
from voucherswitch.providers.contract.provider_time import expiry_of
from voucherswitch.providers.contract.transport.xml import leaf, optional

TRANS_REF: Final = "TransRef"  # in the refs of a provision

SPENT: Final = "SPENT"
_LIVE: Final = frozenset({"PENDING", "SOLD"})
_CANCELLED: Final = "CANCELLED"
_ACTIVE: Final = "ACTIVE"
_UNUSABLE: Final = frozenset({"UNSOLD", "EXPIRED", "BLOCKED"})


class Device(Struct, frozen=True):
    """Our credentials, which an event carries when it needs no session."""

    user_pin: str
    device_id: str
    device_ser: str
    device_ver: str | None = None

    @staticmethod
    def of(settings: BluVoucherSettings) -> "Device":
        return Device(settings.user_pin or "", settings.device_id or "", settings.device_ser or "", settings.device_ver)


# Orders -> requests


def authentication(device: Device) -> bytes:
    return messages.request(
        messages.AUTHENTICATION,
        leaf("UserPin", device.user_pin),
        leaf("DeviceId", device.device_id),
        leaf("DeviceSer", device.device_ser),
        optional("DeviceVer", device.device_ver),
        leaf("TransType", messages.TRANS_TYPE),
    )


def get_voucher(order: ProvisionOrder, session_id: str) -> bytes:
    return messages.request(
        messages.GET_VOUCHER,
        leaf("Reference", order.request_id),
        leaf("Amount", rand(order.amount_cents)),
        leaf("ProductCode", order.product),
        session_id=session_id,
    )


def get_trans_status(request_id: str, session_id: str) -> bytes:
    return messages.request(messages.GET_TRANS_STATUS, leaf("Reference", request_id), session_id=session_id)


def voucher_enquiry(reference: str, code: str, session_id: str) -> bytes:
    return messages.request(
        messages.VOUCHER_ENQUIRY, leaf("Reference", reference), leaf("VoucherNumber", code), session_id=session_id
    )


def voucher_spend(order: RedeemOrder, amount_cents: int, session_id: str) -> bytes:
    return messages.request(
        messages.VOUCHER_SPEND,
        leaf("Reference", order.request_id),
        leaf("VoucherNumber", order.voucher_code),
        leaf("Amount", rand(amount_cents)),
        session_id=session_id,
    )


def get_product_list(session_id: str) -> bytes:
    return messages.request(messages.GET_PRODUCT_LIST, leaf("TransType", messages.TRANS_TYPE), session_id=session_id)


def sold_voucher(order: AdviceOrder, trans_ref: str, device: Device) -> bytes:
    return _advice(messages.SOLD_VOUCHER, order, trans_ref, device)


def cancel_voucher(order: AdviceOrder, trans_ref: str | None, device: Device) -> bytes:
    return _advice(messages.CANCEL_VOUCHER, order, trans_ref, device)


def _advice(event_type: str, order: AdviceOrder, trans_ref: str | None, device: Device) -> bytes:
    return messages.request(
        event_type,
        leaf("DeviceId", device.device_id),
        leaf("DeviceSer", device.device_ser),
        leaf("UserPin", device.user_pin),
        optional(TRANS_REF, trans_ref),
        leaf("Reference", order.request_id),
    )


# Answers about the session


def session_of(body: bytes, rules: Rules) -> str | NotSent:
    """Read the answer to an Authentication: the session, or why there is none. No event was sent yet either way."""
    try:
        answer = answer_to_authentication(body)
    except BadAnswer as finding:
        unknown = bad_answer(finding)
        return NotSent(unknown.error_type, None, unknown.provider_message, unknown.alert)
    if isinstance(answer, str):
        return answer
    outcome = aeon_meaning(answer.code, rules.code_map).outcome(answer.code, answer.text)
    if isinstance(outcome, NotSent):
        return outcome
    alert = outcome.alert if isinstance(outcome, OutcomeUnknown) else None
    return NotSent(ErrorType.UPSTREAM_UNAVAILABLE, outcome.provider_code, outcome.provider_message, alert)


def answer_to_authentication(body: bytes) -> str | Answer:
    """The session that an Authentication brought, or the answer that refuses one.

    Raises:
        BadAnswer: it is no answer to an Authentication, or has no session that could be sent again.
    """
    answer = Answer(body)
    check(answer.event_type == messages.AUTHENTICATION, "the answer is to another event")
    if answer.refused:
        return answer
    session = safe_reference(answer.session_id)
    if session is None:
        raise BadAnswer("the answer has no session")
    return session


def session_unknown(body: bytes, event_type: str, session_id: str) -> bool:
    """Whether the provider refuses an event because it does not know the session: it was not processed."""
    if SESSION_UNKNOWN.encode() not in body:  # read twice only for what is rare
        return False
    try:
        answer = answer_to(body, event_type, session_id)
    except BadAnswer:
        return False
    return answer.refused and answer.code == SESSION_UNKNOWN


# Answers -> outcomes


def from_get_voucher(
    body: bytes, session_id: str, order: ProvisionOrder, rules: Rules, *, can_ask: bool = True
) -> Outcome:
    """Read the answer to a sale: PIN, amount and reference must be what was asked for.

    Args:
        can_ask: a TransRef that the answer lacks can still be asked for; otherwise the sale could never be confirmed.
    """
    try:
        answer = answer_to(body, messages.GET_VOUCHER, session_id)
        if answer.refused:
            return _refusal(answer, order, rules)
        check(answer.data.get("Reference") == order.request_id, "the answer is about another request")
        issued = _issued(answer.data, order.amount_cents, rules, state=None)
        check(can_ask or TRANS_REF in issued.refs, "the answer has no TransRef")
        return issued
    except BadAnswer as finding:
        return bad_answer(finding)


def from_trans_status(body: bytes, session_id: str, order: StatusOrder, rules: Rules) -> Outcome:
    """Read what became of a sale: only an answer that shows the voucher, or says that it is gone, ends a doubt."""
    try:
        answer = answer_to(body, messages.GET_TRANS_STATUS, session_id)
        if answer.refused:
            return _unanswered(answer, order, rules)
        data = answer.data
        check(data.get("Reference") in (None, order.request_id), "the answer is about another request")
        state = data.get("State")
        if state == _CANCELLED:
            return Declined(ErrorType.TRANSACTION_DECLINED, provider_message=state)
        check(state in _LIVE, "the transaction's state is unknown to us")
        return _issued(data, order.amount_cents, rules, state)
    except BadAnswer as finding:
        return bad_answer(finding)


def from_enquiry(body: bytes, session_id: str, order: LookupOrder, rules: Rules) -> Outcome:
    """Read a voucher's state and what it is worth now."""
    try:
        answer = answer_to(body, messages.VOUCHER_ENQUIRY, session_id)
        if answer.refused:
            return _refusal(answer, order, rules)
        state, value_cents = _state(answer.data), _cents(answer.data, "Value")
        serial = safe_reference(answer.data.get("Serial"))
        code = order.voucher_code or ""
        check_references(code, None, serial)
        voucher = Voucher(code=code, serial_number=serial, expires_at=_expiry(answer.data))
        return Approved(
            approved_cents=value_cents if state == _ACTIVE else 0,
            balance_cents=0 if state == SPENT else value_cents,
            voucher=voucher,
            voucher_state=state,
        )
    except BadAnswer as finding:
        return bad_answer(finding)


def from_spend(body: bytes, session_id: str, order: RedeemOrder, amount_cents: int, rules: Rules) -> Outcome:
    """Read the answer to a redemption: the whole voucher, under our reference."""
    try:
        answer = answer_to(body, messages.VOUCHER_SPEND, session_id)
        if answer.refused:
            return _refusal(answer, order, rules)
        check(answer.data.get("Reference") == order.request_id, "the answer is about another request")
        check(_cents(answer.data, "Amount") == amount_cents, "the value is not the amount that was asked for")
        return Approved(
            approved_cents=amount_cents,
            balance_cents=0,
            provider_ref=spend_reference(answer.data.get("SpendRef"), order.voucher_code),
        )
    except BadAnswer as finding:
        return bad_answer(finding)


def from_spend_enquiry(body: bytes, session_id: str, order: StatusOrder, rules: Rules) -> Outcome:
    """Read what became of a redemption from its voucher: spent by us, spent by another, or not spent."""
    try:
        answer = answer_to(body, messages.VOUCHER_ENQUIRY, session_id)
        if answer.refused:
            return _unanswered(answer, order, rules)
        state, value_cents = _state(answer.data), _cents(answer.data, "Value")
        if state == SPENT:
            if answer.data.get("SpentByReference") != order.request_id:
                return Declined(ErrorType.VOUCHER_ALREADY_REDEEMED, provider_message=state)
            # 0 asked for all there was.
            check(order.amount_cents in (0, value_cents), "the value is not the amount that was asked for")
            return Approved(approved_cents=value_cents, balance_cents=0, voucher_state=state)
        settled = not_found(order, rules.settle_ms, None, state)
        if state == _ACTIVE or isinstance(settled, OutcomeUnknown):
            return settled
        # Not spent by us, and now nobody can: the customer's voucher lapsed or was blocked (B.7).
        return Declined(ErrorType.TRANSACTION_DECLINED, provider_message=state)
    except BadAnswer as finding:
        return bad_answer(finding)


def from_products(body: bytes, session_id: str, rules: Rules) -> tuple[ProviderProduct, ...] | OutcomeUnknown:
    """Read the product list."""
    try:
        answer = answer_to(body, messages.GET_PRODUCT_LIST, session_id)
        if answer.refused:
            meaning = aeon_meaning(answer.code, rules.code_map)
            return OutcomeUnknown(UNLISTED.error_type, safe_code(answer.code), safe_message(answer.text), meaning.alert)
        return tuple(_product(Fields(group)) for name, group in answer.data.groups if name == "product")
    except BadAnswer as finding:
        return bad_answer(finding)


def trans_ref_of(body: bytes, session_id: str, order: AdviceOrder, rules: Rules) -> str | AdviceResult:
    """Read the TransRef of a sale that is to be confirmed; an advice's result where there is none."""
    try:
        answer = answer_to(body, messages.GET_TRANS_STATUS, session_id)
        if not answer.refused:
            trans_ref = safe_reference(answer.data.get(TRANS_REF))
            check(answer.data.get("Reference") in (None, order.request_id), "the answer is about another request")
            if trans_ref is None:
                raise BadAnswer("the answer has no TransRef")
            return trans_ref
    except BadAnswer as finding:
        return bad_advice(finding)
    if answer.code == TRANSACTION_UNKNOWN and order.sent_ms_ago >= rules.settle_ms:
        return Refused(safe_code(answer.code), safe_message(answer.text, secrets_of(order)))
    alert = aeon_meaning(answer.code, rules.code_map).alert
    return Pending(f"GetTransStatus: {safe_code(answer.code, secrets_of(order)) or 'refused'}", alert)


def from_advice(body: bytes, event_type: str, order: AdviceOrder, rules: Rules) -> AdviceResult:
    """Read the answer to SoldVoucher or CancelVoucher; a repeat that had its effect before succeeds too."""
    try:
        answer = answer_to(body, event_type)
        if not answer.refused:
            check(answer.data.get("Reference") == order.request_id, "the answer is about another request")
            return Acknowledged()
    except BadAnswer as finding:
        return bad_advice(finding)
    meaning = aeon_advice(answer.code, rules.code_map, confirms=event_type == messages.SOLD_VOUCHER)
    return meaning.result(order, rules.settle_ms, answer.code, answer.text)


# What an answer proves


def spend_reference(text: str | None, voucher_code: str) -> str | None:
    """The provider's reference of a redemption; None for one that shows the voucher: what was spent stands without."""
    reference = safe_reference(text)
    return None if reference is None or voucher_code in reference else reference


def _issued(data: Fields, amount_cents: int, rules: Rules, state: str | None) -> Approved:
    check(_cents(data, "Amount") == amount_cents, "the value is not the amount that was asked for")
    pin = data.get("Pin")
    if pin is None or not rules.pin_pattern.fullmatch(pin):
        raise BadAnswer("the answer holds no PIN, or one of the wrong shape")
    serial, trans_ref = safe_reference(data.get("Serial")), safe_reference(data.get(TRANS_REF))
    check_references(pin, None, serial, trans_ref)
    return Approved(
        approved_cents=amount_cents,
        balance_cents=amount_cents,
        voucher=Voucher(code=pin, serial_number=serial, expires_at=_expiry(data)),
        provider_ref=trans_ref,
        refs={} if trans_ref is None else {TRANS_REF: trans_ref},
        voucher_state=state,
    )


def _refusal(answer: Answer, order: Order, rules: Rules) -> Outcome:
    return aeon_meaning(answer.code, rules.code_map).outcome(answer.code, answer.text, secrets_of(order))


def _unanswered(answer: Answer, order: StatusOrder, rules: Rules) -> Outcome:
    """A question that was refused: only "not found" proves anything, and only once it is settled."""
    if answer.code == TRANSACTION_UNKNOWN:
        return not_found(order, rules.settle_ms, answer.code, answer.text)
    meaning = aeon_meaning(answer.code, rules.code_map)
    secrets = secrets_of(order)
    code, message = safe_code(answer.code, secrets), safe_message(answer.text, secrets)
    error_type = UNLISTED.error_type if meaning.family is Family.DECLINED else meaning.error_type
    return OutcomeUnknown(error_type, code, message, meaning.alert)


def _state(data: Fields) -> str:
    state = data.get("VoucherState")
    if state is None or (state not in (_ACTIVE, SPENT) and state not in _UNUSABLE):
        raise BadAnswer("the voucher's state is unknown to us")
    return state


def _cents(data: Fields, name: str) -> int:
    cents = cents_of(data.get(name) or "")
    check(cents > 0, "an amount is none")
    return cents


def _expiry(data: Fields) -> str | None:
    """When the voucher ends, if that can be read: a PIN that was paid for is not given up for its date."""
    return expiry_of(data.shown("ExpiryDate"))


def _product(entry: Fields) -> ProviderProduct:
    code, least, most = entry.get("ProductCode"), _cents(entry, "MinAmount"), _cents(entry, "MaxAmount")
    if code is None or least > most:
        raise BadAnswer("a product has no code or no range")
    name = entry.get("Name") or code
    if least == most:
        return ProviderProduct(product=code, name=name, fixed=True, amount_cents=least)
    return ProviderProduct(product=code, name=name, fixed=False, min_cents=least, max_cents=most)
