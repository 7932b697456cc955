"""Settings of Hollywoodbets' proposed protocol (providers.md 4.1, 4.5)."""

from typing import Annotated, Final

from msgspec import Meta

from voucherswitch.providers.contract.settings import BasePath, Milliseconds, ProviderSettings, Secret

# The provider forgets after 24 h and then sells again. A resend must have arrived by then, and the longest operation
# that settings allow takes 10 minutes.
REPLAY_WINDOW_S_MAX: Final = 24 * 3_600 - 600


class HollywoodbetsSettings(ProviderSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What Hollywoodbets needs beyond the common keys.

    `replay_window_s`: from this age on a request is never sent again, only asked about. `stock_mode` is not offered.
    """

    base_path: BasePath = "/retail-topup/v1"
    partner: Annotated[
        str, Meta(pattern=r"^[^:\x00-\x1f\x7f]+$", description="the partner name that the provider gave us, no colon")
    ]
    password: Secret
    replay_window_s: Annotated[
        int, Meta(ge=0, le=REPLAY_WINDOW_S_MAX, description=f"a whole number of seconds, 0 to {REPLAY_WINDOW_S_MAX}")
    ] = 82_800
    stock_mode: Annotated[bool, Meta(description="false; selling from stock files is not offered")] = False
    read_timeout_ms: Milliseconds = 20_000
    total_timeout_ms: Milliseconds = 22_000
    pin_pattern: Annotated[str, Meta(min_length=1, description="a regular expression for a whole PIN")] = r"[0-9]{11}"
