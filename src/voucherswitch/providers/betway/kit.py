"""What the conformance kit must know of Betway. The code tables are those of providers.md 10.4, written out."""

from collections.abc import Mapping
from typing import Any, Final

from voucherswitch.message.codes import ErrorType
from voucherswitch.providers.betway.simulator import TOKEN, start
from voucherswitch.providers.betway.statement import read_statement
from voucherswitch.providers.contract.alerts import CREDENTIALS_REFUSED, FLOAT_EXHAUSTED, MESSAGE_REFUSED
from voucherswitch.providers.contract.families import Effect, Family
from voucherswitch.providers.contract.kit import AdviceCase, CodeCase, KitProfile
from voucherswitch.providers.contract.simulator.running import RunningSimulator

QUICK_POLL_MS: Final = 10  # a rejected order is told by a poll


def _settings(simulator: RunningSimulator) -> Mapping[str, Any]:
    return {
        "base_url": simulator.url,
        "token": TOKEN,
        "default_outlet": "S001",
        "poll_min_ms": QUICK_POLL_MS,
        "poll_max_ms": QUICK_POLL_MS,
    }


def _of_advices(op: str) -> tuple[AdviceCase, ...]:
    """What any advice can be refused with."""
    return (
        AdviceCase(op, "BAD_REQUEST", Effect.WAIT, MESSAGE_REFUSED),
        AdviceCase(op, "TOKEN_INVALID", Effect.WAIT, CREDENTIALS_REFUSED),
        AdviceCase(op, "IP_NOT_ALLOWED", Effect.WAIT, CREDENTIALS_REFUSED),
        AdviceCase(op, "THROTTLED", Effect.WAIT),
        AdviceCase(op, "SERVICE_CLOSED", Effect.WAIT),
    )


PROFILE: Final = KitProfile(
    start=start,
    settings=_settings,
    product="BW-ANY",
    codes=(
        CodeCase("provision", "SKU_UNKNOWN", Family.NOT_SENT, ErrorType.ROUTING_ERROR),
        CodeCase("provision", "OUTLET_BLOCKED", Family.NOT_SENT, ErrorType.ROUTING_ERROR),
        CodeCase("provision", "AMOUNT_RANGE", Family.DECLINED, ErrorType.INVALID_AMOUNT),
        CodeCase("provision", "CREDIT_EXHAUSTED", Family.NOT_SENT, ErrorType.DO_NOT_HONOUR, FLOAT_EXHAUSTED),
        CodeCase("provision", "UPSTREAM_DOWN", Family.NOT_SENT, ErrorType.UPSTREAM_UNAVAILABLE),
        CodeCase("provision", "RISK_REVIEW", Family.DECLINED, ErrorType.TRANSACTION_DECLINED),
        CodeCase("provision", "BAD_REQUEST", Family.NOT_SENT, ErrorType.GENERAL_ERROR, MESSAGE_REFUSED),
        CodeCase("provision", "TOKEN_INVALID", Family.NOT_SENT, ErrorType.ROUTING_ERROR, CREDENTIALS_REFUSED),
        CodeCase("provision", "IP_NOT_ALLOWED", Family.NOT_SENT, ErrorType.ROUTING_ERROR, CREDENTIALS_REFUSED),
        CodeCase("provision", "EXTERNAL_ID_CONFLICT", Family.UNKNOWN, ErrorType.DUPLICATE_RECORD),
        CodeCase("provision", "EXTERNAL_ID_CANCELLED", Family.DECLINED, ErrorType.TRANSACTION_DECLINED),
        CodeCase("provision", "TENDER_MISSING", Family.DECLINED, ErrorType.TRANSACTION_DECLINED),
        CodeCase("provision", "THROTTLED", Family.NOT_SENT, ErrorType.UPSTREAM_UNAVAILABLE),
        CodeCase("provision", "SERVICE_CLOSED", Family.NOT_SENT, ErrorType.UPSTREAM_UNAVAILABLE),
        # A code of another operation says nothing about an order.
        CodeCase("provision", "VOUCHER_USED", Family.UNKNOWN, ErrorType.UPSTREAM_UNAVAILABLE),
        CodeCase("lookup", "VOUCHER_UNKNOWN", Family.DECLINED, ErrorType.INVALID_VOUCHER),
        CodeCase("lookup", "BAD_REQUEST", Family.NOT_SENT, ErrorType.GENERAL_ERROR, MESSAGE_REFUSED),
        CodeCase("lookup", "TOKEN_INVALID", Family.NOT_SENT, ErrorType.ROUTING_ERROR, CREDENTIALS_REFUSED),
        # "Closed" proves something for an order only.
        CodeCase("lookup", "SERVICE_CLOSED", Family.UNKNOWN, ErrorType.UPSTREAM_UNAVAILABLE),
        # Of an earlier request a refused question, or a resend that was not taken, proves nothing.
        CodeCase("retry", "SERVICE_CLOSED", Family.UNKNOWN, ErrorType.UPSTREAM_UNAVAILABLE),
        CodeCase("retry", "TOKEN_INVALID", Family.UNKNOWN, ErrorType.ROUTING_ERROR, CREDENTIALS_REFUSED),
        CodeCase("retry", "EXTERNAL_ID_CANCELLED", Family.DECLINED, ErrorType.TRANSACTION_DECLINED),
        CodeCase("status", "SERVICE_CLOSED", Family.UNKNOWN, ErrorType.UPSTREAM_UNAVAILABLE),
        CodeCase("status", "TOKEN_INVALID", Family.UNKNOWN, ErrorType.UPSTREAM_UNAVAILABLE, CREDENTIALS_REFUSED),
    ),
    advice_codes=(
        *_of_advices("confirm"),
        AdviceCase("confirm", "ORDER_UNKNOWN", Effect.REFUSED),
        AdviceCase("confirm", "EXTERNAL_ID_CANCELLED", Effect.REFUSED),
        AdviceCase("confirm", "NOT_FULFILLED", Effect.WAIT),
        *_of_advices("reverse"),
        AdviceCase("reverse", "VOUCHER_USED", Effect.REFUSED),
        AdviceCase("reverse", "REVERSAL_WINDOW_CLOSED", Effect.REFUSED),
        AdviceCase("reverse", "ALREADY_ACKNOWLEDGED", Effect.REFUSED),
    ),
    unlisted_code="NO_SUCH_CODE",
    not_sent_503={"error": {"code": "SERVICE_CLOSED", "message": "Maintenance"}},
    labelled="Proposed",
    evidence="No public interface; sold through resellers, whose help centre says that betting brands reverse nothing.",
    read_statement=read_statement,
    # Accepted orders are answered by a later poll, which no fault on the order itself shows.
    simulator_profile={"immediatePercent": 100},
)
