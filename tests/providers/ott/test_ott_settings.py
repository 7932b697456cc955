"""OTT's settings: two sides with one set of credentials unless told otherwise, and every mistake named."""

from typing import Any

import msgspec
import pytest

from providers.ott.ott_support import REDEEMED, SOLD, Ott, provision_order, redeem_order, settings_of
from providers.provider_support import R2, Heard, advice_order, raw_server, status_order
from voucherswitch.message.codes import ErrorType
from voucherswitch.message.outcomes import Acknowledged, Declined, NotSent
from voucherswitch.providers.contract.connector import ProviderSettingsError
from voucherswitch.providers.contract.settings import read_settings
from voucherswitch.providers.ott.connector import connect
from voucherswitch.providers.ott.settings import OttSettings
from voucherswitch.providers.ott.signing import hash_of
from voucherswitch.providers.ott.simulator import CREDENTIALS, start

COMPLETE: dict[str, Any] = {"base_url": "https://ott.invalid", **CREDENTIALS}


def test_the_defaults_are_the_sections() -> None:
    settings = read_settings(OttSettings, "ott", COMPLETE)
    assert (settings.issuing_path, settings.redemption_path) == ("/api/reseller/v1", "/api/v1")
    assert (settings.connect_timeout_ms, settings.read_timeout_ms, settings.total_timeout_ms) == (3_000, 30_000, 32_000)
    assert (settings.send_sms, settings.send_mobile, settings.default_mobile) == (False, True, "")
    assert settings.pin_pattern == "[0-9]{12}"
    assert "example" not in repr(settings)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"vendor_code": ...}, "providers.ott.vendor_code is missing"),
        ({"vendor_id": ...}, "providers.ott.vendor_id is missing"),
        ({"api_key": ...}, "providers.ott.api_key is missing"),
        ({"api_user": "a:b"}, "providers.ott.api_user"),
        ({"api_password": "with space"}, "providers.ott.api_password"),
        ({"vendor_code": "1/1"}, "providers.ott.vendor_code"),
        ({"default_mobile": "0820000001"}, "providers.ott.default_mobile"),
        ({"issuing_path": "api/"}, "providers.ott.issuing_path"),
        ({"hash_field": {"GetAPIKey": "hash"}}, "providers.ott.hash_field"),
        ({"hash_field": {"GetVoucher": ""}}, "providers.ott.hash_field"),
        (
            {"redemption_base_url": "http://redeem.invalid"},
            "providers.ott.redemption_base_url is without TLS",
        ),
        ({"redemption_base_url": "https://redeem.invalid/api"}, "providers.ott.redemption_base_url has more than"),
        ({"capabilities": {"retry": "sometimes"}}, "providers.ott.capabilities.retry"),
        ({"apikey": "x"}, "providers.ott.apikey is not a setting"),
    ],
)
async def test_a_wrong_setting_is_named_and_no_secret_quoted(changes: dict[str, Any], named: str) -> None:
    wanted = {name: value for name, value in (COMPLETE | changes).items() if value is not ...}
    with pytest.raises(ProviderSettingsError) as refused:
        connect("ott", wanted)
    assert str(refused.value).startswith(named)
    assert "\n" not in str(refused.value)
    assert CREDENTIALS["api_password"] not in str(refused.value)


async def test_the_redemption_side_uses_the_issuing_credentials_unless_it_has_its_own(ott: Ott) -> None:
    await ott.confirmed()
    assert await ott.redeem() == REDEEMED
    own = {"redeem_api_user": "u2", "redeem_api_password": "p2", "redeem_api_key": "k2"}
    heard = await _both_sides(ott, **own)
    assert heard["GetVoucher"].header("authorization") == "Basic c2ltLWFwaS11c2VyOmV4YW1wbGUtb3R0LXBhc3N3b3Jk"
    assert heard["RemitVoucher"].header("authorization") == "Basic dTI6cDI="
    assert _hash(heard["GetVoucher"]) == _expected(heard["GetVoucher"], CREDENTIALS["api_key"])
    assert _hash(heard["RemitVoucher"]) == _expected(heard["RemitVoucher"], "k2")


@pytest.mark.parametrize("name", ["redeem_api_user", "redeem_api_password", "redeem_api_key"])
async def test_each_redemption_credential_alone_changes_only_the_redemption_side(ott: Ott, name: str) -> None:
    await ott.confirmed()
    connector = ott.with_settings(**{name: "other"})
    refused = NotSent(ErrorType.ROUTING_ERROR, None, "HTTP 401", "credentials_refused")
    assert await connector.redeem(redeem_order(), ott.call()) == refused
    assert await connector.confirm(advice_order(), ott.call()) == Acknowledged()


async def test_the_two_sides_can_have_two_addresses_and_paths(ott: Ott) -> None:
    async with start() as other:
        connector = ott.with_settings(redemption_base_url=other.url)
        assert await connector.provision(provision_order(), ott.call()) == SOLD
        assert isinstance(await connector.redeem(redeem_order(), ott.call()), Declined)  # the other one knows no PIN
        assert [entry["op"] for entry in await ott.journal()] == ["provision"]
        assert [entry["op"] for entry in other.frame.journal.listed(None, None)] == ["redeem"]
        await connector.redeem_status(status_order(R2), ott.call())
        await connector.close()
    moved = await _both_sides(ott, issuing_path="/issue", redemption_path="")
    assert moved["GetVoucher"].line == "POST /issue/GetVoucher HTTP/1.1"
    assert moved["RemitVoucher"].line == "POST /RemitVoucher HTTP/1.1"


async def test_a_hash_under_another_name_is_sent_and_masked_under_it(ott: Ott) -> None:
    heard = await _both_sides(ott, hash_field={"RemitVoucher": "remitHash"})
    body = heard["RemitVoucher"].body
    assert b"&remitHash=" in body
    assert b"&hash=" not in body
    assert b"&hash=" in heard["GetVoucher"].body
    shown = ott.legs[-1].request
    assert shown.endswith("&remitHash=***")
    ott.traces.clear()  # the fixture expects every leg to show `hash`


async def test_closing_twice_is_no_fault(ott: Ott) -> None:
    connector = connect("ott", settings_of(ott.simulator))
    await connector.close()
    await connector.close()


async def _both_sides(ott: Ott, **settings: object) -> dict[str, Heard]:
    """What each side hears, by the last part of the path."""

    async def answer(_heard: Heard, writer: Any) -> bool:
        writer.write(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
        return True

    async with raw_server(answer) as server:
        connector = ott.with_settings(base_url=server.url, **settings)
        await connector.provision(provision_order(), ott.call())
        await connector.redeem(redeem_order(), ott.call())
        return {heard.line.split()[1].rpartition("/")[2]: heard for heard in server.heard}


def _pairs(heard: Heard) -> dict[str, str]:
    return dict(pair.split("=") for pair in heard.body.decode().split("&"))


def _hash(heard: Heard) -> str:
    return _pairs(heard)["hash"]


def _expected(heard: Heard, key: str) -> str:
    return hash_of({name: value for name, value in _pairs(heard).items() if name != "hash"}, key)


def test_settings_are_read_from_json_like_text() -> None:
    text = msgspec.json.encode(COMPLETE | {"code_map": {"912": ["Declined", "LIMIT_EXCEEDED"]}})
    settings = read_settings(OttSettings, "ott", msgspec.json.decode(text))
    assert settings.code_meanings()["912"].error_type is ErrorType.LIMIT_EXCEEDED
