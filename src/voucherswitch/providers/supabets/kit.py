"""What the conformance kit must know of Supabets. The code tables are those of providers.md 5.4, written out."""

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
from voucherswitch.providers.supabets.simulator import KID, PARTNER_ID, SECRET, start
from voucherswitch.providers.supabets.statement import read_statement


def _settings(simulator: RunningSimulator) -> Mapping[str, Any]:
    return {
        "base_url": simulator.url,
        "partner_id": PARTNER_ID,
        "kid": KID,
        "secret": SECRET,
        "default_outlet": "S001",
    }


def _of_requests(op: str) -> tuple[CodeCase, ...]:
    """What any request can be refused with."""
    return (
        CodeCase(op, "bad-request", Family.NOT_SENT, ErrorType.GENERAL_ERROR, MESSAGE_REFUSED),
        CodeCase(op, "invalid-token", Family.NOT_SENT, ErrorType.ROUTING_ERROR, CREDENTIALS_REFUSED),
        CodeCase(op, "body-hash", Family.NOT_SENT, ErrorType.ROUTING_ERROR, CREDENTIALS_REFUSED),
        CodeCase(op, "token-expired", Family.NOT_SENT, ErrorType.ROUTING_ERROR, CREDENTIALS_REFUSED),
        CodeCase(op, "jti-reused", Family.UNKNOWN, ErrorType.DUPLICATE_RECORD),
        CodeCase(op, "throttled", Family.NOT_SENT, ErrorType.UPSTREAM_UNAVAILABLE),
        CodeCase(op, "unavailable", Family.NOT_SENT, ErrorType.UPSTREAM_UNAVAILABLE),
    )


def _of_advices(op: str) -> tuple[AdviceCase, ...]:
    """What any advice can be refused with."""
    return (
        AdviceCase(op, "bad-request", Effect.WAIT, MESSAGE_REFUSED),
        AdviceCase(op, "invalid-token", Effect.WAIT, CREDENTIALS_REFUSED),
        AdviceCase(op, "body-hash", Effect.WAIT, CREDENTIALS_REFUSED),
        AdviceCase(op, "token-expired", Effect.WAIT),
        AdviceCase(op, "jti-reused", Effect.WAIT),
        AdviceCase(op, "throttled", Effect.WAIT),
        AdviceCase(op, "unavailable", Effect.WAIT),
    )


PROFILE: Final = KitProfile(
    start=start,
    settings=_settings,
    product="SB-ANY",
    codes=(
        *_of_requests("provision"),
        CodeCase("provision", "amount-not-allowed", Family.DECLINED, ErrorType.INVALID_AMOUNT),
        CodeCase("provision", "credit-limit", Family.NOT_SENT, ErrorType.DO_NOT_HONOUR, FLOAT_EXHAUSTED),
        CodeCase("provision", "reservation-conflict", Family.UNKNOWN, ErrorType.DUPLICATE_RECORD),
        CodeCase("provision", "reservation-released", Family.DECLINED, ErrorType.TRANSACTION_DECLINED),
        CodeCase("provision", "reservation-expired", Family.DECLINED, ErrorType.TRANSACTION_DECLINED),
        CodeCase("provision", "unknown-product", Family.NOT_SENT, ErrorType.ROUTING_ERROR),
        CodeCase("provision", "unknown-site", Family.NOT_SENT, ErrorType.ROUTING_ERROR),
        # A code of another operation says nothing about a sale.
        CodeCase("provision", "voucher-spent", Family.UNKNOWN, ErrorType.UPSTREAM_UNAVAILABLE),
        *_of_requests("lookup"),
        CodeCase("lookup", "not-found", Family.DECLINED, ErrorType.INVALID_VOUCHER),
        # Of an earlier request a refused question, or a resend that was not taken, proves nothing.
        CodeCase("retry", "unavailable", Family.UNKNOWN, ErrorType.UPSTREAM_UNAVAILABLE),
        CodeCase("retry", "invalid-token", Family.UNKNOWN, ErrorType.ROUTING_ERROR, CREDENTIALS_REFUSED),
        CodeCase("retry", "reservation-released", Family.DECLINED, ErrorType.TRANSACTION_DECLINED),
        CodeCase("status", "unavailable", Family.UNKNOWN, ErrorType.UPSTREAM_UNAVAILABLE),
        CodeCase("status", "invalid-token", Family.UNKNOWN, ErrorType.UPSTREAM_UNAVAILABLE, CREDENTIALS_REFUSED),
    ),
    advice_codes=(
        *_of_advices("confirm"),
        AdviceCase("confirm", "not-found", Effect.REFUSED),
        AdviceCase("confirm", "reservation-released", Effect.REFUSED),
        AdviceCase("confirm", "voucher-spent", Effect.DONE),
        AdviceCase("confirm", "reservation-expired", Effect.REFUSED, DEAD_VOUCHER),
        *_of_advices("reverse"),
        AdviceCase("reverse", "voucher-spent", Effect.REFUSED),
        AdviceCase("reverse", "reversal-window-closed", Effect.REFUSED),
        AdviceCase("reverse", "reservation-expired", Effect.DONE),
    ),
    unlisted_code="no-such-problem",
    not_sent_503={
        "type": "urn:sim:supabets:problem:unavailable",
        "title": "Unavailable",
        "status": 503,
        "detail": "Maintenance",
        "instance": "sb-000001",
    },
    labelled="Proposed",
    evidence="No public interface; sold through resellers, whose help centre says that betting brands reverse nothing.",
    read_statement=read_statement,
)
