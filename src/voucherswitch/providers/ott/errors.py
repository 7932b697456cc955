"""OTT's error codes -> our outcomes: one table, by operation and code (providers.md 6.4).

A code means something else in every operation: "1" is a system error of GetVoucher and "not found" of CheckVoucher.
1 to 9 are Documented; the 9xx are Proposed, so a real deployment maps its own codes with `code_map`. A bare code there
is one of redemptions and lookups; a code of another operation needs that operation's name before it.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from voucherswitch.message.codes import ErrorType
from voucherswitch.providers.contract.alerts import CREDENTIALS_REFUSED, FLOAT_EXHAUSTED
from voucherswitch.providers.contract.families import (
    UNLISTED,
    WAIT,
    AdviceMeaning,
    Effect,
    Family,
    Meaning,
    advice_meaning,
)


class Table(Struct, frozen=True):
    """`requests`: codes of the operations that ask for something; `advices`: of confirmations and reversals."""

    requests: Mapping[tuple[str, str], Meaning]
    advices: Mapping[tuple[str, str], AdviceMeaning]


_INVALID_VOUCHER: Final = Meaning(Family.DECLINED, ErrorType.INVALID_VOUCHER)
_REDEEMED: Final = Meaning(Family.DECLINED, ErrorType.VOUCHER_ALREADY_REDEEMED)
_NOT_REDEEMABLE: Final = Meaning(Family.DECLINED, ErrorType.VOUCHER_NOT_REDEEMABLE)
_NOT_SENT: Final = Meaning(Family.NOT_SENT, ErrorType.GENERAL_ERROR)
_FINAL: Final = AdviceMeaning(Effect.REFUSED)

TABLE: Final = Table(
    requests={
        # Saving the debit or the credit failed: before or after the voucher was made is not told.
        **{("provision", code): UNLISTED for code in ("1", "7", "8", "9")},
        ("provision", "2"): Meaning(Family.NOT_SENT, ErrorType.UPSTREAM_UNAVAILABLE),
        ("provision", "3"): Meaning(Family.DECLINED, ErrorType.INVALID_AMOUNT),
        ("provision", "4"): _NOT_SENT,
        ("provision", "5"): _NOT_SENT,
        ("provision", "6"): Meaning(Family.NOT_SENT, ErrorType.DO_NOT_HONOUR, FLOAT_EXHAUSTED),
        ("provision", "941"): Meaning(Family.NOT_SENT, ErrorType.ROUTING_ERROR),
        **{
            (operation, code): meaning
            for operation in ("lookup", "redeem")
            for code, meaning in (
                ("901", _INVALID_VOUCHER),
                ("902", _REDEEMED),
                ("904", _NOT_REDEEMABLE),
                ("905", _NOT_REDEEMABLE),
            )
        },
        ("redeem", "903"): Meaning(Family.DECLINED, ErrorType.INSUFFICIENT_FUNDS),
        ("redeem", "906"): Meaning(Family.NOT_SENT, ErrorType.ROUTING_ERROR),
        # A remit with this reference took money already; what it took only CheckRemitVoucher tells.
        ("redeem", "907"): Meaning(Family.UNKNOWN, ErrorType.DUPLICATE_RECORD),
    },
    advices={
        ("confirm", "1"): _FINAL,
        ("confirm", "921"): _FINAL,
        # Nothing to reject is success, unless GetVoucher can still be on its way in: OTT keeps no tombstone.
        ("reverse", "1"): AdviceMeaning(Effect.DONE_ONCE_SETTLED),
        ("reverse", "922"): _FINAL,
        ("reverse", "923"): _FINAL,
    },
)

# The name under which `code_map` has an operation's codes: `RemitVoucher:1`. CheckVoucher is the redemption side's; the
# questions, of which the issuing CheckVoucher is one, know only success and "not found", so nothing maps their codes.
SCOPES: Final[Mapping[str, str]] = {
    "provision": "GetVoucher",
    "lookup": "CheckVoucher",
    "redeem": "RemitVoucher",
    "confirm": "ConfirmVoucher",
    "reverse": "RejectVoucher",
}
# Where a code without an operation's name counts. It was written for redemptions, whose own codes nobody published; of
# a sale the same number may be a system error, and a decline would free a voucher that exists.
_BARE: Final = frozenset({"lookup", "redeem"})

NOT_FOUND: Final[Mapping[str, str]] = {"status": "1", "redeemStatus": "908"}

REFUSED_CREDENTIALS: Final = Meaning(Family.NOT_SENT, ErrorType.ROUTING_ERROR, CREDENTIALS_REFUSED)
UNHEARD_CREDENTIALS: Final = AdviceMeaning(Effect.WAIT, CREDENTIALS_REFUSED)


def meaning_for(operation: str, code: str | None, code_map: Mapping[str, Meaning]) -> Meaning:
    """What a refusal means for a request; the settings' `code_map` wins over the table."""
    if code is None:
        return UNLISTED
    return _mapped(operation, code, code_map) or TABLE.requests.get((operation, code), UNLISTED)


def advice_meaning_for(operation: str, code: str | None, code_map: Mapping[str, Meaning]) -> AdviceMeaning:
    """What a refusal means for an advice; the table wins over the settings' `code_map`."""
    if code is None:
        return WAIT
    return advice_meaning(TABLE.advices.get((operation, code)), _mapped(operation, code, code_map))


def _mapped(operation: str, code: str, code_map: Mapping[str, Meaning]) -> Meaning | None:
    mapped = code_map.get(f"{SCOPES[operation]}:{code}")
    return code_map.get(code) if mapped is None and operation in _BARE else mapped
