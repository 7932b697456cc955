"""Stellr for the conformance kit (providers.md Part D). The protocol is Proposed."""

from collections.abc import Mapping
from typing import Any, Final

from voucherswitch.message.codes import ErrorType
from voucherswitch.providers.contract.alerts import CREDENTIALS_REFUSED, FLOAT_EXHAUSTED, MESSAGE_REFUSED
from voucherswitch.providers.contract.families import Family
from voucherswitch.providers.contract.kit import CodeCase, KitProfile
from voucherswitch.providers.contract.simulator.running import RunningSimulator
from voucherswitch.providers.stellr.simulator import CHANNEL_ID, PASSWORD, TERMINAL_ID, start
from voucherswitch.providers.stellr.statement import read_statement


def _settings(simulator: RunningSimulator) -> Mapping[str, Any]:
    return {
        "base_url": simulator.url,
        "terminal_id": TERMINAL_ID,
        "channel_id": CHANNEL_ID,
        "password": PASSWORD,
        "default_outlet": "S001",
    }


_SALE: Final = "provision"
_LOOKUP: Final = "lookup"
_REDEEM: Final = "redeem"
_NOT_SENT, _DECLINED, _UNKNOWN = Family.NOT_SENT, Family.DECLINED, Family.UNKNOWN

PROFILE: Final = KitProfile(
    start=start,
    settings=_settings,
    product="GAME0100",
    codes=(
        CodeCase(_SALE, "101", _NOT_SENT, ErrorType.ROUTING_ERROR),
        CodeCase(_SALE, "105", _NOT_SENT, ErrorType.ROUTING_ERROR),
        CodeCase(_SALE, "102", _DECLINED, ErrorType.INVALID_AMOUNT),
        CodeCase(_SALE, "103", _NOT_SENT, ErrorType.DO_NOT_HONOUR),
        CodeCase(_SALE, "104", _NOT_SENT, ErrorType.DO_NOT_HONOUR),
        CodeCase(_SALE, "110", _NOT_SENT, ErrorType.DO_NOT_HONOUR, FLOAT_EXHAUSTED),
        CodeCase(_SALE, "301", _UNKNOWN, ErrorType.DUPLICATE_RECORD),
        CodeCase(_SALE, "401", _NOT_SENT, ErrorType.ROUTING_ERROR, CREDENTIALS_REFUSED),
        CodeCase(_SALE, "501", _NOT_SENT, ErrorType.GENERAL_ERROR, MESSAGE_REFUSED),
        CodeCase(_SALE, "999", _UNKNOWN, ErrorType.UPSTREAM_UNAVAILABLE),
        CodeCase(_LOOKUP, "201", _DECLINED, ErrorType.INVALID_VOUCHER),
        CodeCase(_REDEEM, "102", _DECLINED, ErrorType.INVALID_AMOUNT),
        CodeCase(_REDEEM, "201", _DECLINED, ErrorType.INVALID_VOUCHER),
        CodeCase(_REDEEM, "202", _DECLINED, ErrorType.VOUCHER_ALREADY_REDEEMED),
        CodeCase(_REDEEM, "203", _DECLINED, ErrorType.VOUCHER_NOT_REDEEMABLE),
        CodeCase(_REDEEM, "204", _DECLINED, ErrorType.VOUCHER_NOT_REDEEMABLE),
        CodeCase(_REDEEM, "301", _UNKNOWN, ErrorType.DUPLICATE_RECORD),
    ),
    unlisted_code="777",
    labelled="Proposed",
    evidence="No public wire interface; that it takes no advices and no retries is documented in Electrum's guide.",
    read_statement=read_statement,
)
