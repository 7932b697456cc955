"""Settings of Stellr (providers.md 1.1, Proposed)."""

from typing import Annotated

from msgspec import Meta

from voucherswitch.providers.contract.settings import SECRET, BasePath, Milliseconds, ProviderSettings

Name = Annotated[str, Meta(pattern=r"^[!-~]{1,16}$", description="the name that Stellr gave us, 1 to 16 characters")]
Password = Annotated[
    str,
    Meta(pattern=r"^[!-~]{1,64}$", description="the password that Stellr gave us, 1 to 64 characters", extra=SECRET),
]


class StellrSettings(ProviderSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What Stellr needs beyond the common keys."""

    path: BasePath = "/voucher-gateway/v2/process"
    terminal_id: Name
    channel_id: Name
    password: Password
    read_timeout_ms: Milliseconds = 30_000
    total_timeout_ms: Milliseconds = 32_000
    pin_pattern: Annotated[str, Meta(min_length=1, description="a regular expression for a whole PIN")] = (
        r"([0-9]{12}|([2-9A-HJ-NP-Z]{4}-){3}[2-9A-HJ-NP-Z]{4})"
    )
