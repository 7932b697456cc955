"""Lottostar as the conformance kit tries it (providers.md section 3, Part D)."""

from collections.abc import Mapping
from typing import Any, Final

from voucherswitch.message.codes import ErrorType
from voucherswitch.providers.contract.alerts import CREDENTIALS_REFUSED, FLOAT_EXHAUSTED, MESSAGE_REFUSED
from voucherswitch.providers.contract.families import Effect, Family
from voucherswitch.providers.contract.kit import AdviceCase, CodeCase, KitProfile
from voucherswitch.providers.contract.simulator.running import RunningSimulator
from voucherswitch.providers.lottostar.simulator import KEY_ID, SECRET, start
from voucherswitch.providers.lottostar.statement import read_statement


def settings(simulator: RunningSimulator) -> Mapping[str, Any]:
    """What reaches the simulator."""
    return {"base_url": simulator.url, "key_id": KEY_ID, "secret": SECRET, "default_outlet": "S001"}


# STALE_TIMESTAMP is missing: the first one is no outcome, it sets our clock, and the message is sent once more.
_CODES: Final = (
    CodeCase("provision", "INVALID_AMOUNT", Family.DECLINED, ErrorType.INVALID_AMOUNT),
    CodeCase("provision", "INVALID_REQUEST", Family.NOT_SENT, ErrorType.GENERAL_ERROR, MESSAGE_REFUSED),
    CodeCase("provision", "BAD_SIGNATURE", Family.NOT_SENT, ErrorType.ROUTING_ERROR, CREDENTIALS_REFUSED),
    CodeCase("provision", "UNKNOWN_KEY", Family.NOT_SENT, ErrorType.ROUTING_ERROR, CREDENTIALS_REFUSED),
    CodeCase("provision", "NONCE_REUSED", Family.UNKNOWN, ErrorType.DUPLICATE_RECORD),
    CodeCase("provision", "FLOAT_EXHAUSTED", Family.NOT_SENT, ErrorType.DO_NOT_HONOUR, FLOAT_EXHAUSTED),
    CodeCase("provision", "STORE_UNKNOWN", Family.NOT_SENT, ErrorType.ROUTING_ERROR),
    CodeCase("provision", "IDEMPOTENCY_MISMATCH", Family.UNKNOWN, ErrorType.DUPLICATE_RECORD),
    CodeCase("provision", "REFERENCE_VOIDED", Family.DECLINED, ErrorType.TRANSACTION_DECLINED),
    CodeCase("provision", "RATE_LIMITED", Family.NOT_SENT, ErrorType.UPSTREAM_UNAVAILABLE),
    CodeCase("provision", "MAINTENANCE", Family.NOT_SENT, ErrorType.UPSTREAM_UNAVAILABLE),
    CodeCase("lookup", "NOT_FOUND", Family.DECLINED, ErrorType.INVALID_VOUCHER),
    CodeCase("lookup", "BAD_SIGNATURE", Family.NOT_SENT, ErrorType.ROUTING_ERROR, CREDENTIALS_REFUSED),
)
_ADVICE_CODES: Final = (
    AdviceCase("reverse", "ALREADY_REDEEMED", Effect.REFUSED),
    AdviceCase("reverse", "VOID_WINDOW_CLOSED", Effect.REFUSED),
    AdviceCase("reverse", "INVALID_REQUEST", Effect.WAIT, MESSAGE_REFUSED),
    AdviceCase("reverse", "BAD_SIGNATURE", Effect.WAIT, CREDENTIALS_REFUSED),
    AdviceCase("reverse", "UNKNOWN_KEY", Effect.WAIT, CREDENTIALS_REFUSED),
    AdviceCase("reverse", "NONCE_REUSED", Effect.WAIT),
    AdviceCase("reverse", "RATE_LIMITED", Effect.WAIT),
    AdviceCase("reverse", "MAINTENANCE", Effect.WAIT),
)

PROFILE: Final = KitProfile(
    start=start,
    settings=settings,
    product="LS100",
    codes=_CODES,
    advice_codes=_ADVICE_CODES,
    unlisted_code="NEW_CODE",
    not_sent_503={"error": {"code": "MAINTENANCE", "message": "Closed for maintenance", "traceId": "ls-000042"}},
    labelled="Proposed",
    evidence="Nothing about the interface is public; the protocol is a proposal of this project.",
    read_statement=read_statement,
)
