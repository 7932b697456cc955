"""Stellr's result codes -> our outcomes (providers.md 1.4, Proposed). It takes no advices, so there is one table."""

from collections.abc import Mapping
from typing import Final

from voucherswitch.message.codes import ErrorType
from voucherswitch.providers.contract.alerts import CREDENTIALS_REFUSED, FLOAT_EXHAUSTED, MESSAGE_REFUSED
from voucherswitch.providers.contract.families import UNLISTED, Family, Meaning

APPROVED: Final = "000"

_OUR_MAP: Final = Meaning(Family.NOT_SENT, ErrorType.ROUTING_ERROR)
_NOT_SOLD_NOW: Final = Meaning(Family.NOT_SENT, ErrorType.DO_NOT_HONOUR)

TABLE: Final[Mapping[str, Meaning]] = {
    "101": _OUR_MAP,  # unknown product
    "105": _OUR_MAP,  # unknown store
    "102": Meaning(Family.DECLINED, ErrorType.INVALID_AMOUNT),
    "103": _NOT_SOLD_NOW,  # out of stock
    "104": _NOT_SOLD_NOW,  # suspended
    "110": Meaning(Family.NOT_SENT, ErrorType.DO_NOT_HONOUR, FLOAT_EXHAUSTED),
    "201": Meaning(Family.DECLINED, ErrorType.INVALID_VOUCHER),
    "202": Meaning(Family.DECLINED, ErrorType.VOUCHER_ALREADY_REDEEMED),
    "203": Meaning(Family.DECLINED, ErrorType.VOUCHER_NOT_REDEEMABLE),  # expired
    "204": Meaning(Family.DECLINED, ErrorType.VOUCHER_NOT_REDEEMABLE),  # blocked
    # The first message with this id was processed, and nothing will ever tell its PIN.
    "301": Meaning(Family.UNKNOWN, ErrorType.DUPLICATE_RECORD),
    "401": Meaning(Family.NOT_SENT, ErrorType.ROUTING_ERROR, CREDENTIALS_REFUSED),
    "501": Meaning(Family.NOT_SENT, ErrorType.GENERAL_ERROR, MESSAGE_REFUSED),
    "999": UNLISTED,  # system error
}


def meaning_of(code: str, code_map: Mapping[str, Meaning]) -> Meaning:
    """What a result code means; the settings' `code_map` wins over the table."""
    return code_map.get(code) or TABLE.get(code, UNLISTED)
