"""The exchanges of Yoyo's issuing API (CVS), and the search that stands in for a retry. It decides nothing."""

from typing import Final
from urllib.parse import urlencode

from voucherswitch.message.orders import AdviceOrder, Order, ProviderProduct
from voucherswitch.message.outcomes import OutcomeUnknown
from voucherswitch.providers.contract.answers import secrets_of
from voucherswitch.providers.contract.connector import Call
from voucherswitch.providers.contract.transport.http import HttpAnswer, HttpResult, HttpTransport
from voucherswitch.providers.contract.transport.results import NoAnswer, NoConnection
from voucherswitch.providers.yoyo import translate, translate_lists
from voucherswitch.providers.yoyo.messages import TransactionRow
from voucherswitch.providers.yoyo.products import CampaignRef, Kind
from voucherswitch.providers.yoyo.translate_lists import CampaignPage, Nothing, Page, SearchResult

PAGE_ROWS: Final = 20  # the protocol's default
SEARCH_PAGES_MAX: Final = 5  # of one item's history: an issue and up to 99 redemptions
CAMPAIGN_PAGES_MAX: Final = 50

_JSON: Final = {"Content-Type": "application/json"}
_TOO_LONG: Final = OutcomeUnknown(provider_message="the list is longer than what is read, or than it says")


class Issuing:
    """The issuing API over one transport."""

    def __init__(self, http: HttpTransport, path: str) -> None:
        self._http = http
        self._path = path

    async def close(self) -> None:
        await self._http.close()

    async def issue(self, call: Call, kind: Kind, body: bytes) -> HttpResult:
        """Issue an item: once per request, because Yoyo issues another one each time."""
        path = f"{self._path}{kind.path}?issueWiCode=true"
        return await self._http.send(call, "provision", "POST", path, headers=_JSON, body=body)

    async def item(self, call: Call, operation: str, order: Order, kind: Kind, item_id: int) -> HttpResult:
        path = f"{self._path}{kind.path}/{item_id}"
        return await self._http.send(call, operation, "GET", path, secrets=secrets_of(order))

    async def delete(self, call: Call, order: AdviceOrder, kind: Kind, item_id: int) -> HttpResult:
        """Expire an item: the only undo there is."""
        path = f"{self._path}{kind.path}/{item_id}"
        return await self._http.send(call, "reverse", "DELETE", path, secrets=secrets_of(order))

    async def search(self, call: Call, operation: str, request_id: str, campaign: CampaignRef) -> SearchResult:
        """Find what was issued for a request, in the whole of its history: a second issue on another page counts."""
        user_ref = translate.user_ref_of(request_id)
        query = urlencode({"userRef": user_ref, "campaignId": campaign.campaign_id})
        # By id: what a page offset counts is not documented, so a row may come twice.
        rows: dict[int, TransactionRow] = {}
        for number in range(SEARCH_PAGES_MAX):
            answer = await self._page(call, operation, f"/{campaign.kind}transactions", number, query)
            if not isinstance(answer, HttpAnswer):
                return _unheard(answer)
            page = translate_lists.from_history_page(answer, campaign, user_ref)
            if not isinstance(page, Page):
                return page if not (rows and isinstance(page, Nothing)) else _TOO_LONG
            rows |= {row.id: row for row in page.rows}
            if _is_last(len(page.rows), len(rows), page.total):
                return translate_lists.judge(rows.values(), campaign.kind)
        return _TOO_LONG

    async def campaigns(self, call: Call, kind: Kind) -> list[ProviderProduct] | OutcomeUnknown:
        """Every campaign of a kind."""
        found: dict[str, ProviderProduct] = {}
        count = 0
        for number in range(CAMPAIGN_PAGES_MAX):
            answer = await self._page(call, "products", f"/{kind}campaigns", number)
            if not isinstance(answer, HttpAnswer):
                return _unheard(answer)
            page = translate_lists.from_campaigns(answer, kind)
            if not isinstance(page, CampaignPage):
                return page
            found |= {product.product: product for product in page.products}
            count += page.count
            if _is_last(page.count, count, page.total):
                return list(found.values())
        return _TOO_LONG

    async def _page(self, call: Call, operation: str, path: str, number: int, query: str = "") -> HttpResult:
        parts = [query] if query else []
        if number:
            parts.append(f"pageOffset={number}")
        return await self._http.send(
            call, operation, "GET", self._path + path + ("?" + "&".join(parts) if parts else "")
        )


def _is_last(on_page: int, so_far: int, total: int | None) -> bool:
    """Whether a list is complete: as long as it says it is, or without saying so with a page that is not full."""
    return so_far >= total if total is not None else on_page < PAGE_ROWS


def _unheard(failure: NoConnection | NoAnswer) -> OutcomeUnknown:
    """A question that failed; of what it asks about nothing is proved."""
    alert = failure.alert if isinstance(failure, NoAnswer) else None
    return OutcomeUnknown(provider_message=failure.told, alert=alert)
