"""Hollywoodbets as the conformance kit tries it (providers.md section 4, Part D)."""

from collections.abc import Mapping
from typing import Any, Final

from voucherswitch.message.codes import ErrorType
from voucherswitch.providers.contract.alerts import FLOAT_EXHAUSTED, MESSAGE_REFUSED
from voucherswitch.providers.contract.families import Effect, Family
from voucherswitch.providers.contract.kit import AdviceCase, CodeCase, KitProfile
from voucherswitch.providers.contract.simulator.running import RunningSimulator
from voucherswitch.providers.hollywoodbets.simulator import PARTNER, PASSWORD, start
from voucherswitch.providers.hollywoodbets.statement import read_statement


def settings(simulator: RunningSimulator) -> Mapping[str, Any]:
    """What reaches the simulator."""
    return {"base_url": simulator.url, "partner": PARTNER, "password": PASSWORD, "default_outlet": "S001"}


_CODES: Final = (
    CodeCase("provision", "HB10", Family.NOT_SENT, ErrorType.ROUTING_ERROR),
    CodeCase("provision", "HB11", Family.DECLINED, ErrorType.INVALID_AMOUNT),
    CodeCase("provision", "HB12", Family.NOT_SENT, ErrorType.DO_NOT_HONOUR),
    CodeCase("provision", "HB13", Family.UNKNOWN, ErrorType.DUPLICATE_RECORD),
    CodeCase("provision", "HB16", Family.NOT_SENT, ErrorType.DO_NOT_HONOUR, FLOAT_EXHAUSTED),
    CodeCase("provision", "HB30", Family.UNKNOWN, ErrorType.VOUCHER_STATUS_UNKNOWN),
    CodeCase("provision", "HB50", Family.NOT_SENT, ErrorType.GENERAL_ERROR, MESSAGE_REFUSED),
    CodeCase("provision", "HB90", Family.NOT_SENT, ErrorType.UPSTREAM_UNAVAILABLE),
    CodeCase("provision", "HB99", Family.UNKNOWN, ErrorType.UPSTREAM_UNAVAILABLE),
    CodeCase("lookup", "HB20", Family.DECLINED, ErrorType.INVALID_VOUCHER),
    CodeCase("lookup", "HB50", Family.NOT_SENT, ErrorType.GENERAL_ERROR, MESSAGE_REFUSED),
)
_ADVICE_CODES: Final = (
    AdviceCase("reverse", "HB14", Effect.REFUSED),
    AdviceCase("reverse", "HB15", Effect.REFUSED),
    AdviceCase("reverse", "HB30", Effect.WAIT),
    AdviceCase("reverse", "HB40", Effect.DONE_ONCE_SETTLED),
    AdviceCase("reverse", "HB50", Effect.WAIT, MESSAGE_REFUSED),
    AdviceCase("reverse", "HB90", Effect.WAIT),
    AdviceCase("reverse", "HB99", Effect.WAIT),
)

PROFILE: Final = KitProfile(
    start=start,
    settings=settings,
    product="100.00",
    codes=_CODES,
    advice_codes=_ADVICE_CODES,
    unlisted_code="HB77",
    labelled="Proposed",
    evidence=(
        "No issuing interface is public; documented is only that resellers sell the voucher and that betting partners "
        "normally do not honour reversals. The protocol is a proposal of this project."
    ),
    read_statement=read_statement,
)
