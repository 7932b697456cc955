"""Settings of Netcare (providers.md 2.1, Proposed)."""

from typing import Annotated

from msgspec import Meta

from voucherswitch.providers.contract.settings import BasePath, Credential, Milliseconds, ProviderSettings


class NetcareSettings(ProviderSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What Netcare needs beyond the common keys."""

    path: BasePath = "/services/VoucherService"
    username: Credential
    password: Credential
    read_timeout_ms: Milliseconds = 20_000
    total_timeout_ms: Milliseconds = 22_000
    pin_pattern: Annotated[str, Meta(min_length=1, description="a regular expression for a whole voucher number")] = (
        r"[2-9A-HJ-NP-Z]{12}"
    )
