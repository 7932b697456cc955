"""Netcare for the conformance kit (providers.md Part D). The protocol is Proposed."""

from collections.abc import Mapping
from typing import Any, Final

from voucherswitch.message.codes import ErrorType
from voucherswitch.providers.contract.alerts import (
    CREDENTIALS_REFUSED,
    DEAD_VOUCHER,
    FLOAT_EXHAUSTED,
    MESSAGE_REFUSED,
)
from voucherswitch.providers.contract.families import Effect, Family
from voucherswitch.providers.contract.kit import AdviceCase, CodeCase, KitProfile
from voucherswitch.providers.contract.simulator.running import RunningSimulator
from voucherswitch.providers.netcare.simulator import PASSWORD, USERNAME, start
from voucherswitch.providers.netcare.statement import read_statement


def _settings(simulator: RunningSimulator) -> Mapping[str, Any]:
    return {"base_url": simulator.url, "username": USERNAME, "password": PASSWORD, "default_outlet": "S001"}


_SALE: Final = "provision"
_LOOKUP: Final = "lookup"
_CONFIRM: Final = "confirm"
_REVERSE: Final = "reverse"
_NOT_SENT, _DECLINED, _UNKNOWN = Family.NOT_SENT, Family.DECLINED, Family.UNKNOWN
_DONE, _REFUSED, _WAIT = Effect.DONE, Effect.REFUSED, Effect.WAIT

PROFILE: Final = KitProfile(
    start=start,
    settings=_settings,
    product="GP-CONSULT-1",
    codes=(
        CodeCase(_SALE, "NV-1001", _NOT_SENT, ErrorType.ROUTING_ERROR),
        CodeCase(_SALE, "NV-1005", _NOT_SENT, ErrorType.ROUTING_ERROR),
        CodeCase(_SALE, "NV-1002", _DECLINED, ErrorType.INVALID_AMOUNT),
        CodeCase(_SALE, "NV-1003", _NOT_SENT, ErrorType.DO_NOT_HONOUR),
        CodeCase(_SALE, "NV-1006", _NOT_SENT, ErrorType.DO_NOT_HONOUR, FLOAT_EXHAUSTED),
        CodeCase(_SALE, "NV-1004", _DECLINED, ErrorType.TRANSACTION_DECLINED),
        CodeCase(_SALE, "NV-1400", _NOT_SENT, ErrorType.GENERAL_ERROR, MESSAGE_REFUSED),
        CodeCase(_SALE, "NV-1402", _NOT_SENT, ErrorType.GENERAL_ERROR, MESSAGE_REFUSED),
        CodeCase(_SALE, "NV-1401", _NOT_SENT, ErrorType.ROUTING_ERROR, CREDENTIALS_REFUSED),
        CodeCase(_SALE, "NV-1403", _UNKNOWN, ErrorType.DUPLICATE_RECORD),
        CodeCase(_SALE, "NV-1409", _UNKNOWN, ErrorType.DUPLICATE_RECORD),
        CodeCase(_SALE, "NV-1500", _UNKNOWN, ErrorType.UPSTREAM_UNAVAILABLE),
        CodeCase(_LOOKUP, "NV-1404", _DECLINED, ErrorType.INVALID_VOUCHER),
        CodeCase(_LOOKUP, "NV-1410", _DECLINED, ErrorType.VOUCHER_ALREADY_REDEEMED),
        CodeCase(_LOOKUP, "NV-1411", _DECLINED, ErrorType.VOUCHER_NOT_REDEEMABLE),
        CodeCase(_LOOKUP, "NV-1412", _DECLINED, ErrorType.VOUCHER_NOT_REDEEMABLE),
        CodeCase(_LOOKUP, "NV-1413", _DECLINED, ErrorType.VOUCHER_NOT_REDEEMABLE),
    ),
    advice_codes=(
        AdviceCase(_CONFIRM, "NV-1404", _REFUSED),
        AdviceCase(_CONFIRM, "NV-1410", _DONE),
        AdviceCase(_CONFIRM, "NV-1411", _REFUSED),
        AdviceCase(_CONFIRM, "NV-1412", _REFUSED),
        AdviceCase(_CONFIRM, "NV-1413", _REFUSED, DEAD_VOUCHER),
        AdviceCase(_REVERSE, "NV-1404", Effect.DONE_ONCE_SETTLED),
        AdviceCase(_REVERSE, "NV-1410", _REFUSED),
        AdviceCase(_REVERSE, "NV-1411", _REFUSED),
        AdviceCase(_REVERSE, "NV-1412", _DONE),
        AdviceCase(_REVERSE, "NV-1413", _DONE),
        *(
            AdviceCase(op, code, _WAIT, alert)
            for op in (_CONFIRM, _REVERSE)
            for code, alert in (
                ("NV-1400", MESSAGE_REFUSED),
                ("NV-1402", MESSAGE_REFUSED),
                ("NV-1401", CREDENTIALS_REFUSED),
                ("NV-1403", None),
                ("NV-1500", None),
            )
        ),
    ),
    unlisted_code="NV-7777",
    labelled="Proposed",
    evidence="No public wire interface; that it takes no retries is documented in Electrum's guide.",
    read_statement=read_statement,
)
