"""Yoyo's calls: which request is which operation, and the form it must have (providers.md 7.1, 7.2)."""

import re
from collections.abc import Mapping
from typing import Annotated, Final, Literal
from urllib.parse import parse_qsl

import msgspec
from msgspec import Meta, Struct, field

from voucherswitch.providers.contract.simulator.wires import Request

CVS_PATH: Final = "/cvs-issuer/rest"
POS_PATHS: Final = ("/wigroup-transactionengine/pos-providers", "/wigroup-transactionengine/pos-provider")

API_ID: Final = "sim-api"
API_PASSWORD: Final = "example-cvs-password"  # noqa: S105 (invented, and printed in the specification)
POS_ID: Final = "sim-pos"
POS_PASSWORD: Final = "example-pos-password"  # noqa: S105
POS_PASSWORD_SHA1: Final = "993ac0c2948b58bc53c86204e2d0a64e204c097b"  # noqa: S105
VERSIONS: Final = frozenset(f"1.{minor}" for minor in range(5, 15))

UserRef = Annotated[str, Meta(min_length=1, max_length=50)]
Long = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Short = Annotated[str, Meta(min_length=1, max_length=20)]
Reference = Annotated[str, Meta(min_length=1, max_length=50)]


class _Form(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A property that the protocol does not have is refused, so that a misspelt one is found."""


class Issue(_Form, frozen=True):
    """Of both kinds: what they have alike."""

    campaign_id: Long
    user_ref: UserRef
    mobile_number: Annotated[str, Meta(pattern=r"^\+?[0-9]{8,15}$")] | None = None
    send_sms: bool = field(default=False, name="sendSMS")
    sms_message: str | None = None


class GiftCardIssue(Issue, frozen=True, kw_only=True):
    balance: Annotated[int, Meta(ge=1, le=10**12)]
    state_id: Literal["D"] | None = None


class CouponIssue(Issue, frozen=True, kw_only=True):
    num_expiry_days: Annotated[int, Meta(ge=1, le=10_000)] | None = None
    service_provider_id: Long | None = None


class Token(_Form, frozen=True):
    id: Annotated[str, Meta(min_length=1, max_length=50)]
    type: Literal["WICODE"]


class StoreTrxDetails(_Form, frozen=True):
    store_id: Short
    basket_id: Reference
    trx_id: Reference
    pos_id: Short
    cashier_id: Annotated[str, Meta(min_length=1, max_length=30)]


class TokenInfo(_Form, frozen=True):
    token: Token
    store_trx_details: StoreTrxDetails


class Transaction(_Form, frozen=True):
    type: Literal["PAYMENT"]
    total_amount: Annotated[int, Meta(ge=1, le=10**12)]
    basket_amount: Annotated[int, Meta(ge=0, le=10**12)]
    token: Token
    store_trx_details: StoreTrxDetails
    products: list[dict[str, str | int]] | None = None
    switch_trx_id: Reference | None = None


class OriginalTrx(_Form, frozen=True):
    wi_trx_id: Long
    type: Literal["PAYMENT"]
    store_trx_details: StoreTrxDetails


class Advise(_Form, frozen=True):
    action: Literal["FINALISE", "REVERSE"]
    original_trx: OriginalTrx


class History(_Form, frozen=True):
    transaction_id: Reference
    store_id: Short


class ListQuery(_Form, frozen=True):
    """The query of a list."""

    user_ref: UserRef | None = None
    campaign_id: int | None = None
    giftcard_id: int | None = None
    coupon_id: int | None = None
    page_size: Annotated[int, Meta(ge=1, le=100)] = 20
    page_offset: Annotated[int, Meta(ge=0)] = 0  # of pages
    order_by: str | None = None
    order_direction: Literal["ASC", "DESC"] | None = None
    include_redeemable_for_user: str | None = None


class ItemCall(Struct, frozen=True):
    """A call about one item."""

    item_id: int


class Call(Struct, frozen=True):
    """One call. `kind` is `giftcard` or `coupon` in the issuing API; `form` is what the request must hold."""

    op: str
    wire_op: str
    kind: str = ""
    form: type[Struct] | None = None


_CALLS: Final[Mapping[tuple[str, str], Call]] = {
    **{
        pair: call
        for kind, issue in (("giftcard", GiftCardIssue), ("coupon", CouponIssue))
        for pair, call in {
            ("GET", f"/{kind}campaigns"): Call("products", f"GET /{kind}campaigns", kind, ListQuery),
            ("POST", f"/{kind}s"): Call("provision", f"POST /{kind}s", kind, issue),
            ("GET", f"/{kind}s/{{id}}"): Call("status", f"GET /{kind}s/{{id}}", kind, ItemCall),
            ("DELETE", f"/{kind}s/{{id}}"): Call("reverse", f"DELETE /{kind}s/{{id}}", kind, ItemCall),
            ("GET", f"/{kind}transactions"): Call("status", f"GET /{kind}transactions", kind, ListQuery),
        }.items()
    },
    ("POST", "/token-info"): Call("lookup", "POST /token-info", form=TokenInfo),
    ("POST", "/transaction"): Call("redeem", "POST /transaction", form=Transaction),
    ("POST", "/advise"): Call("advise", "POST /advise", form=Advise),
    ("POST", "/transaction-history/v2"): Call("redeemStatus", "POST /transaction-history/v2", form=History),
}
_OF_ACTION: Final = {"FINALISE": "confirmRedeem", "REVERSE": "reverseRedeem"}

NAMES: Final = frozenset(
    {call.op for call in _CALLS.values()} | {call.wire_op for call in _CALLS.values()} | set(_OF_ACTION.values())
) - {"advise"}

_ITEM: Final = re.compile(r"(/(?:giftcard|coupon)s)/([1-9][0-9]{0,18})")
_POS_CALLS: Final = frozenset({"/token-info", "/transaction", "/advise", "/transaction-history/v2"})


class Asked(Struct):
    """A request as it was recognised. `message` is None when it has not the form of its call."""

    call: Call
    is_pos: bool
    query: dict[str, str]
    message: Struct | None = None

    @property
    def op(self) -> str:
        return _OF_ACTION[self.message.action] if isinstance(self.message, Advise) else self.call.op


def find(request: Request) -> Asked | None:
    """The call that a request is; None: there is no such call."""
    path, _, query = request.target.partition("?")
    asked = dict(parse_qsl(query, keep_blank_values=True))
    for base in POS_PATHS:
        rest = path.removeprefix(base)
        if path.startswith(base) and rest in _POS_CALLS:
            call = _CALLS.get((request.method, rest))
            return None if call is None else _read(Asked(call, is_pos=True, query=asked), request)
    if not path.startswith(CVS_PATH):
        return None
    rest = path.removeprefix(CVS_PATH)
    item = _ITEM.fullmatch(rest)
    name = f"{item[1]}/{{id}}" if item else rest
    call = None if name in _POS_CALLS else _CALLS.get((request.method, name))
    if call is None:
        return None
    found = Asked(call, is_pos=False, query=asked)
    if item is None:
        return _read(found, request)
    found.message = None if asked or request.body else ItemCall(int(item[2]))
    return found


def authentic(request: Request, *, is_pos: bool) -> bool:
    """Whether the credentials of this API are right, byte for byte."""
    if not is_pos:
        return _header(request, b"apiid") == API_ID and _header(request, b"apipassword") == API_PASSWORD
    return _header(request, b"id") == POS_ID and _header(request, b"password") == POS_PASSWORD_SHA1


def _read(asked: Asked, request: Request) -> Asked:
    form = asked.call.form
    if form is None:
        return asked
    try:
        if form is ListQuery:
            if not request.body:
                asked.message = msgspec.convert(asked.query, ListQuery, strict=False)
        elif _well_formed(asked, request):
            asked.message = msgspec.json.decode(request.body, type=form)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        asked.message = None
    return asked


def _well_formed(asked: Asked, request: Request) -> bool:
    if _header(request, b"content-type") != "application/json":
        return False
    if asked.is_pos:
        return not asked.query and all(
            _header(request, name) in VERSIONS for name in (b"apiclientversion", b"apiserverversion")
        )
    return asked.query in ({}, {"issueWiCode": "true"})


def _header(request: Request, name: bytes) -> str:
    return (request.header(name) or b"").decode("latin-1")
