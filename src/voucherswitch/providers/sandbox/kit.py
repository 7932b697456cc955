"""What the conformance kit must know of the sandbox. The code tables are those of providers.md 11.5, written out."""

from collections.abc import Mapping
from typing import Any, Final

from voucherswitch.message.codes import ErrorType
from voucherswitch.providers.contract.alerts import CREDENTIALS_REFUSED, MESSAGE_REFUSED
from voucherswitch.providers.contract.families import Effect, Family
from voucherswitch.providers.contract.kit import AdviceCase, CodeCase, KitProfile
from voucherswitch.providers.contract.simulator.running import RunningSimulator
from voucherswitch.providers.sandbox.simulator import API_KEY, start
from voucherswitch.providers.sandbox.statement import read_statement

_STATES: Final = (
    *("VOUCHER_ALREADY_PROVISIONED", "VOUCHER_ALREADY_CONFIRMED", "VOUCHER_ALREADY_REVERSED"),
    *("VOUCHER_ALREADY_REDEEMED", "VOUCHER_ALREADY_REFUNDED", "VOUCHER_NOT_REDEEMABLE", "VOUCHER_NOT_REDEEMED"),
    *("VOUCHER_NOT_REFUNDED", "REDEMPTION_ALREADY_CONFIRMED", "REDEMPTION_ALREADY_REVERSED"),
    *("REDEMPTION_NOT_CONFIRMED", "REFUND_ALREADY_CONFIRMED", "REFUND_ALREADY_REVERSED"),
)
_BUSINESS: Final = (
    *("DO_NOT_HONOUR", "INVALID_AMOUNT", "TRANSACTION_DECLINED", "LIMIT_EXCEEDED", "INSUFFICIENT_FUNDS"),
    *("INVALID_VOUCHER", "FUNCTION_NOT_SUPPORTED", "GENERAL_ERROR", "INVALID_MERCHANT"),
)


def _of_requests(op: str) -> tuple[CodeCase, ...]:
    return (
        *(CodeCase(op, code, Family.DECLINED, ErrorType(code)) for code in (*_STATES, *_BUSINESS)),
        CodeCase(op, "FORMAT_ERROR", Family.NOT_SENT, ErrorType.GENERAL_ERROR, MESSAGE_REFUSED),
        CodeCase(op, "AUTHENTICATION_ERROR", Family.NOT_SENT, ErrorType.ROUTING_ERROR, CREDENTIALS_REFUSED),
        CodeCase(op, "ROUTING_ERROR", Family.NOT_SENT, ErrorType.ROUTING_ERROR),
        CodeCase(op, "UPSTREAM_UNAVAILABLE", Family.NOT_SENT, ErrorType.UPSTREAM_UNAVAILABLE),
        CodeCase(op, "DUPLICATE_RECORD", Family.UNKNOWN, ErrorType.DUPLICATE_RECORD),
        CodeCase(op, "VOUCHER_STATUS_UNKNOWN", Family.UNKNOWN, ErrorType.VOUCHER_STATUS_UNKNOWN),
    )


def _of_advices(op: str) -> tuple[AdviceCase, ...]:
    reversal = op.startswith("reverse")
    return (
        *(AdviceCase(op, code, Effect.REFUSED) for code in _STATES),
        # A reversal of what is not known is remembered, so it has its effect.
        AdviceCase(op, "UNABLE_TO_LOCATE_RECORD", Effect.DONE if reversal else Effect.REFUSED),
        AdviceCase(op, "FORMAT_ERROR", Effect.WAIT, MESSAGE_REFUSED),
        AdviceCase(op, "AUTHENTICATION_ERROR", Effect.WAIT, CREDENTIALS_REFUSED),
        AdviceCase(op, "UPSTREAM_UNAVAILABLE", Effect.WAIT),
        AdviceCase(op, "VOUCHER_STATUS_UNKNOWN", Effect.WAIT),
    )


def _settings(simulator: RunningSimulator) -> Mapping[str, Any]:
    return {"base_url": simulator.url, "api_key": API_KEY, "default_outlet": "S001"}


PROFILE: Final = KitProfile(
    start=start,
    settings=_settings,
    product="SBXANY",
    redeem_cents=4_000,
    codes=(
        *_of_requests("provision"),
        *_of_requests("redeem"),
        *_of_requests("refund"),
        CodeCase("lookup", "INVALID_VOUCHER", Family.DECLINED, ErrorType.INVALID_VOUCHER),
        # Of an earlier request a refused question proves nothing.
        CodeCase("status", "AUTHENTICATION_ERROR", Family.UNKNOWN, ErrorType.UPSTREAM_UNAVAILABLE, CREDENTIALS_REFUSED),
        CodeCase("retry", "UPSTREAM_UNAVAILABLE", Family.UNKNOWN, ErrorType.UPSTREAM_UNAVAILABLE),
        CodeCase("retry", "VOUCHER_ALREADY_REVERSED", Family.DECLINED, ErrorType.VOUCHER_ALREADY_REVERSED),
    ),
    advice_codes=tuple(
        case
        for op in ("confirm", "reverse", "confirmRedeem", "reverseRedeem", "confirmRefund", "reverseRefund")
        for case in _of_advices(op)
    ),
    unlisted_code="SBX_UNLISTED",
    not_sent_503={"error": {"code": "UPSTREAM_UNAVAILABLE", "providerCode": "SBX-503", "message": "Maintenance"}},
    labelled="Proposed",
    evidence="None needed: the sandbox is the project's own provider, so its protocol is ours by definition.",
    read_statement=read_statement,
)
