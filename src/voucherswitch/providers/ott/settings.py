"""Settings of OTT (providers.md 6.1)."""

from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, field

from voucherswitch.providers.contract.settings import (
    BasePath,
    BaseUrl,
    Credential,
    Milliseconds,
    ProviderSettings,
    Text,
    read_settings,
    refuse,
)
from voucherswitch.providers.ott.errors import SCOPES

# A colon would end the name inside the Basic header. Sealed like the password: together they open a door.
ApiUser = Annotated[
    str, Meta(pattern="^[!-9;-~]+$", description="the API user that OTT gave us", extra={"secret": True})
]
Parameter = Annotated[str, Meta(pattern="^[0-9A-Za-z_]{1,50}$", description="the name of a parameter")]
Code = Annotated[str, Meta(pattern="^[0-9A-Za-z-]{1,50}$", description="the code that OTT gave us")]
OpName: TypeAlias = Literal[
    "GetVoucher", "CheckVoucher", "ConfirmVoucher", "RejectVoucher", "RemitVoucher", "CheckRemitVoucher"
]
HashFields = Annotated[dict[OpName, Parameter], Meta(description="operation -> the name of its hash parameter")]


class OttSettings(ProviderSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What OTT needs beyond the common keys.

    Attributes:
        redemption_base_url: where redemptions go; None: to `base_url`.
        redeem_api_user, redeem_api_password, redeem_api_key: each is the issuing one unless it is set.
        vendor_code: who we are when we issue; it is also in the name of the daily file.
        vendor_id: who we are when we redeem.
        send_sms: whether OTT sends the voucher to the customer's own mobile. Never to `default_mobile`.
        send_mobile: whether a redemption names the customer's mobile: there OTT sends what is left of the voucher.
        default_mobile: named in a redemption when the customer's is not known; empty: none is named.
        hash_field: operation -> the name of its hash parameter, where it is not `hash`.
        code_map: a code means something else in every operation, so a key may name the operation: `RemitVoucher:1`,
            likewise `GetVoucher`, `CheckVoucher` (by PIN), `ConfirmVoucher` and `RejectVoucher`. A bare code counts for
            `CheckVoucher` and `RemitVoucher` only, and where both are there the named one counts.
    """

    issuing_path: BasePath = "/api/reseller/v1"
    redemption_path: BasePath = "/api/v1"
    redemption_base_url: BaseUrl | None = None
    api_user: ApiUser
    api_password: Credential
    api_key: Credential
    redeem_api_user: ApiUser | None = None
    redeem_api_password: Credential | None = None
    redeem_api_key: Credential | None = None
    vendor_code: Code
    vendor_id: Code
    send_sms: Annotated[bool, Meta(description="true or false")] = False
    send_mobile: Annotated[bool, Meta(description="true or false")] = True
    default_mobile: Annotated[
        str, Meta(pattern="^([0-9]{11})?$", description="a mobile number in 11 digits like 27820000001, or empty")
    ] = ""
    hash_field: HashFields = field(default_factory=dict)
    read_timeout_ms: Milliseconds = 30_000
    total_timeout_ms: Milliseconds = 32_000
    pin_pattern: Text = "[0-9]{12}"


def ott_settings(provider_id: str, settings: Mapping[str, object]) -> OttSettings:
    """Read and check the settings.

    Raises:
        ProviderSettingsError: one line that names the key and what to set.
    """
    typed = read_settings(OttSettings, provider_id, settings)
    for key in typed.code_map:
        operation, colon, code = key.partition(":")
        if colon and (operation not in SCOPES.values() or not code):
            hint = f"a code, or a code after one of {', '.join(f'{name}:' for name in SCOPES.values())}"
            refuse(provider_id, f"code_map.{key}", "names no operation whose codes can be mapped", hint)
    return typed
