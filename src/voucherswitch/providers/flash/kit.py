"""What the conformance kit must know of Flash. The code tables are those of providers.md 9.4, written out.

It is tried as its settings have it by default: refunds and reversals are off.
"""

from collections.abc import Mapping
from typing import Any, Final

from voucherswitch.message.codes import ErrorType
from voucherswitch.providers.contract.alerts import FLOAT_EXHAUSTED, MESSAGE_REFUSED
from voucherswitch.providers.contract.families import Effect, Family
from voucherswitch.providers.contract.kit import AdviceCase, CodeCase, KitProfile, Reachable
from voucherswitch.providers.flash.simulator import ACCOUNT, API_KEY, start
from voucherswitch.providers.flash.statement import read_statement


def _of_requests(op: str) -> tuple[CodeCase, ...]:
    return (
        CodeCase(op, "7001", Family.NOT_SENT, ErrorType.GENERAL_ERROR, MESSAGE_REFUSED),
        CodeCase(op, "7002", Family.DECLINED, ErrorType.INVALID_AMOUNT),
        CodeCase(op, "7003", Family.NOT_SENT, ErrorType.ROUTING_ERROR),
        CodeCase(op, "7004", Family.NOT_SENT, ErrorType.ROUTING_ERROR),
        CodeCase(op, "7005", Family.NOT_SENT, ErrorType.DO_NOT_HONOUR, FLOAT_EXHAUSTED),
        CodeCase(op, "7006", Family.NOT_SENT, ErrorType.DO_NOT_HONOUR),
        CodeCase(op, "7101", Family.DECLINED, ErrorType.INVALID_VOUCHER),
        CodeCase(op, "7103", Family.DECLINED, ErrorType.VOUCHER_ALREADY_REDEEMED),
        CodeCase(op, "7104", Family.DECLINED, ErrorType.VOUCHER_NOT_REDEEMABLE),
        CodeCase(op, "7105", Family.DECLINED, ErrorType.VOUCHER_NOT_REDEEMABLE),
        CodeCase(op, "7106", Family.DECLINED, ErrorType.INSUFFICIENT_FUNDS),
        CodeCase(op, "7201", Family.UNKNOWN, ErrorType.DUPLICATE_RECORD),
        CodeCase(op, "7202", Family.UNKNOWN, ErrorType.VOUCHER_STATUS_UNKNOWN),
        CodeCase(op, "7901", Family.NOT_SENT, ErrorType.UPSTREAM_UNAVAILABLE),
        CodeCase(op, "7999", Family.UNKNOWN, ErrorType.UPSTREAM_UNAVAILABLE),
    )


def _settings(simulator: Reachable) -> Mapping[str, Any]:
    return {
        "base_url": simulator.url,
        "api_key": API_KEY,
        "account_number": ACCOUNT,
        "default_outlet": "S001",
    }


PROFILE: Final = KitProfile(
    start=start,
    settings=_settings,
    product="1voucher",
    redeem_cents=4_000,
    codes=(*_of_requests("provision"), *_of_requests("redeem")),
    advice_codes=(
        AdviceCase("reverse", "7301", Effect.DONE_ONCE_SETTLED),
        AdviceCase("reverse", "7302", Effect.REFUSED),
        AdviceCase("reverse", "7001", Effect.WAIT, MESSAGE_REFUSED),
        AdviceCase("reverse", "7901", Effect.WAIT),
        AdviceCase("reverse", "7999", Effect.WAIT),
    ),
    unlisted_code="7888",
    labelled="Documented; result codes and the reverse call Proposed",
    evidence=(
        "An official page shows token, base and purchase; several public clients agree on redeeming, refunding, gift "
        "vouchers, products, the 30 minutes of replay and the recon file. No error table was found."
    ),
    read_statement=read_statement,
)
