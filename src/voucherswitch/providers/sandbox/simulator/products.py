"""The sandbox's products and the scripts that they, and certain amounts, start (providers.md 11.7)."""

import re
from functools import lru_cache
from typing import Any, Final

from msgspec import Struct

from voucherswitch.providers.contract.simulator.faults import Fault, Params
from voucherswitch.providers.contract.simulator.provider import Reply
from voucherswitch.providers.sandbox.simulator.answers import refusal

CENTS_MIN: Final = 100
CENTS_MAX: Final = 1_000_000

# nn -> code and HTTP status
DECLINES: Final = {
    1: ("DO_NOT_HONOUR", 422),
    2: ("INVALID_AMOUNT", 422),
    3: ("TRANSACTION_DECLINED", 422),
    4: ("LIMIT_EXCEEDED", 422),
    5: ("INSUFFICIENT_FUNDS", 422),
    6: ("INVALID_VOUCHER", 404),
    7: ("VOUCHER_ALREADY_REDEEMED", 422),
    8: ("VOUCHER_NOT_REDEEMABLE", 422),
    9: ("VOUCHER_STATUS_UNKNOWN", 422),
    10: ("UPSTREAM_UNAVAILABLE", 503),
    11: ("ROUTING_ERROR", 404),
    12: ("FUNCTION_NOT_SUPPORTED", 422),
    13: ("GENERAL_ERROR", 422),
    14: ("DUPLICATE_RECORD", 409),
    15: ("INVALID_MERCHANT", 404),
    16: ("SBX_UNLISTED", 422),
}


def _error(status: int, code: str, *, processed: bool = False) -> Fault:
    body: dict[str, Any] = {"error": {"code": code, "providerCode": f"SBX-{status}", "message": "Scripted"}}
    return Fault("http", params=Params(status=status, body=body, processed=processed))


def _timed(kind: Any, milliseconds: int) -> Fault:
    return Fault(kind, params=Params(ms=milliseconds))


# nn -> what happens on the way
TRANSPORT: Final = {
    31: Fault("hang_after"),
    32: Fault("hang_before"),
    33: Fault("rst_before"),
    34: Fault("rst_after"),
    35: Fault("drop_after"),
    36: _error(503, "UPSTREAM_UNAVAILABLE"),
    37: _error(500, "GENERAL_ERROR", processed=True),
    38: Fault("malformed"),
    39: Fault("wrong_amount"),
    40: Fault("no_pin"),
    41: _timed("late", 2_000),
    42: _timed("late", 20_000),
    43: _timed("slow_bytes", 5_000),
    44: Fault("truncate"),
    45: _error(429, "UPSTREAM_UNAVAILABLE"),
    46: Fault("wrong_reference"),
    47: _timed("late_processing", 3_000),
}

# Advices: refused with 500, or answered with a closed connection.
ADVICE_FAILS: Final = _error(500, "GENERAL_ERROR")
ADVICE_LOST: Final = Fault("drop_after")


class Product(Struct, frozen=True):
    """What is special about a product."""

    product_id: str
    fixed_cents: int | None = None
    decline: Reply | None = None
    transport: Fault | None = None
    has_pin: bool = False
    no_partial: bool = False
    pending_ms: int = 0
    advice_fails: int = 0  # so many advices of a voucher get 500
    advice_losses: int = 0  # so many are processed and not answered

    def sells(self, cents: int) -> bool:
        if self.fixed_cents is not None:
            return cents == self.fixed_cents
        return CENTS_MIN <= cents <= CENTS_MAX


LISTED: Final = (
    {
        "productId": "SBXANY",
        "name": "Sandbox, any amount",
        "fixed": False,
        "minCents": CENTS_MIN,
        "maxCents": CENTS_MAX,
    },
    {"productId": "SBXFIX100", "name": "Sandbox R100", "fixed": True, "amountCents": 10_000},
    {"productId": "SBXFIX500", "name": "Sandbox R500", "fixed": True, "amountCents": 50_000},
    {"productId": "SBXPIN", "name": "Sandbox with PIN", "fixed": False, "minCents": CENTS_MIN, "maxCents": CENTS_MAX},
    {
        "productId": "SBXNOPARTIAL",
        "name": "Sandbox, used whole",
        "fixed": False,
        "minCents": CENTS_MIN,
        "maxCents": CENTS_MAX,
    },
)

_NAMED: Final = {
    product.product_id: product
    for product in (
        Product("SBXANY"),
        Product("SBXFIX100", fixed_cents=10_000),
        Product("SBXFIX500", fixed_cents=50_000),
        Product("SBXPIN", has_pin=True),
        Product("SBXNOPARTIAL", no_partial=True),
        Product("SBXTIMEOUT", transport=TRANSPORT[31]),
        Product("SBXHANG", transport=TRANSPORT[32]),
        Product("SBXRSTBEFORE", transport=TRANSPORT[33]),
        Product("SBXRSTAFTER", transport=TRANSPORT[34]),
        Product("SBXDROPAFTER", transport=TRANSPORT[35]),
        Product("SBX503", transport=TRANSPORT[36]),
        Product("SBX500", transport=TRANSPORT[37]),
        Product("SBXGARBAGE", transport=TRANSPORT[38]),
        Product("SBXWRONGAMT", transport=TRANSPORT[39]),
        Product("SBXNOPIN", transport=TRANSPORT[40]),
        Product("SBXTRUNC", transport=TRANSPORT[44]),
        Product("SBX429", transport=TRANSPORT[45]),
        Product("SBXWRONGREF", transport=TRANSPORT[46]),
        *(Product(f"SBXDECLINE{nn:02d}", decline=refusal(*decline)) for nn, decline in DECLINES.items()),
    )
}
_NUMBERED: Final = re.compile(r"(SBXLATE|SBXSLOW|SBXINFLIGHT|SBXADVFAIL|SBXADVLOST|SBXPENDING)([1-9][0-9]{0,4})")


@lru_cache(maxsize=4_096)
def product(product_id: str) -> Product | None:
    """A product by its id; None: there is none."""
    if named := _NAMED.get(product_id):
        return named
    numbered = _NUMBERED.fullmatch(product_id)
    if numbered is None:
        return None
    family, n = numbered[1], int(numbered[2])
    match family:
        case "SBXLATE":
            return Product(product_id, transport=_timed("late", n))
        case "SBXSLOW":
            return Product(product_id, transport=_timed("slow_bytes", n))
        case "SBXINFLIGHT":
            return Product(product_id, transport=_timed("late_processing", n))
        case "SBXADVFAIL":
            return Product(product_id, advice_fails=n)
        case "SBXADVLOST":
            return Product(product_id, advice_losses=n)
        case _:
            return Product(product_id, pending_ms=n)


def decline_by_amount(cents: int) -> Reply | None:
    """R166.04 and every other …66.04 declines with line 04."""
    if cents // 100 % 100 != 66:
        return None
    decline = DECLINES.get(cents % 100)
    return None if decline is None else refusal(*decline)


def transport_by_amount(cents: int) -> Fault | None:
    """R166.31 and every other …66.31 starts script 31."""
    return TRANSPORT.get(cents % 100) if cents // 100 % 100 == 66 else None


_DECLINE_STATUS: Final = dict(DECLINES.values())


def ordered_decline(code: str) -> Reply:
    """A decline that a test orders by its code, with the status that the scripts give it."""
    return refusal(code, _DECLINE_STATUS.get(code))
