"""What the conformance kit must know of Yoyo."""

from collections.abc import Mapping
from typing import Any, Final

from voucherswitch.message.codes import ErrorType
from voucherswitch.providers.contract.alerts import CREDENTIALS_REFUSED, FLOAT_EXHAUSTED
from voucherswitch.providers.contract.families import Effect, Family
from voucherswitch.providers.contract.kit import AdviceCase, CodeCase, KitProfile, Reachable
from voucherswitch.providers.yoyo.simulator import CREDENTIALS, start
from voucherswitch.providers.yoyo.statement import read_statement


def settings(simulator: Reachable) -> Mapping[str, Any]:
    """What the connector needs to reach the simulator."""
    return {"base_url": simulator.url, **CREDENTIALS, "default_outlet": "S001"}


_CODES: Final = (
    CodeCase("provision", "401", Family.NOT_SENT, ErrorType.ROUTING_ERROR, CREDENTIALS_REFUSED),
    CodeCase("provision", "9001", Family.NOT_SENT, ErrorType.ROUTING_ERROR),
    CodeCase("provision", "9002", Family.NOT_SENT, ErrorType.DO_NOT_HONOUR),
    CodeCase("provision", "9003", Family.DECLINED, ErrorType.INVALID_AMOUNT),
    CodeCase("provision", "9004", Family.DECLINED, ErrorType.LIMIT_EXCEEDED),
    CodeCase("provision", "9005", Family.DECLINED, ErrorType.LIMIT_EXCEEDED),
    CodeCase("provision", "9008", Family.NOT_SENT, ErrorType.DO_NOT_HONOUR, FLOAT_EXHAUSTED),
    CodeCase("status", "9006", Family.UNKNOWN, ErrorType.UPSTREAM_UNAVAILABLE),
    CodeCase("redeemStatus", "8804", Family.UNKNOWN, ErrorType.UPSTREAM_UNAVAILABLE),
    CodeCase("redeem", "401", Family.NOT_SENT, ErrorType.ROUTING_ERROR, CREDENTIALS_REFUSED),
    CodeCase("redeem", "2107", Family.UNKNOWN, ErrorType.VOUCHER_STATUS_UNKNOWN),
    CodeCase("redeem", "2108", Family.NOT_SENT, ErrorType.ROUTING_ERROR),
    CodeCase("redeem", "2112", Family.NOT_SENT, ErrorType.ROUTING_ERROR),
    CodeCase("redeem", "2117", Family.DECLINED, ErrorType.FUNCTION_NOT_SUPPORTED),
    CodeCase("redeem", "2118", Family.DECLINED, ErrorType.FUNCTION_NOT_SUPPORTED),
    CodeCase("redeem", "2119", Family.DECLINED, ErrorType.FUNCTION_NOT_SUPPORTED),
    CodeCase("redeem", "2120", Family.DECLINED, ErrorType.INVALID_VOUCHER),
    CodeCase("redeem", "2128", Family.DECLINED, ErrorType.FUNCTION_NOT_SUPPORTED),
    CodeCase("redeem", "2129", Family.DECLINED, ErrorType.DO_NOT_HONOUR),
    CodeCase("redeem", "8801", Family.DECLINED, ErrorType.VOUCHER_ALREADY_REDEEMED),
    CodeCase("redeem", "8802", Family.DECLINED, ErrorType.VOUCHER_NOT_REDEEMABLE),
    CodeCase("redeem", "8803", Family.DECLINED, ErrorType.INSUFFICIENT_FUNDS),
    CodeCase("lookup", "2120", Family.DECLINED, ErrorType.INVALID_VOUCHER),
)

_ADVICE_CODES: Final = (
    AdviceCase("reverse", "9006", Effect.DONE),
    AdviceCase("reverse", "9007", Effect.REFUSED),
    AdviceCase("reverse", "401", Effect.WAIT, CREDENTIALS_REFUSED),
    AdviceCase("reverseRedeem", "8804", Effect.DONE_ONCE_SETTLED),
    AdviceCase("reverseRedeem", "8805", Effect.REFUSED),
    AdviceCase("reverseRedeem", "8806", Effect.DONE),
    AdviceCase("reverseRedeem", "2107", Effect.WAIT),
    AdviceCase("confirmRedeem", "8804", Effect.REFUSED),
    AdviceCase("confirmRedeem", "8805", Effect.DONE),
    AdviceCase("confirmRedeem", "8806", Effect.REFUSED),
    AdviceCase("confirmRedeem", "401", Effect.WAIT, CREDENTIALS_REFUSED),
)

PROFILE: Final = KitProfile(
    start=start,
    settings=settings,
    product="giftcard:3001",
    amount_cents=10_000,
    redeem_cents=4_000,
    codes=_CODES,
    advice_codes=_ADVICE_CODES,
    unlisted_code="7777",
    labelled="Documented, gaps Proposed",
    evidence="Calls, fields and some codes are in Yoyo's public integration pages; the rest is ours.",
    read_statement=read_statement,
    not_applicable={"spoilt-redeem-wrong_reference": "The answer to a redemption repeats no reference of its request."},
)
