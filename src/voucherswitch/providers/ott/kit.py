"""What the conformance kit must know of OTT: the code tables of providers.md 6.4, and how to reach the simulator."""

from collections.abc import Mapping
from typing import Any, Final

from voucherswitch.message.codes import ErrorType
from voucherswitch.providers.contract.alerts import FLOAT_EXHAUSTED
from voucherswitch.providers.contract.families import Effect, Family
from voucherswitch.providers.contract.kit import AdviceCase, CodeCase, KitProfile
from voucherswitch.providers.contract.simulator.running import RunningSimulator
from voucherswitch.providers.ott.simulator import CREDENTIALS, start
from voucherswitch.providers.ott.statement import read_statement
from voucherswitch.providers.ott.translate import PRODUCT


def settings(simulator: RunningSimulator) -> Mapping[str, Any]:
    """What the connector needs to reach this simulator."""
    return {"base_url": simulator.url, "default_outlet": "S001", **CREDENTIALS}


def _declined(op: str, code: str, error_type: ErrorType) -> CodeCase:
    return CodeCase(op, code, Family.DECLINED, error_type)


def _not_sent(code: str, error_type: ErrorType, alert: str | None = None) -> CodeCase:
    return CodeCase("provision", code, Family.NOT_SENT, error_type, alert)


PROFILE: Final = KitProfile(
    start=start,
    settings=settings,
    product=PRODUCT,
    amount_cents=10_000,  # redeemed whole: after a part of it the PIN is worth nothing, and the rest is in a wallet
    codes=(
        *(CodeCase("provision", code, Family.UNKNOWN, ErrorType.UPSTREAM_UNAVAILABLE) for code in ("1", "7", "8", "9")),
        _not_sent("2", ErrorType.UPSTREAM_UNAVAILABLE),
        _declined("provision", "3", ErrorType.INVALID_AMOUNT),
        _not_sent("4", ErrorType.GENERAL_ERROR),
        _not_sent("5", ErrorType.GENERAL_ERROR),
        _not_sent("6", ErrorType.DO_NOT_HONOUR, FLOAT_EXHAUSTED),
        _not_sent("941", ErrorType.ROUTING_ERROR),
        *(_declined(op, "901", ErrorType.INVALID_VOUCHER) for op in ("lookup", "redeem")),
        *(_declined(op, "902", ErrorType.VOUCHER_ALREADY_REDEEMED) for op in ("lookup", "redeem")),
        *(_declined(op, "904", ErrorType.VOUCHER_NOT_REDEEMABLE) for op in ("lookup", "redeem")),
        *(_declined(op, "905", ErrorType.VOUCHER_NOT_REDEEMABLE) for op in ("lookup", "redeem")),
        _declined("redeem", "903", ErrorType.INSUFFICIENT_FUNDS),
        CodeCase("redeem", "906", Family.NOT_SENT, ErrorType.ROUTING_ERROR),
        CodeCase("redeem", "907", Family.UNKNOWN, ErrorType.DUPLICATE_RECORD),
    ),
    advice_codes=(
        AdviceCase("confirm", "1", Effect.REFUSED),
        AdviceCase("confirm", "921", Effect.REFUSED),
        AdviceCase("reverse", "1", Effect.DONE_ONCE_SETTLED),
        AdviceCase("reverse", "922", Effect.REFUSED),
        AdviceCase("reverse", "923", Effect.REFUSED),
    ),
    unlisted_code="999",
    labelled="Documented, gaps Proposed",
    evidence=(
        "Several unrelated public clients agree on transport, hash and parameters; the error codes of redemption, the "
        "daily file and what happens to unconfirmed vouchers are proposed by us. Not tested against OTT."
    ),
    read_statement=read_statement,
    not_applicable={
        "unlisted-code": "the settings map a code of GetVoucher under its name: `GetVoucher:999`, not `999`",
        "spoilt-wrong_reference": "no answer of OTT repeats the reference it is about",
        "spoilt-redeem-wrong_reference": "no answer of OTT repeats the reference it is about",
    },
)
