"""Settings of Blu Voucher (providers.md 8, 8.1, 8.5, 8.6)."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from msgspec import Meta

from voucherswitch.providers.contract.settings import (
    SECRET,
    BasePath,
    BaseUrl,
    CommonSettings,
    Credential,
    Milliseconds,
    ProviderSettings,
    Text,
    TlsSettings,
    check_base_url,
    check_host,
    read_settings,
    refuse,
)

Device = Annotated[str, Meta(min_length=1, max_length=20, description="1 to 20 characters that the provider gave us")]
UserPin = Annotated[
    str, Meta(min_length=1, max_length=20, description="1 to 20 characters that the provider gave us", extra=SECRET)
]


class LineTls(TlsSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """TLS over TCP. `tls: true` and `tls: {…}` turn it on, nothing and `tls: false` leave it off."""

    enabled: bool = True


class BluVoucherSettings(CommonSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What Blu Voucher needs beyond the common keys.

    Attributes:
        mode: `aeon` is XML over TCP, `trade` is REST.
        host, port, user_pin, device_id, device_ser: of aeon, each mandatory there; device_ver is sent if set.
        trans_status: whether the provider answers GetTransStatus; without it there is neither retry nor status.
        renew_once: whether a session that the provider does not know is made anew, once per operation.
        base_url, api_key, api_user, api_password: of trade, each mandatory there.
        vend_channel: the header Trade-Vend-Channel; None: not sent.
        requestid_replay: whether a repeated requestId is known to bring the first answer; only then is one resent.
        trade_lookup, trade_lookup_unit: whether trade vouchers can be looked up, and the unit of the amount it shows.
    """

    mode: Literal["aeon", "trade"] = "aeon"
    host: Text | None = None
    port: Annotated[int, Meta(ge=1, le=65_535, description="a port, 1 to 65535")] | None = None
    tls: LineTls = LineTls(enabled=False)
    user_pin: UserPin | None = None
    device_id: Device | None = None
    device_ser: (
        Annotated[str, Meta(min_length=1, max_length=40, description="1 to 40 characters that the provider gave us")]
        | None
    ) = None
    device_ver: Text | None = None
    trans_status: bool = True
    renew_once: bool = True
    base_url: BaseUrl | None = None
    trade_path: BasePath = "/v2/trade"
    api_key: Credential | None = None
    api_user: Credential | None = None
    api_password: Credential | None = None
    vend_channel: Annotated[str, Meta(pattern="^[!-~]+$", description="a header's value, like API")] | None = None
    requestid_replay: bool = False
    trade_lookup: bool = False
    trade_lookup_unit: Literal["cents", "rand"] = "cents"
    read_timeout_ms: Milliseconds = 60_000
    total_timeout_ms: Milliseconds = 62_000
    pin_pattern: Annotated[str, Meta(min_length=1, description="a regular expression for a whole PIN")] = r"[0-9]{16}"

    def over_http(self) -> ProviderSettings:
        """The common keys as the HTTP transport takes them, with the trade API's address."""
        common: dict[str, Any] = {name: getattr(self, name) for name in CommonSettings.__struct_fields__}
        return ProviderSettings(base_url=self.base_url or "", **common)


_MANDATORY: Final[Mapping[str, Mapping[str, str]]] = {
    "aeon": {
        "host": "the host of the AEON switch",
        "port": "the port of the AEON switch",
        "user_pin": "the UserPin of our device",
        "device_id": "the DeviceId of our device",
        "device_ser": "the DeviceSer of our device",
    },
    "trade": {
        "base_url": "scheme, host and port, like https://host:port, without trailing slash",
        "api_key": "the apikey that the provider gave us",
        "api_user": "the user that the provider gave us",
        "api_password": "the password that the provider gave us",
    },
}


def bluvoucher_settings(provider_id: str, settings: Mapping[str, object]) -> BluVoucherSettings:
    """Check the settings of a Blu Voucher provider and return them typed.

    Raises:
        ProviderSettingsError: one line that names the key and what to set.
    """
    if isinstance(settings.get("tls"), bool):
        settings = {**settings, "tls": {"enabled": settings["tls"]}}
    typed = read_settings(BluVoucherSettings, provider_id, settings)
    for key, what in _MANDATORY[typed.mode].items():
        if getattr(typed, key) is None:
            refuse(provider_id, key, f"is missing for mode {typed.mode}", what)
    if typed.mode == "trade":
        check_base_url(typed.over_http(), provider_id)
    else:
        check_host(typed, provider_id, "host", typed.host or "", tls=typed.tls.enabled)
    return typed
