"""Settings and capability records of both modes."""

from typing import Any

import pytest

from voucherswitch.providers.bluvoucher.capabilities import CAPABILITIES, TRADE
from voucherswitch.providers.bluvoucher.connector import AeonConnector, connect
from voucherswitch.providers.bluvoucher.settings import bluvoucher_settings
from voucherswitch.providers.bluvoucher.trade_connector import TradeConnector
from voucherswitch.providers.contract.connector import ProviderSettingsError

AEON_KEYS: dict[str, Any] = {
    "host": "127.0.0.1",
    "port": 9108,
    "user_pin": "0000",
    "device_id": "90001",
    "device_ser": "SIM-DEV-1",
}
TRADE_KEYS: dict[str, Any] = {
    "mode": "trade",
    "base_url": "http://127.0.0.1:9118",
    "api_key": "example-apikey",
    "api_user": "sim-trade",
    "api_password": "example-trade-password",
}
# The capability records of providers.md section 8, as they are written there.
RECORD_AEON = (
    "provision=native retry=emulated status=native confirm=native reverse=native lookup=native redeem=native "
    "confirmRedeem=consume reverseRedeem=consume refund=none products=native tenderFirst=no"
)
RECORD_TRADE = (
    "provision=native retry=none status=none confirm=consume reverse=consume lookup=none redeem=native "
    "confirmRedeem=consume reverseRedeem=consume refund=none products=local tenderFirst=no"
)


def written(record: object, like: str) -> str:
    words = []
    for key in (part.partition("=")[0] for part in like.split()):
        name = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in key)
        value = getattr(record, name)
        words.append(f"{key}={('yes' if value else 'no') if isinstance(value, bool) else value}")
    return " ".join(words)


def test_the_records_are_those_of_the_specification() -> None:
    assert written(CAPABILITIES, RECORD_AEON) == RECORD_AEON
    assert written(TRADE, RECORD_TRADE) == RECORD_TRADE
    assert (CAPABILITIES.partial_redeem, TRADE.partial_redeem) == (False, True)
    assert (CAPABILITIES.redeem_status, TRADE.redeem_status) == ("emulated", "none")


async def test_the_effective_record_follows_mode_and_flags() -> None:
    cases = [
        (AEON_KEYS, AeonConnector, RECORD_AEON),
        (
            AEON_KEYS | {"trans_status": False},
            AeonConnector,
            RECORD_AEON.replace("retry=emulated status=native", "retry=none status=none"),
        ),
        (TRADE_KEYS, TradeConnector, RECORD_TRADE),
        (TRADE_KEYS | {"requestid_replay": True}, TradeConnector, RECORD_TRADE.replace("retry=none", "retry=native")),
        (TRADE_KEYS | {"trade_lookup": True}, TradeConnector, RECORD_TRADE.replace("lookup=none", "lookup=native")),
        (
            AEON_KEYS | {"capabilities": {"reverse": "consume"}},
            AeonConnector,
            RECORD_AEON.replace("reverse=native", "reverse=consume"),
        ),
    ]
    for settings, kind, record in cases:
        connector = connect("blu", settings)
        assert isinstance(connector, kind)
        assert written(connector.capabilities, record) == record
        await connector.close()


def test_the_defaults_are_those_of_the_section() -> None:
    typed = bluvoucher_settings("blu", AEON_KEYS)
    assert (typed.mode, typed.tls.enabled, typed.trans_status, typed.renew_once) == ("aeon", False, True, True)
    assert (typed.connect_timeout_ms, typed.read_timeout_ms, typed.total_timeout_ms) == (3_000, 60_000, 62_000)
    assert (typed.trade_path, typed.requestid_replay, typed.trade_lookup) == ("/v2/trade", False, False)
    assert (typed.trade_lookup_unit, typed.pin_pattern) == ("cents", "[0-9]{16}")


@pytest.mark.parametrize("key", ["host", "port", "user_pin", "device_id", "device_ser"])
def test_what_aeon_needs_is_named_when_it_is_missing(key: str) -> None:
    keys = {name: value for name, value in AEON_KEYS.items() if name != key}
    with pytest.raises(ProviderSettingsError, match=rf"^providers\.blu\.{key} is missing for mode aeon; set it to "):
        bluvoucher_settings("blu", keys)


@pytest.mark.parametrize("key", ["base_url", "api_key", "api_user", "api_password"])
def test_what_trade_needs_is_named_when_it_is_missing(key: str) -> None:
    keys = {name: value for name, value in TRADE_KEYS.items() if name != key}
    with pytest.raises(ProviderSettingsError, match=rf"^providers\.blu\.{key} is missing for mode trade; set it to "):
        bluvoucher_settings("blu", keys)


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        (AEON_KEYS | {"host": "192.0.2.1"}, "host is a private address"),
        (AEON_KEYS | {"host": "aeon.example", "tls": False}, "host is without TLS to another machine"),
        (AEON_KEYS | {"host": "aeon.example", "tls": {"verify": False}}, "tls.verify is false for another machine"),
        (AEON_KEYS | {"tls": {"verfy": True}}, "tls.verfy is not a setting"),
        (AEON_KEYS | {"port": 0}, "port: "),
        (AEON_KEYS | {"port": "9108"}, "port: "),
        (AEON_KEYS | {"device_ser": "x" * 41}, "device_ser: "),
        (AEON_KEYS | {"device_id": "x" * 21}, "device_id: "),
        (AEON_KEYS | {"mode": "soap"}, "mode: is not an allowed word"),
        (AEON_KEYS | {"base_path": "/x"}, "base_path is not a setting"),
        (TRADE_KEYS | {"base_url": "http://trade.example"}, "base_url is without TLS to another machine"),
        (TRADE_KEYS | {"base_url": "tcp://127.0.0.1"}, "base_url is not an http or https URL"),
        (TRADE_KEYS | {"trade_lookup_unit": "euro"}, "trade_lookup_unit: is not an allowed word"),
        (TRADE_KEYS | {"vend_channel": "a\nb"}, "vend_channel: "),
    ],
)
def test_a_wrong_setting_is_refused_in_one_line_that_names_it(keys: dict[str, Any], problem: str) -> None:
    with pytest.raises(ProviderSettingsError) as refused:
        bluvoucher_settings("blu", keys)
    text = str(refused.value)
    assert text.startswith(f"providers.blu.{problem}")
    assert "\n" not in text
    assert "SIM-DEV-1" not in text


@pytest.mark.parametrize(
    ("tls", "enabled"),
    [(True, True), (False, False), ({}, True), ({"verify": False}, True), ({"enabled": False}, False)],
)
def test_tls_is_on_when_it_is_said_or_described(tls: object, enabled: bool) -> None:
    assert bluvoucher_settings("blu", AEON_KEYS | {"tls": tls}).tls.enabled is enabled
    assert bluvoucher_settings("blu", AEON_KEYS | {"host": "aeon.example", "tls": True}).tls.verify
