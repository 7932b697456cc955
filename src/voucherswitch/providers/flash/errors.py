"""Flash's result codes -> our outcomes (providers.md 9.4). The numbers are Proposed: real ones go into `code_map`.

A code counts only in an answer that HTTP calls a success, which is how Flash declines. What is not in the tables may
have been processed.
"""

from collections.abc import Mapping
from typing import Final

from voucherswitch.message.codes import ErrorType
from voucherswitch.providers.contract.alerts import CREDENTIALS_REFUSED, FLOAT_EXHAUSTED, MESSAGE_REFUSED
from voucherswitch.providers.contract.families import (
    UNLISTED,
    WAIT,
    AdviceMeaning,
    Effect,
    Family,
    Meaning,
    advice_meaning,
    mapped_advice,
)

SUCCESS: Final = 0

TABLE: Final[Mapping[str, Meaning]] = {
    "7001": Meaning(Family.NOT_SENT, ErrorType.GENERAL_ERROR, MESSAGE_REFUSED),
    "7002": Meaning(Family.DECLINED, ErrorType.INVALID_AMOUNT),
    "7003": Meaning(Family.NOT_SENT, ErrorType.ROUTING_ERROR),
    "7004": Meaning(Family.NOT_SENT, ErrorType.ROUTING_ERROR),
    "7005": Meaning(Family.NOT_SENT, ErrorType.DO_NOT_HONOUR, FLOAT_EXHAUSTED),
    "7006": Meaning(Family.NOT_SENT, ErrorType.DO_NOT_HONOUR),
    "7101": Meaning(Family.DECLINED, ErrorType.INVALID_VOUCHER),
    "7103": Meaning(Family.DECLINED, ErrorType.VOUCHER_ALREADY_REDEEMED),
    "7104": Meaning(Family.DECLINED, ErrorType.VOUCHER_NOT_REDEEMABLE),
    "7105": Meaning(Family.DECLINED, ErrorType.VOUCHER_NOT_REDEEMABLE),
    "7106": Meaning(Family.DECLINED, ErrorType.INSUFFICIENT_FUNDS),
    # The first message with this reference was processed, and its answer is not this one.
    "7201": Meaning(Family.UNKNOWN, ErrorType.DUPLICATE_RECORD),
    "7202": Meaning(Family.UNKNOWN, ErrorType.VOUCHER_STATUS_UNKNOWN),
    "7901": Meaning(Family.NOT_SENT, ErrorType.UPSTREAM_UNAVAILABLE),
    "7999": UNLISTED,
}

ADVICES: Final[Mapping[str, AdviceMeaning]] = {
    "7001": AdviceMeaning(Effect.WAIT, MESSAGE_REFUSED),
    # No tombstone is left: a purchase that is still on its way in would issue after this.
    "7301": AdviceMeaning(Effect.DONE_ONCE_SETTLED),
    "7302": AdviceMeaning(Effect.REFUSED),
}

# 401: the token is refused, and so was the one fetched after it. 403: our key lacks the right. Neither is processed.
CREDENTIAL_STATUSES: Final = frozenset({401, 403})
REFUSED_CREDENTIALS: Final = Meaning(Family.NOT_SENT, ErrorType.ROUTING_ERROR, CREDENTIALS_REFUSED)


def meaning_of(status: int, code: str, code_map: Mapping[str, Meaning]) -> Meaning:
    """What a refusal means for a request; the settings' `code_map` wins over the table.

    Args:
        status: the HTTP status.
        code: the `responseCode`, empty if there was none.
    """
    if status in CREDENTIAL_STATUSES:
        return REFUSED_CREDENTIALS
    if status >= 500 or 300 <= status < 400:
        return UNLISTED  # said by something on the way as likely as by Flash
    mapped = code_map.get(code)
    if mapped is not None:
        return mapped
    return TABLE.get(code, UNLISTED) if status < 300 else UNLISTED


def advice_meaning_of(status: int, code: str, code_map: Mapping[str, Meaning]) -> AdviceMeaning:
    """The same for an advice: the table wins, and of the settings' `code_map` only a decline is final."""
    if status in CREDENTIAL_STATUSES:
        return mapped_advice(REFUSED_CREDENTIALS)
    if status >= 500 or 300 <= status < 400:
        return WAIT
    return advice_meaning(ADVICES.get(code) if status < 300 else None, code_map.get(code))
