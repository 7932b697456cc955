"""Blu Voucher as the conformance kit tries it: `PROFILE` in mode aeon, `TRADE` in mode trade."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from voucherswitch.message.codes import ErrorType
from voucherswitch.providers.bluvoucher.simulator import BluVoucherSimulator, start
from voucherswitch.providers.bluvoucher.simulator.aeon import DEVICE_ID, DEVICE_SER, USER_PIN
from voucherswitch.providers.bluvoucher.simulator.stock import PRODUCT
from voucherswitch.providers.bluvoucher.simulator.trade import API_KEY, API_PASSWORD, API_USER
from voucherswitch.providers.bluvoucher.statement import read_statement
from voucherswitch.providers.contract.alerts import CREDENTIALS_REFUSED, FLOAT_EXHAUSTED, MESSAGE_REFUSED
from voucherswitch.providers.contract.families import Effect, Family
from voucherswitch.providers.contract.kit import AdviceCase, CodeCase, KitProfile, Reachable


def aeon_settings(simulator: Reachable) -> Mapping[str, Any]:
    """The settings that reach a simulator over AEON."""
    address = urlsplit(simulator.url)
    return {
        "mode": "aeon",
        "host": address.hostname,
        "port": address.port,
        "user_pin": USER_PIN,
        "device_id": DEVICE_ID,
        "device_ser": DEVICE_SER,
        "default_outlet": "S001",
    }


def trade_settings(simulator: BluVoucherSimulator) -> Mapping[str, Any]:
    """The settings that reach a simulator over the trade API."""
    return {
        "mode": "trade",
        "base_url": simulator.trade_url,
        "api_key": API_KEY,
        "api_user": API_USER,
        "api_password": API_PASSWORD,
        "trade_lookup": True,
        "default_outlet": "S001",
    }


def _declined(op: str, code: str, error_type: ErrorType) -> CodeCase:
    return CodeCase(op, code, Family.DECLINED, error_type)


def _not_sent(op: str, code: str, error_type: ErrorType, alert: str | None = None) -> CodeCase:
    return CodeCase(op, code, Family.NOT_SENT, error_type, alert)


def _unknown(op: str, code: str, error_type: ErrorType) -> CodeCase:
    return CodeCase(op, code, Family.UNKNOWN, error_type)


def _of_any_request(op: str) -> tuple[CodeCase, ...]:
    return (
        _not_sent(op, "103", ErrorType.ROUTING_ERROR, CREDENTIALS_REFUSED),
        _not_sent(op, "750", ErrorType.ROUTING_ERROR, CREDENTIALS_REFUSED),
        _not_sent(op, "755", ErrorType.GENERAL_ERROR, MESSAGE_REFUSED),
        _declined(op, "774", ErrorType.FUNCTION_NOT_SUPPORTED),
        _not_sent(op, "790", ErrorType.UPSTREAM_UNAVAILABLE),
        _unknown(op, "799", ErrorType.UPSTREAM_UNAVAILABLE),
    )


def _of_a_voucher(op: str) -> tuple[CodeCase, ...]:
    return (
        _declined(op, "760", ErrorType.INVALID_VOUCHER),
        _declined(op, "761", ErrorType.VOUCHER_ALREADY_REDEEMED),
        _declined(op, "762", ErrorType.VOUCHER_NOT_REDEEMABLE),
        _declined(op, "763", ErrorType.VOUCHER_NOT_REDEEMABLE),
        _declined(op, "764", ErrorType.VOUCHER_NOT_REDEEMABLE),
    )


PROFILE: Final = KitProfile(
    start=start,
    settings=aeon_settings,
    product=PRODUCT,
    codes=(
        *_of_any_request("provision"),
        _not_sent("provision", "751", ErrorType.ROUTING_ERROR),
        _declined("provision", "752", ErrorType.INVALID_AMOUNT),
        _not_sent("provision", "753", ErrorType.DO_NOT_HONOUR, FLOAT_EXHAUSTED),
        _unknown("provision", "754", ErrorType.DUPLICATE_RECORD),
        *_of_any_request("lookup"),
        *_of_a_voucher("lookup"),
        *_of_any_request("redeem"),
        *_of_a_voucher("redeem"),
        _unknown("redeem", "754", ErrorType.DUPLICATE_RECORD),
        _declined("redeem", "765", ErrorType.INVALID_AMOUNT),
    ),
    advice_codes=(
        AdviceCase("confirm", "103", Effect.WAIT, CREDENTIALS_REFUSED),
        AdviceCase("confirm", "755", Effect.WAIT, MESSAGE_REFUSED),
        AdviceCase("confirm", "770", Effect.REFUSED),
        AdviceCase("confirm", "771", Effect.DONE),
        AdviceCase("confirm", "772", Effect.REFUSED),
        AdviceCase("confirm", "774", Effect.REFUSED),
        AdviceCase("confirm", "790", Effect.WAIT),
        AdviceCase("confirm", "799", Effect.WAIT),
        AdviceCase("reverse", "103", Effect.WAIT, CREDENTIALS_REFUSED),
        AdviceCase("reverse", "755", Effect.WAIT, MESSAGE_REFUSED),
        AdviceCase("reverse", "761", Effect.REFUSED),
        AdviceCase("reverse", "770", Effect.DONE_ONCE_SETTLED),
        AdviceCase("reverse", "771", Effect.REFUSED),
        AdviceCase("reverse", "772", Effect.DONE),
        AdviceCase("reverse", "773", Effect.REFUSED),
        AdviceCase("reverse", "774", Effect.REFUSED),
        AdviceCase("reverse", "790", Effect.WAIT),
        AdviceCase("reverse", "799", Effect.WAIT),
    ),
    unlisted_code="798",
    labelled="Documented envelope, rest Proposed",
    evidence=(
        "Several unrelated public clients agree on the AEON envelope, framing and error block; enquiry, spend, cancel "
        "and status are ours."
    ),
    read_statement=read_statement,
)

_NO_ECHO: Final = "the answer to a redemption names no request, so none can be wrong"

TRADE: Final = KitProfile(
    start=start,
    settings=trade_settings,
    product=PRODUCT,
    redeem_cents=4_000,
    codes=(
        _declined("provision", "AMOUNT", ErrorType.INVALID_AMOUNT),
        _not_sent("provision", "400", ErrorType.GENERAL_ERROR, MESSAGE_REFUSED),
        _not_sent("provision", "401", ErrorType.ROUTING_ERROR, CREDENTIALS_REFUSED),
        _not_sent("provision", "403", ErrorType.ROUTING_ERROR, CREDENTIALS_REFUSED),
        _not_sent("provision", "404", ErrorType.ROUTING_ERROR),
        _unknown("provision", "DUPLICATE", ErrorType.DUPLICATE_RECORD),
        _unknown("provision", "409", ErrorType.DUPLICATE_RECORD),
        _unknown("provision", "USED", ErrorType.DUPLICATE_RECORD),
        _declined("lookup", "404", ErrorType.INVALID_VOUCHER),
        _declined("redeem", "AMOUNT", ErrorType.INVALID_AMOUNT),
        _not_sent("redeem", "400", ErrorType.GENERAL_ERROR, MESSAGE_REFUSED),
        _not_sent("redeem", "401", ErrorType.ROUTING_ERROR, CREDENTIALS_REFUSED),
        _not_sent("redeem", "403", ErrorType.ROUTING_ERROR, CREDENTIALS_REFUSED),
        _declined("redeem", "404", ErrorType.INVALID_VOUCHER),
        _declined("redeem", "USED", ErrorType.VOUCHER_ALREADY_REDEEMED),
        _unknown("redeem", "DUPLICATE", ErrorType.DUPLICATE_RECORD),
        _unknown("redeem", "409", ErrorType.DUPLICATE_RECORD),
    ),
    unlisted_code="ODD",
    labelled="Documented by clients, parts Proposed",
    evidence="Four unrelated public clients agree on the trade API; nothing official describes it.",
    read_statement=read_statement,
    not_applicable={"spoilt-redeem-wrong_reference": _NO_ECHO},
)
