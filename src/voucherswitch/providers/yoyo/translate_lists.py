"""The lists of Yoyo's issuing API -> our messages: campaigns, and the history that is searched in place of a resend.

Pure: no I/O, no clock, no log. Source: providers.md section 7.
"""

from collections.abc import Iterable
from typing import TypeAlias

from msgspec import Struct

from voucherswitch.message.orders import ProviderProduct
from voucherswitch.message.outcomes import OutcomeUnknown
from voucherswitch.providers.contract.alerts import BAD_ANSWER
from voucherswitch.providers.contract.answers import BadAnswer, bad_answer, check, decoded
from voucherswitch.providers.contract.transport.http import HttpAnswer
from voucherswitch.providers.yoyo.errors import ITEM_NOT_FOUND
from voucherswitch.providers.yoyo.messages import Campaign, CampaignList, TransactionList, TransactionRow
from voucherswitch.providers.yoyo.products import CampaignRef, Kind
from voucherswitch.providers.yoyo.translate import ACTIVE, Said, said, unanswered


class Page(Struct, frozen=True):
    """One page of the history. `total` is None where the provider tells none."""

    rows: tuple[TransactionRow, ...]
    total: int | None


class Found(Struct, frozen=True):
    """Exactly one item was issued for the request."""

    item_id: int


class Nothing(Struct, frozen=True):
    """The provider knows of no item for the request."""

    said: Said = Said(None, "no such item")


SearchResult: TypeAlias = Found | Nothing | OutcomeUnknown


def from_history_page(answer: HttpAnswer, campaign: CampaignRef, user_ref: str) -> Page | Nothing | OutcomeUnknown:
    """Read one page. Rows of anybody else mean that the filter did not work: then nothing is proved."""
    try:
        result = said(answer)
        if result.code == ITEM_NOT_FOUND:
            return Nothing(result)
        if not result.done:
            return unanswered(result)
        listed = decoded(answer.body, TransactionList)
        for row in listed.transactions:
            check(row.user_ref == user_ref, "the history is about another request")
            check(row.campaign_id == campaign.campaign_id, "the history is about another campaign")
        return Page(listed.transactions, None if listed.paging is None else listed.paging.total)
    except BadAnswer as finding:
        return bad_answer(finding)


def judge(rows: Iterable[TransactionRow], kind: Kind) -> SearchResult:
    """What a complete history proves: one issue is the item, two are a duplicate sale that people must see."""
    seen = list(rows)
    if not seen:
        return Nothing()
    issues = [row for row in seen if row.transaction_type == "ISSUE"]
    if len(issues) > 1:
        return OutcomeUnknown(provider_message="several items were issued for the request", alert=BAD_ANSWER)
    item_id = None
    if issues:
        item_id = issues[0].giftcard_id if kind is Kind.GIFT_CARD else issues[0].coupon_id
    if item_id is None:
        return OutcomeUnknown(provider_message="the history does not say which item was issued", alert=BAD_ANSWER)
    return Found(item_id)


class CampaignPage(Struct, frozen=True):
    """One page of campaigns, and how many there are in all where the provider tells."""

    products: tuple[ProviderProduct, ...]
    count: int
    total: int | None


def from_campaigns(answer: HttpAnswer, kind: Kind) -> CampaignPage | OutcomeUnknown:
    """Read one page of campaigns; those that are not active, or have no value in cents, are nothing to sell."""
    try:
        result = said(answer)
        if not result.done:
            return unanswered(result)
        listed = decoded(answer.body, CampaignList)
    except BadAnswer as finding:
        return bad_answer(finding)
    products = (_product(campaign, kind) for campaign in listed.campaigns if campaign.state_id in (None, ACTIVE))
    return CampaignPage(
        products=tuple(product for product in products if product is not None),
        count=len(listed.campaigns),
        total=None if listed.paging is None else listed.paging.total,
    )


def _product(campaign: Campaign, kind: Kind) -> ProviderProduct | None:
    product = CampaignRef(kind, campaign.id).product
    if campaign.voucher_amount is not None:
        return ProviderProduct(product, campaign.name, fixed=True, amount_cents=campaign.voucher_amount)
    if kind is Kind.COUPON:
        return None
    return ProviderProduct(
        product, campaign.name, fixed=False, min_cents=campaign.min_value, max_cents=campaign.max_value
    )
