"""Yoyo's issuing side: issue, tell, expire, and the history of issues (providers.md 7.2, 7.7).

Nothing is deduplicated: every issue makes another item, whatever its `userRef`.
"""

from collections.abc import Callable
from datetime import datetime, time, timedelta
from typing import Any, Final

from voucherswitch.providers.contract.provider_time import SAST
from voucherswitch.providers.contract.simulator.book import VOUCHERS_MAX, Book, BookVoucher
from voucherswitch.providers.contract.simulator.clock import business_day
from voucherswitch.providers.contract.simulator.provider import Reply
from voucherswitch.providers.contract.statements import RowType
from voucherswitch.providers.yoyo.simulator.answers import success, wire_time
from voucherswitch.providers.yoyo.simulator.calls import CouponIssue, GiftCardIssue, ListQuery
from voucherswitch.providers.yoyo.simulator.campaigns import CAMPAIGNS, Campaign, campaign

USER_REF_PREFIX: Final = "vsw-"
FIRST_ITEM: Final = 900_145
FIRST_ROW: Final = 5_000_001
ISSUING_STORE: Final = "S001"  # an issue names no store: the account has one

ACTIVE: Final = "A"
INACTIVE: Final = "D"
EXPIRED: Final = "E"
REDEEMED: Final = "R"

Refuse = Callable[[int], Reply]


def reference_of(user_ref: str) -> str:
    """The request that a `userRef` is about."""
    return user_ref.removeprefix(USER_REF_PREFIX)


def make(book: Book, sold: Campaign, user_ref: str, cents: int, now: float, *, code: str | None = None) -> BookVoucher:
    """An item of a campaign; not in the books yet."""
    item_id = str(FIRST_ITEM - 1 + book.next_number("items"))
    last_day = business_day(now) + timedelta(days=sold.days)
    return BookVoucher(
        reference=reference_of(user_ref),
        provider_ref=item_id,
        code=code or _next_code(book, sold),
        serial=item_id,
        product=sold.product,
        cents=cents,
        balance_cents=cents,
        state=ACTIVE,
        store=ISSUING_STORE,
        issued_at=now,
        expires_at=datetime.combine(last_day, time(23, 59, 59), SAST).timestamp(),
        details={
            "campaign": sold.campaign_id,
            "user_ref": user_ref,
            "row": FIRST_ROW - 1 + book.next_number("rows"),
            "listed_at": now,
            "redeemed": 0,
        },
    )


def _next_code(book: Book, sold: Campaign) -> str:
    while True:
        number = int(sold.first_code) + book.next_number(f"codes of {sold.product}") - 1
        code = str(number % 10 ** len(sold.first_code)).zfill(len(sold.first_code))
        if book.by_code(code) is None:
            return code


def why_not(book: Book, form: GiftCardIssue | CouponIssue, sold: Campaign | None, cents: int, now: float) -> int | None:
    """The code that refuses an issue, in the order in which every provider checks; None: it can be done."""
    if sold is None:
        return 9001
    if sold.cents is None and not (sold.min_cents or 0) <= cents <= (sold.max_cents or 0):
        return 9003
    if sold.closed:
        return 9002
    if sold.day_cap is not None:
        today = business_day(now)
        if sum(business_day(one.issued_at) == today for one in _sold(book, sold)) >= sold.day_cap:
            return 9004
    if sold.once_per_user and any(one.details["user_ref"] == form.user_ref for one in _sold(book, sold)):
        return 9005
    return 9008 if cents > book.float_cents else None


def _sold(book: Book, sold: Campaign) -> list[BookVoucher]:
    return [one for one in book if one.product == sold.product and not one.elsewhere]


def shown(item: BookVoucher, *, with_code: bool = True) -> tuple[str, dict[str, Any]]:
    """An item and the name under which an answer holds it. Gift cards and coupons spell the code differently."""
    sold = CAMPAIGNS[item.details["campaign"]]
    told: dict[str, Any] = {"id": int(item.serial), "campaignId": sold.campaign_id}
    if sold.kind == "giftcard":
        expired = item.cents - item.details["redeemed"] if item.state == EXPIRED else 0
        told |= {
            "userRef": item.details["user_ref"],
            "issuedAmount": item.cents,
            "redeemedAmount": item.details["redeemed"],
            "expiredAmount": expired,
            "balance": 0 if item.state == EXPIRED else item.balance_cents,
            "createDate": wire_time(item.issued_at),
            "expiryDate": wire_time(item.expires_at),
            "stateId": item.state,
        }
        return "giftcard", told | ({"wicode": item.code} if with_code else {})
    told |= {
        "campaignName": sold.name,
        "campaignType": sold.type,
        "userRef": item.details["user_ref"],
        "createDate": wire_time(item.issued_at),
        "redeemFromDate": wire_time(item.issued_at),
        "redeemToDate": wire_time(item.expires_at),
    }
    if with_code:
        told |= {"wiCode": item.code, "wiQr": f"QR:{item.code}"}
    return "coupon", told | {"voucherAmount": item.cents}


def listed(items: list[dict[str, Any]], key: str, query: ListQuery) -> Reply:
    """One page of a list."""
    ordered = items[::-1] if query.order_direction == "DESC" else items
    first = query.page_offset * query.page_size
    paging = {"pageSize": query.page_size, "pageOffset": query.page_offset, "total": len(items)}
    return success(**{key: ordered[first : first + query.page_size], "paging": paging})


def campaigns(kind: str, query: ListQuery) -> Reply:
    """GET /giftcardcampaigns, /couponcampaigns."""
    return listed([one.shown() for one in CAMPAIGNS.values() if one.kind == kind], "campaigns", query)


def history(book: Book, kind: str, query: ListQuery, now: float, hide_ms: float = 0) -> Reply:
    """GET /giftcardtransactions, /coupontransactions. `hide_ms`: rows younger than this are not listed yet."""
    rows = []
    for item in book if query.user_ref is None else book.by_reference(reference_of(query.user_ref)):
        sold = CAMPAIGNS[item.details["campaign"]]
        wanted_id = query.giftcard_id if kind == "giftcard" else query.coupon_id
        if (
            sold.kind != kind
            or query.user_ref not in (None, item.details["user_ref"])
            or query.campaign_id not in (None, sold.campaign_id)
            or wanted_id not in (None, int(item.serial))
        ):
            continue
        rows += [row for at, row in _rows(item, sold, kind) if at + hide_ms / 1000 <= now]
    return listed(rows, "transactions", query)


def _rows(item: BookVoucher, sold: Campaign, kind: str) -> list[tuple[float, dict[str, Any]]]:
    alike = {
        f"{kind}Id": int(item.serial),
        "campaignId": sold.campaign_id,
        "userRef": item.details["user_ref"],
    }
    issue = {"id": item.details["row"]} | alike
    issue |= {"transactionType": "ISSUE", "amount": item.cents, "createDate": wire_time(item.issued_at)}
    rows = [(item.details["listed_at"], issue | {"stateId": "S"})]
    for number, at, cents in item.details.get("redemptions", ()):
        row = {"id": number} | alike | {"transactionType": "REDEEM", "amount": cents, "createDate": wire_time(at)}
        rows.append((at, row | {"stateId": "S"}))
    return rows


class ById:
    """The items by their ids. It forgets the oldest when the books do."""

    def __init__(self) -> None:
        self._items: dict[int, BookVoucher] = {}

    def add(self, item: BookVoucher) -> None:
        self._items[int(item.serial)] = item
        if len(self._items) > VOUCHERS_MAX:
            del self._items[next(iter(self._items))]

    def find(self, kind: str, item_id: int) -> BookVoucher | None:
        """An item of this kind."""
        item = self._items.get(item_id)
        return item if item is not None and campaign(kind, item.details["campaign"]) is not None else None

    def clear(self) -> None:
        self._items.clear()


def untouched(item: BookVoucher) -> bool:
    """Whether nothing was redeemed of it and nothing is held."""
    return item.balance_cents == item.cents and not item.details["redeemed"]


def enter_sale(book: Book, item: BookVoucher, now: float) -> None:
    """An issue is final at once, so it is in the day's file."""
    book.enter(RowType.SALE, item, item.cents, now)
