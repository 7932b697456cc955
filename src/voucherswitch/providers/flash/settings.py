"""Settings of Flash (providers.md 9.1, 9.5)."""

import re
from collections.abc import Mapping
from typing import Annotated, Final

from msgspec import Meta

from voucherswitch.providers.contract.settings import (
    BasePath,
    Credential,
    Milliseconds,
    ProviderSettings,
    read_settings,
    refuse,
)

REPLAY_WINDOW_S_MAX: Final = 1_740  # Flash remembers for 1800 s; a resend may be a minute on its way

_STORE = re.compile(r"[0-9A-Za-z]{1,20}")


class FlashSettings(ProviderSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What Flash needs beyond the common keys.

    Attributes:
        api_key: as Flash issues it, ready-encoded: sent as it is.
        replay_window_s: from the first message of a request; a resend that leaves later would buy a second voucher.
        refund_enabled, reverse_enabled: whether Flash takes these messages from us.
        renew_once: whether a call that Flash refused with 401 is sent once more with a fresh token.
    """

    api_path: BasePath = "/aggregation/4.0"
    api_key: Credential
    account_number: Annotated[
        str,
        Meta(pattern=r"^[0-9]{4}(-[0-9]{4}){3}$", description="16 digits written 4-4-4-4"),
    ]
    replay_window_s: Annotated[
        int, Meta(ge=0, le=REPLAY_WINDOW_S_MAX, description=f"whole seconds, 0 to {REPLAY_WINDOW_S_MAX}")
    ] = REPLAY_WINDOW_S_MAX
    refund_enabled: Annotated[bool, Meta(description="true or false")] = False
    reverse_enabled: Annotated[bool, Meta(description="true or false")] = False
    renew_once: Annotated[bool, Meta(description="true or false")] = True
    read_timeout_ms: Milliseconds = 30_000
    total_timeout_ms: Milliseconds = 32_000
    pin_pattern: Annotated[str, Meta(min_length=1, description="a regular expression for a whole PIN")] = r"[0-9]{16}"


def flash_settings(provider_id: str, settings: Mapping[str, object]) -> FlashSettings:
    """Read and check the settings.

    Raises:
        ProviderSettingsError: one line that names the key and what to set.
    """
    typed = read_settings(FlashSettings, provider_id, settings)
    hint = "at most 20 letters and digits"
    for place, store in typed.outlet_map.items():
        if not _STORE.fullmatch(store):
            refuse(provider_id, f"outlet_map.{place}", "is no store of Flash", hint)
    if typed.default_outlet is not None and not _STORE.fullmatch(typed.default_outlet):
        refuse(provider_id, "default_outlet", "is no store of Flash", hint)
    return typed
