"""Yoyo's issuing API (CVS) <-> our messages. Pure: no I/O, no clock, no log. Source: providers.md section 7.

Money is cents on both sides. Every `from_…` returns only what the answer proves: a success that is not about what was
asked, or that lacks the voucher, is OutcomeUnknown with the alert `bad_answer`, never a decline. The point-of-sale API
is in translate_pos.py.
"""

import re
from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Struct

from voucherswitch.message.codes import ErrorType
from voucherswitch.message.orders import AdviceOrder, Order, ProvisionOrder, StatusOrder
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
    hidden_of,
)
from voucherswitch.providers.contract.families import safe_code, safe_message
from voucherswitch.providers.contract.provider_time import expiry_of
from voucherswitch.providers.contract.transport.http import HttpAnswer
from voucherswitch.providers.yoyo.errors import (
    ITEM_NOT_FOUND,
    REFUSED_CREDENTIALS,
    SUCCESS,
    Told,
    advice_meaning_of,
    meaning_of,
)
from voucherswitch.providers.yoyo.messages import (
    Answer,
    CouponAnswer,
    CouponRequest,
    GiftCardAnswer,
    GiftCardRequest,
)
from voucherswitch.providers.yoyo.products import CampaignRef, Kind

USER_REF_PREFIX: Final = "vsw-"

ACTIVE: Final = "A"
# An item that cannot be used any more resolves a doubt to "declined": the customer holds nothing (providers.md B.7).
# `D` (inactive) is Documented, `E` (expired, also by DELETE) is Proposed.
_GONE: Final = frozenset({"D", "E"})

CODES_BELOW: Final = 10**9
_CODE = re.compile(r"-?[0-9]{1,9}")

_encode: Final = msgspec.json.Encoder().encode


# Orders -> messages


def user_ref_of(request_id: str) -> str:
    """How an item is marked as ours; the only name under which a lost one is found again."""
    return USER_REF_PREFIX + request_id


def issue_body(order: ProvisionOrder, campaign: CampaignRef, user_ref: str) -> bytes:
    """A coupon's value is its campaign's, so only a gift card's message has an amount."""
    if campaign.kind is Kind.COUPON:
        return _encode(CouponRequest(campaign_id=campaign.campaign_id, user_ref=user_ref))
    return _encode(GiftCardRequest(campaign_id=campaign.campaign_id, balance=order.amount_cents, user_ref=user_ref))


# What every answer says


class Said(Struct, frozen=True):
    """An answer's result, of either API. `code` is None when it says none."""

    code: int | None
    text: str | None = None

    @property
    def done(self) -> bool:
        return self.code == SUCCESS


def said(answer: HttpAnswer) -> Said:
    """Read the result of an answer. HTTP 200 carries every result, so another status is none, but for 401.

    Raises:
        BadAnswer: HTTP 200 without a result.
    """
    if answer.status == REFUSED_CREDENTIALS:
        return Said(REFUSED_CREDENTIALS, "credentials refused")
    if answer.status != 200:
        return Said(None, f"HTTP {answer.status}")
    result = decoded(answer.body, Answer)
    code = result.response_code
    if isinstance(code, str):
        return Said(int(code) if _CODE.fullmatch(code) else None, result.response_desc)
    return Said(code if code is not None and abs(code) < CODES_BELOW else None, result.response_desc)


def refused(what: Said, rules: Rules, order: Order | None = None) -> Outcome:
    """The outcome of a request that was not done."""
    code = None if what.code is None else str(what.code)
    return meaning_of(what.code, rules.code_map).outcome(code, what.text, () if order is None else hidden_of(order))


def unanswered(what: Said, hidden: tuple[str, ...] = ()) -> OutcomeUnknown:
    """What a question leaves open that was refused itself: of the request it asks about nothing is proved."""
    code = None if what.code is None else safe_code(str(what.code))
    alert = meaning_of(what.code, {}).alert
    return OutcomeUnknown(provider_code=code, provider_message=safe_message(what.text, hidden), alert=alert)


# Items


class Item(Struct, frozen=True):
    """A gift card or coupon, read alike."""

    item_id: int
    campaign_id: int
    user_ref: str
    cents: int
    balance_cents: int | None
    code: str | None
    expires: str | None
    state: str | None


def from_issue(
    answer: HttpAnswer, order: ProvisionOrder, campaign: CampaignRef, user_ref: str, rules: Rules
) -> Outcome:
    """Read the answer to an issue. It is not repeatable: whatever is wrong with a success, an item exists."""
    try:
        result = said(answer)
        if not result.done:
            return refused(result, rules, order)
        item = _item(answer.body, campaign.kind)
        check(item.state in (None, ACTIVE), "the item is not active")
        check(item.balance_cents in (None, item.cents), "the balance of a new item is not its value")
        return _issued(item, order, campaign, user_ref, rules)
    except BadAnswer as finding:
        return bad_answer(finding)


def from_item(answer: HttpAnswer, order: StatusOrder, campaign: CampaignRef, item_id: int, rules: Rules) -> Outcome:
    """Read an item that the history says was issued for this request.

    "Not found" is a contradiction here, so it never proves that there is none.
    """
    try:
        result = said(answer)
        if not result.done:
            if result.code == ITEM_NOT_FOUND:
                return OutcomeUnknown(ErrorType.UNABLE_TO_LOCATE_RECORD, str(result.code), safe_message(result.text))
            return unanswered(result)
        item = _item(answer.body, campaign.kind)
        check(item.item_id == item_id, "the answer is about another item")
        if item.state in _GONE:
            _check_echo(item, campaign, user_ref_of(order.request_id))
            return Declined(ErrorType.TRANSACTION_DECLINED, provider_message=f"the item's state is {item.state}")
        check(item.state == ACTIVE, "the item's state is unknown to us")
        return _issued(item, order, campaign, user_ref_of(order.request_id), rules)
    except BadAnswer as finding:
        return bad_answer(finding)


def coupon_value(answer: HttpAnswer) -> int | None:
    """What the campaign of a coupon is worth, as its issue tells; None: the answer tells nothing."""
    try:
        return _item(answer.body, Kind.COUPON).cents if said(answer).done else None
    except BadAnswer:
        return None


def balance_of(answer: HttpAnswer, item_id: int, code: str, taken_cents: int) -> int | None:
    """What is left on a gift card of which so much was just taken; None: the answer does not prove it.

    A wrong "nothing" would close a card that still has value, so an answer that contradicts itself tells none.
    """
    try:
        if not said(answer).done:
            return None
        item = _item(answer.body, Kind.GIFT_CARD)
        check(item.item_id == item_id and item.code in (None, code), "the answer is about another item")
        check(item.balance_cents is not None, "the answer tells no balance")
        check((item.balance_cents or 0) + taken_cents <= item.cents, "more is left than there can be")
    except BadAnswer:
        return None
    return item.balance_cents


def _item(body: bytes, kind: Kind) -> Item:
    if kind is Kind.GIFT_CARD:
        card = decoded(body, GiftCardAnswer).giftcard
        check(card.issued_amount >= card.balance >= 0, "the balance is not between nothing and the value")
        return Item(
            item_id=card.id,
            campaign_id=card.campaign_id,
            user_ref=card.user_ref,
            cents=card.issued_amount,
            balance_cents=card.balance,
            code=card.wicode,
            expires=_text(card.expiry_date),
            state=card.state_id,
        )
    coupon = decoded(body, CouponAnswer).coupon
    return Item(
        item_id=coupon.id,
        campaign_id=coupon.campaign_id,
        user_ref=coupon.user_ref,
        cents=coupon.voucher_amount,
        balance_cents=None,
        code=coupon.wi_code,
        expires=_text(coupon.redeem_to_date),
        state=coupon.state_id,
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _check_echo(item: Item, campaign: CampaignRef, user_ref: str) -> None:
    check(item.user_ref == user_ref, "the answer is about another request")
    check(item.campaign_id == campaign.campaign_id, "the answer is about another campaign")


def _issued(
    item: Item, order: ProvisionOrder | StatusOrder, campaign: CampaignRef, user_ref: str, rules: Rules
) -> Approved:
    _check_echo(item, campaign, user_ref)
    # Of a coupon too: it exists with a value that nobody paid, which is neither a sale nor a refusal.
    check(item.cents == order.amount_cents, "the value is not the amount that was asked for")
    if item.code is None or not rules.pin_pattern.fullmatch(item.code):
        raise BadAnswer("the answer holds no code, or one of the wrong shape")
    item_id = str(item.item_id)
    check_references(item.code, None, item_id)  # which is the serial number and all that `refs` tells, too
    return Approved(
        approved_cents=item.cents,
        balance_cents=item.cents if item.balance_cents is None else item.balance_cents,
        voucher=Voucher(code=item.code, serial_number=item_id, expires_at=expiry_of(item.expires)),
        provider_ref=item_id,
        refs={"kind": campaign.kind.value, "id": item_id},
        voucher_state=item.state if isinstance(order, StatusOrder) else None,
    )


def issued_item(refs: Mapping[str, str]) -> tuple[Kind, int] | None:
    """The item that an approval named; None: its outcome was unknown, so nothing was named."""
    kind, item_id = refs.get("kind", ""), refs.get("id", "")
    if kind not in list(Kind) or not re.fullmatch(r"[1-9][0-9]{0,18}", item_id):
        return None
    return Kind(kind), int(item_id)


def from_delete(answer: HttpAnswer, order: AdviceOrder, rules: Rules) -> AdviceResult:
    """Read the answer to expiring an item; expired before is success too."""
    try:
        result = said(answer)
    except BadAnswer as finding:
        return bad_advice(finding)
    if result.done:
        return Acknowledged()
    code = None if result.code is None else str(result.code)
    return advice_meaning_of(Told.DELETE, result.code, rules.code_map).result(order, rules.settle_ms, code, result.text)
